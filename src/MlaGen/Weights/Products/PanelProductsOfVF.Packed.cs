using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <content>Many rows at once: weights become floats a block at a time, and meet all rows of a chunk in register tiles.</content>
internal sealed partial class PanelProducts<V, F>
{
    private static int TileRows => ProjectionTiles<V>.Rows;

    private static int TileWidth => ProjectionTiles<V>.InputWidth;

    private static int TileOutputs => ProjectionTiles<V>.Outputs;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void MultiplyPacked(PackedMatrix matrix, int firstPanel, int outputs, ref readonly float packed, int rows, ref float result, nint stride, ref float scratch, bool wholeTiles)
    {
        int depth = matrix.Columns;
        int tiles = (rows + TileRows - 1) / TileRows;
        ref float weights = ref scratch;
        ref float scales = ref Unsafe.Add(ref scratch, (DepthBlock + ProjectionKernels.MostChunkRows) * ProjectionKernels.TiledPanels * PanelWidth);
        ref float groupSums = ref Unsafe.Add(ref scales, DepthBlock / ProjectionKernels.LeastGroupDepth * ProjectionKernels.TiledPanels * PanelWidth);
        const int MostOutputs = ProjectionKernels.TiledPanels * PanelWidth;
        int sumStride = wholeTiles ? (int)stride : MostOutputs;
        for (int firstOutput = 0; firstOutput < outputs; firstOutput += MostOutputs)
        {
            // Results far apart would crowd a few sets of the cache while they are summed up.
            ref float target = ref Unsafe.Add(ref result, firstOutput);
            ref float sums = ref wholeTiles ? ref target : ref Unsafe.Add(ref scratch, DepthBlock * MostOutputs);
            int count = Math.Min(MostOutputs, outputs - firstOutput);
            int panels = PackedMatrix.PanelsFor(count);
            int panel = firstPanel + (firstOutput / PanelWidth);

            // The last vector pair may reach into a panel that is not there: an even number of panels is summed, the surplus is never read.
            int pairs = ((panels * PanelWidth) + TileOutputs - 1) / TileOutputs;
            ref float inputs = ref Unsafe.AsRef(in packed);
            for (int first = 0; first < depth; first += DepthBlock)
            {
                int block = Math.Min(DepthBlock, depth - first);
                // A pair of panels stays in the first-level cache, where it was written, while the inputs of all tiles pass.
                var next = new PanelStream(matrix, panel, panels, first + block, tiles * pairs);
                for (int pair = 0; pair < pairs; pair++)
                {
                    ref float w = ref Unsafe.Add(ref weights, pair * block * TileOutputs);
                    ref float s = ref Unsafe.Add(ref scales, pair * (DepthBlock / F.GroupDepth) * TileOutputs);
                    Widen(matrix, panel, panels, pair, first, block, ref w, ref s);
                    for (int tile = 0; tile < tiles; tile++)
                    {
                        ref float x = ref Unsafe.Add(ref inputs, tile * block * TileWidth);
                        ref float y = ref Unsafe.Add(ref sums, (tile * TileRows * sumStride) + (pair * TileOutputs));
                        next.Prefetch();
                        int left = Math.Min(TileRows, rows - (tile * TileRows));
                        if (F.ScalesSums)
                        {
                            TileOfGroups(ref x, ref w, ref s, block, ref groupSums, ref y, sumStride, left, first > 0);
                        }
                        else
                        {
                            Tile(ref x, ref w, block, ref y, sumStride, left, first > 0);
                        }
                    }
                }

                inputs = ref Unsafe.Add(ref inputs, tiles * block * TileWidth);
            }

            for (int row = 0; row < rows && !wholeTiles; row++)
            {
                MemoryMarshal.CreateSpan(ref Unsafe.Add(ref sums, row * sumStride), count)
                    .CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.Add(ref target, row * stride), count));
            }
        }
    }

    /// <summary>Up to a whole tile of rows by two vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Tile(ref float inputs, ref float weights, int depth, ref float sums, int stride, int rows, bool accumulate)
    {
        if (rows <= TileRows - 4)
        {
            for (int row = 0; row < rows; row += 4)
            {
                ProjectionTiles<V>.Multiply4(ref Unsafe.Add(ref inputs, row), TileWidth, ref weights, depth, ref Unsafe.Add(ref sums, row * stride), stride, accumulate);
            }
        }
        else if (TileRows == 12)
        {
            ProjectionTiles<V>.Multiply12(ref inputs, TileWidth, ref weights, depth, ref sums, stride, accumulate);
        }
        else
        {
            ProjectionTiles<V>.Multiply6(ref inputs, TileWidth, ref weights, depth, ref sums, stride, accumulate);
        }
    }

    /// <summary>The same where sums of groups have scales: each group is summed by itself, and its sum, scaled, meets those before it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TileOfGroups(ref float inputs, ref float weights, ref float scales, int depth, ref float groupSums, ref float sums, int stride, int rows, bool accumulate)
    {
        for (int first = 0; first < depth; first += F.GroupDepth)
        {
            int count = Math.Min(F.GroupDepth, depth - first);
            Tile(ref Unsafe.Add(ref inputs, first * TileWidth), ref Unsafe.Add(ref weights, first * TileOutputs), count, ref groupSums, TileOutputs, rows, accumulate: false);
            V scale0 = V.Load(ref scales);
            V scale1 = V.Load(ref Unsafe.Add(ref scales, V.Count));
            scales = ref Unsafe.Add(ref scales, TileOutputs);
            for (int row = 0; row < rows; row++)
            {
                ref float group = ref Unsafe.Add(ref groupSums, row * TileOutputs);
                ref float sum = ref Unsafe.Add(ref sums, row * stride);
                ref float upper = ref Unsafe.Add(ref sum, V.Count);
                bool begun = accumulate || first > 0;
                V.Store(V.MultiplyAdd(V.Load(ref group), scale0, begun ? V.Load(ref sum) : V.Zero), ref sum);
                V.Store(V.MultiplyAdd(V.Load(ref Unsafe.Add(ref group, V.Count)), scale1, begun ? V.Load(ref upper) : V.Zero), ref upper);
            }
        }
    }

    /// <summary>Writes two vectors of outputs of each depth as floats, <c>[depth][2 vectors]</c>: converted once for all rows of a chunk.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Widen(PackedMatrix matrix, int firstPanel, int panels, int pair, int first, int block, ref float widened, ref float widenedScales)
    {
        for (int half = 0; half < 2; half++)
        {
            int output = (pair * TileOutputs) + (half * V.Count);
            int panel = output / PanelWidth;
            ref float target = ref Unsafe.Add(ref widened, half * V.Count);
            ref float targetScales = ref Unsafe.Add(ref widenedScales, half * V.Count);
            if (panel >= panels)
            {
                for (int k = 0; k < block; k++)
                {
                    V.Store(V.Zero, ref Unsafe.Add(ref target, k * TileOutputs));
                }

                for (int k = 0; k < block && F.ScalesSums; k += F.GroupDepth)
                {
                    V.Store(V.Zero, ref Unsafe.Add(ref targetScales, k / F.GroupDepth * TileOutputs));
                }

                continue;
            }

            int lane = output % PanelWidth;
            ref byte source = ref Unsafe.Add(ref matrix.Panel(firstPanel + panel), GroupStart(first));
            for (int left = block; left > 0; left -= F.GroupDepth)
            {
                V scales = F.LoadScales<V>(ref source, lane);
                source = ref Unsafe.Add(ref source, F.GroupBytes);
                if (F.ScalesSums)
                {
                    V.Store(scales, ref targetScales);
                    targetScales = ref Unsafe.Add(ref targetScales, TileOutputs);
                }

                for (int k = Math.Min(F.GroupDepth, left); k > 0; k--)
                {
                    V.Store(F.Load(ref source, lane, scales), ref target);
                    source = ref Unsafe.Add(ref source, F.DepthBytes);
                    target = ref Unsafe.Add(ref target, TileOutputs);
                }
            }
        }
    }

    /// <summary>Asks for the next block of weights, a part of it before each tile: what is converted next then waits in the cache.</summary>
    private ref struct PanelStream
    {
        private readonly int _panelBytes;
        private readonly int _blockBytes;
        private readonly int _step;
        private ref byte _panel;
        private int _panels;
        private int _position;

        public PanelStream(PackedMatrix matrix, int panel, int panels, int depth, int parts)
        {
            // At the end of the panels' depth the next panels follow.
            bool ended = depth >= matrix.Columns;
            int first = ended ? 0 : depth;
            _panel = ref Unsafe.Add(ref matrix.Panel(panel + (ended ? panels : 0)), GroupStart(first));
            _panels = panels;
            _panelBytes = matrix.PanelBytes;
            _blockBytes = BytesOf(Math.Min(DepthBlock, matrix.Columns - first));
            _step = ((((panels * _blockBytes) + parts - 1) / parts) + CacheLine - 1) / CacheLine * CacheLine;
        }

        public void Prefetch()
        {
            for (int left = _step; left > 0 && _panels > 0; left -= CacheLine)
            {
                Runtime.Prefetch.Ahead(ref _panel, _position);
                _position += CacheLine;
                if (_position >= _blockBytes && --_panels > 0)
                {
                    _position = 0;
                    _panel = ref Unsafe.Add(ref _panel, _panelBytes);
                }
            }
        }
    }
}
