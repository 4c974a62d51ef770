using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// Products of rows with a packed matrix, for one tier. One row streams the panels; many rows go through register tiles.
/// </summary>
/// <remarks>
/// Both ways give an output the same bits: its products are summed in blocks of <see cref="ProjectionKernels.DepthBlock"/>, in order within a block, and the
/// blocks in order. Sums of blocks also keep the rounding error of a long sum at that of a short one.
/// </remarks>
/// <typeparam name="V">Vector of the tier.</typeparam>
internal sealed class ProjectionKernels<V> : ProjectionKernels
    where V : struct, ILanes<V>
{
    /// <summary>Vectors whose sums run beside each other when one row streams the panels: enough to hide the latency of an addition.</summary>
    private const int StripVectors = 8;

    /// <summary>Bytes of a panel that are asked for ahead of their use, beyond the page at whose end the processor's own prefetching stops.</summary>
    private const int StripPrefetch = 2048;

    /// <summary>Rows of a register tile: 24 accumulators fit 32 registers, 12 fit 16.</summary>
    private static int TileRows => V.Count is 16 or 4 ? 12 : 6;

    /// <summary>Inputs that stand beside each other in a packed tile.</summary>
    private static int TileWidth => V.Count is 16 or 4 ? 12 : 8;

    private static int TileOutputs => 2 * V.Count;

    public override int PackedWidth(int rows) => (rows + TileRows - 1) / TileRows * TileWidth;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void PackBlock(ref readonly float rows, nint stride, int count, int depth, ref float packed)
    {
        ref float source = ref Unsafe.AsRef(in rows);
        for (int row = 0; row < count; row += TileRows)
        {
            PanelPacking.Pack(ref Unsafe.Add(ref source, row * stride), stride, Math.Min(TileRows, count - row), depth, 1f, ref packed, TileWidth);
            packed = ref Unsafe.Add(ref packed, depth * TileWidth);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void MultiplyPacked(PackedMatrix matrix, int firstPanel, int outputs, ref readonly float packed, int rows, ref float result, nint stride, ref float scratch, bool wholeTiles)
    {
        switch (matrix.Type)
        {
            case TensorType.BFloat16:
                MultiplyPacked<BFloat16Weight>(matrix, firstPanel, outputs, in packed, rows, ref result, stride, ref scratch, wholeTiles);
                break;
            case TensorType.Float16:
                MultiplyPacked<Float16Weight>(matrix, firstPanel, outputs, in packed, rows, ref result, stride, ref scratch, wholeTiles);
                break;
            default:
                MultiplyPacked<Float32Weight>(matrix, firstPanel, outputs, in packed, rows, ref result, stride, ref scratch, wholeTiles);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void MultiplyRow(PackedMatrix matrix, int firstPanel, ref readonly float row, Span<float> result)
    {
        switch (matrix.Type)
        {
            case TensorType.BFloat16:
                MultiplyRow<BFloat16Weight>(matrix, firstPanel, in row, result);
                break;
            case TensorType.Float16:
                MultiplyRow<Float16Weight>(matrix, firstPanel, in row, result);
                break;
            default:
                MultiplyRow<Float32Weight>(matrix, firstPanel, in row, result);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void MultiplyTransposed(PackedMatrix matrix, int firstPanel, ref readonly float row, int panels, Span<float> result)
    {
        switch (matrix.Type)
        {
            case TensorType.BFloat16:
                MultiplyTransposed<BFloat16Weight>(matrix, firstPanel, in row, panels, result);
                break;
            case TensorType.Float16:
                MultiplyTransposed<Float16Weight>(matrix, firstPanel, in row, panels, result);
                break;
            default:
                MultiplyTransposed<Float32Weight>(matrix, firstPanel, in row, panels, result);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyPacked<W>(PackedMatrix matrix, int firstPanel, int outputs, ref readonly float packed, int rows, ref float result, nint stride, ref float scratch, bool wholeTiles)
        where W : struct, IWeightElement
    {
        int depth = matrix.Columns;
        int tiles = (rows + TileRows - 1) / TileRows;
        ref float weights = ref scratch;
        const int MostOutputs = TiledPanels * PackedMatrix.PanelWidth;
        int sumStride = wholeTiles ? (int)stride : MostOutputs;
        for (int firstOutput = 0; firstOutput < outputs; firstOutput += MostOutputs)
        {
            // Results far apart would crowd a few sets of the cache while they are summed up.
            ref float target = ref Unsafe.Add(ref result, firstOutput);
            ref float sums = ref wholeTiles ? ref target : ref Unsafe.Add(ref scratch, DepthBlock * MostOutputs);
            int count = Math.Min(MostOutputs, outputs - firstOutput);
            int panels = PackedMatrix.PanelsFor(count);
            int panel = firstPanel + (firstOutput / PackedMatrix.PanelWidth);

            // The last vector pair may reach into a panel that is not there: an even number of panels is summed, the surplus is never read.
            int pairs = ((panels * PackedMatrix.PanelWidth) + TileOutputs - 1) / TileOutputs;
            ref float inputs = ref Unsafe.AsRef(in packed);
            for (int first = 0; first < depth; first += DepthBlock)
            {
                int block = Math.Min(DepthBlock, depth - first);
                for (int pair = 0; pair < pairs; pair++)
                {
                    Widen<W>(matrix, panel, panels, pair, first, block, ref Unsafe.Add(ref weights, pair * block * TileOutputs));
                }

                var next = new PanelStream<W>(matrix, panel, panels, first + block, tiles * pairs);
                for (int tile = 0; tile < tiles; tile++)
                {
                    for (int pair = 0; pair < pairs; pair++)
                    {
                        ref float w = ref Unsafe.Add(ref weights, pair * block * TileOutputs);
                        ref float y = ref Unsafe.Add(ref sums, (tile * TileRows * sumStride) + (pair * TileOutputs));
                        next.Prefetch();
                        int left = rows - (tile * TileRows);
                        if (left <= TileRows - 4)
                        {
                            for (int row = 0; row < left; row += 4)
                            {
                                ProjectionTiles.Multiply4<V>(ref Unsafe.Add(ref inputs, row), TileWidth, ref w, block, ref Unsafe.Add(ref y, row * sumStride), sumStride, first > 0);
                            }
                        }
                        else if (TileRows == 12)
                        {
                            ProjectionTiles.Multiply12<V>(ref inputs, TileWidth, ref w, block, ref y, sumStride, first > 0);
                        }
                        else
                        {
                            ProjectionTiles.Multiply6<V>(ref inputs, TileWidth, ref w, block, ref y, sumStride, first > 0);
                        }
                    }

                    inputs = ref Unsafe.Add(ref inputs, block * TileWidth);
                }
            }

            for (int row = 0; row < rows && !wholeTiles; row++)
            {
                MemoryMarshal.CreateSpan(ref Unsafe.Add(ref sums, row * sumStride), count)
                    .CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.Add(ref target, row * stride), count));
            }
        }
    }

    /// <summary>Asks for the next block of weights, a part of it before each tile: what is converted next then waits in the cache.</summary>
    private ref struct PanelStream<W>
        where W : struct, IWeightElement
    {
        private const int CacheLine = 64;

        private readonly int _panelBytes;
        private readonly int _blockBytes;
        private readonly int _step;
        private readonly ref byte _start;
        private readonly int _end;
        private int _position;

        public PanelStream(PackedMatrix matrix, int panel, int panels, int depth, int parts)
        {
            // At the end of the panels' depth the next panels follow.
            bool ended = depth >= matrix.Columns;
            int first = ended ? 0 : depth;
            _start = ref Unsafe.Add(ref matrix.Panel(panel + (ended ? panels : 0)), first * PackedMatrix.PanelWidth * W.Bytes);
            _panelBytes = matrix.PanelBytes;
            _blockBytes = Math.Min(DepthBlock, matrix.Columns - first) * PackedMatrix.PanelWidth * W.Bytes;
            _end = panels * _blockBytes;
            _step = (((_end + parts - 1) / parts) + CacheLine - 1) / CacheLine * CacheLine;
        }

        public void Prefetch()
        {
            for (int end = Math.Min(_position + _step, _end); _position < end; _position += CacheLine)
            {
                (int panel, int offset) = Math.DivRem(_position, _blockBytes);
                Runtime.Prefetch.Ahead(ref _start, ((nint)panel * _panelBytes) + offset);
            }
        }
    }

    /// <summary>Writes two vectors of outputs of each depth as floats, <c>[depth][2 vectors]</c>: converted once for all rows of a chunk.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Widen<W>(PackedMatrix matrix, int firstPanel, int panels, int pair, int first, int block, ref float widened)
        where W : struct, IWeightElement
    {
        for (int half = 0; half < 2; half++)
        {
            int output = (pair * TileOutputs) + (half * V.Count);
            int panel = output / PackedMatrix.PanelWidth;
            if (panel >= panels)
            {
                for (int k = 0; k < block; k++)
                {
                    V.Store(V.Zero, ref Unsafe.Add(ref widened, (k * TileOutputs) + (half * V.Count)));
                }

                continue;
            }

            int lane = output % PackedMatrix.PanelWidth;
            ref byte source = ref Unsafe.Add(ref matrix.Panel(firstPanel + panel), ((first * PackedMatrix.PanelWidth) + lane) * W.Bytes);
            for (int k = 0; k < block; k++)
            {
                V.Store(W.Load<V>(ref Unsafe.Add(ref source, k * PackedMatrix.PanelWidth * W.Bytes)), ref Unsafe.Add(ref widened, (k * TileOutputs) + (half * V.Count)));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyRow<W>(PackedMatrix matrix, int firstPanel, ref readonly float row, Span<float> result)
        where W : struct, IWeightElement
    {
        int vectors = PackedMatrix.PanelsFor(result.Length) * PackedMatrix.PanelWidth / V.Count;
        Span<float> sums = stackalloc float[StripVectors * V.Count];
        for (int vector = 0; vector < vectors;)
        {
            int count = vectors - vector >= StripVectors ? StripVectors : 1;
            if (count == StripVectors)
            {
                Strip<W>(matrix, firstPanel, vector, in row, ref MemoryMarshal.GetReference(sums));
            }
            else
            {
                Single<W>(matrix, firstPanel, vector, in row, ref MemoryMarshal.GetReference(sums));
            }

            int output = vector * V.Count;
            int length = Math.Min(count * V.Count, result.Length - output);
            if (length > 0)
            {
                sums[..length].CopyTo(result[output..]);
            }

            vector += count;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static nint Offset<W>(PackedMatrix matrix, int vector)
        where W : struct, IWeightElement
    {
        int output = vector * V.Count;
        return ((nint)(output / PackedMatrix.PanelWidth) * matrix.PanelBytes) + (output % PackedMatrix.PanelWidth * W.Bytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Strip<W>(PackedMatrix matrix, int firstPanel, int vector, ref readonly float row, ref float sums)
        where W : struct, IWeightElement
    {
        ref float x = ref Unsafe.AsRef(in row);
        ref byte w = ref Unsafe.Add(ref matrix.Panel(firstPanel), Offset<W>(matrix, vector));
        nint o1 = Offset<W>(matrix, vector + 1) - Offset<W>(matrix, vector);
        nint o2 = Offset<W>(matrix, vector + 2) - Offset<W>(matrix, vector);
        nint o3 = Offset<W>(matrix, vector + 3) - Offset<W>(matrix, vector);
        nint o4 = Offset<W>(matrix, vector + 4) - Offset<W>(matrix, vector);
        nint o5 = Offset<W>(matrix, vector + 5) - Offset<W>(matrix, vector);
        nint o6 = Offset<W>(matrix, vector + 6) - Offset<W>(matrix, vector);
        nint o7 = Offset<W>(matrix, vector + 7) - Offset<W>(matrix, vector);
        V total0 = V.Zero, total1 = V.Zero, total2 = V.Zero, total3 = V.Zero, total4 = V.Zero, total5 = V.Zero, total6 = V.Zero, total7 = V.Zero;
        for (int left = matrix.Columns; left > 0; left -= DepthBlock)
        {
            V sum0 = V.Zero, sum1 = V.Zero, sum2 = V.Zero, sum3 = V.Zero, sum4 = V.Zero, sum5 = V.Zero, sum6 = V.Zero, sum7 = V.Zero;
            for (int k = Math.Min(DepthBlock, left); k > 0; k--)
            {
                V input = V.Broadcast(x);
                sum0 = V.MultiplyAdd(input, W.Load<V>(ref w), sum0);
                sum1 = V.MultiplyAdd(input, W.Load<V>(ref Unsafe.Add(ref w, o1)), sum1);
                sum2 = V.MultiplyAdd(input, W.Load<V>(ref Unsafe.Add(ref w, o2)), sum2);
                sum3 = V.MultiplyAdd(input, W.Load<V>(ref Unsafe.Add(ref w, o3)), sum3);
                sum4 = V.MultiplyAdd(input, W.Load<V>(ref Unsafe.Add(ref w, o4)), sum4);
                sum5 = V.MultiplyAdd(input, W.Load<V>(ref Unsafe.Add(ref w, o5)), sum5);
                sum6 = V.MultiplyAdd(input, W.Load<V>(ref Unsafe.Add(ref w, o6)), sum6);
                sum7 = V.MultiplyAdd(input, W.Load<V>(ref Unsafe.Add(ref w, o7)), sum7);
                Prefetch.Ahead(ref w, StripPrefetch);
                Prefetch.Ahead(ref w, o1 + StripPrefetch);
                Prefetch.Ahead(ref w, o2 + StripPrefetch);
                Prefetch.Ahead(ref w, o3 + StripPrefetch);
                Prefetch.Ahead(ref w, o4 + StripPrefetch);
                Prefetch.Ahead(ref w, o5 + StripPrefetch);
                Prefetch.Ahead(ref w, o6 + StripPrefetch);
                Prefetch.Ahead(ref w, o7 + StripPrefetch);
                x = ref Unsafe.Add(ref x, 1);
                w = ref Unsafe.Add(ref w, PackedMatrix.PanelWidth * W.Bytes);
            }

            total0 = V.Add(total0, sum0);
            total1 = V.Add(total1, sum1);
            total2 = V.Add(total2, sum2);
            total3 = V.Add(total3, sum3);
            total4 = V.Add(total4, sum4);
            total5 = V.Add(total5, sum5);
            total6 = V.Add(total6, sum6);
            total7 = V.Add(total7, sum7);
        }

        V.Store(total0, ref sums);
        V.Store(total1, ref Unsafe.Add(ref sums, V.Count));
        V.Store(total2, ref Unsafe.Add(ref sums, 2 * V.Count));
        V.Store(total3, ref Unsafe.Add(ref sums, 3 * V.Count));
        V.Store(total4, ref Unsafe.Add(ref sums, 4 * V.Count));
        V.Store(total5, ref Unsafe.Add(ref sums, 5 * V.Count));
        V.Store(total6, ref Unsafe.Add(ref sums, 6 * V.Count));
        V.Store(total7, ref Unsafe.Add(ref sums, 7 * V.Count));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Single<W>(PackedMatrix matrix, int firstPanel, int vector, ref readonly float row, ref float sums)
        where W : struct, IWeightElement
    {
        ref float x = ref Unsafe.AsRef(in row);
        ref byte w = ref Unsafe.Add(ref matrix.Panel(firstPanel), Offset<W>(matrix, vector));
        V total = V.Zero;
        for (int left = matrix.Columns; left > 0; left -= DepthBlock)
        {
            V sum = V.Zero;
            for (int k = Math.Min(DepthBlock, left); k > 0; k--)
            {
                sum = V.MultiplyAdd(V.Broadcast(x), W.Load<V>(ref w), sum);
                x = ref Unsafe.Add(ref x, 1);
                w = ref Unsafe.Add(ref w, PackedMatrix.PanelWidth * W.Bytes);
            }

            total = V.Add(total, sum);
        }

        V.Store(total, ref sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyTransposed<W>(PackedMatrix matrix, int firstPanel, ref readonly float row, int panels, Span<float> result)
        where W : struct, IWeightElement
    {
        ref float inputs = ref Unsafe.AsRef(in row);
        ref byte block = ref matrix.Panel(firstPanel);
        int panelBytes = matrix.PanelBytes;
        const int Together = 4;
        Span<float> sums = stackalloc float[Together];
        int count = Math.Min(Together, result.Length);
        nint o1 = Math.Min(1, count - 1) * PackedMatrix.PanelWidth * W.Bytes;
        nint o2 = Math.Min(2, count - 1) * PackedMatrix.PanelWidth * W.Bytes;
        nint o3 = Math.Min(3, count - 1) * PackedMatrix.PanelWidth * W.Bytes;
        for (int next = 0; next < result.Length; next += Together)
        {
            // Four at a time: the sums across lanes then come as one vector. The last four move back over those before.
            int k = Math.Min(next, result.Length - count);
            ref byte w = ref Unsafe.Add(ref block, k * PackedMatrix.PanelWidth * W.Bytes);
            ref float x = ref inputs;
            V sum0 = V.Zero, sum1 = V.Zero, sum2 = V.Zero, sum3 = V.Zero;
            for (int panel = 0; panel < panels; panel++)
            {
                for (int lane = 0; lane < PackedMatrix.PanelWidth; lane += V.Count)
                {
                    V input = V.Load(ref Unsafe.Add(ref x, lane));
                    ref byte weight = ref Unsafe.Add(ref w, lane * W.Bytes);
                    sum0 = V.MultiplyAdd(input, W.Load<V>(ref weight), sum0);
                    sum1 = V.MultiplyAdd(input, W.Load<V>(ref Unsafe.Add(ref weight, o1)), sum1);
                    sum2 = V.MultiplyAdd(input, W.Load<V>(ref Unsafe.Add(ref weight, o2)), sum2);
                    sum3 = V.MultiplyAdd(input, W.Load<V>(ref Unsafe.Add(ref weight, o3)), sum3);
                }

                x = ref Unsafe.Add(ref x, PackedMatrix.PanelWidth);
                w = ref Unsafe.Add(ref w, panelBytes);
            }

            V.StoreSums(sum0, sum1, sum2, sum3, ref MemoryMarshal.GetReference(sums));
            sums[..count].CopyTo(result[k..]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Fold(Span<float> sum, float keep, ReadOnlySpan<float> part, float take)
    {
        ref float s = ref MemoryMarshal.GetReference(sum);
        ref float p = ref MemoryMarshal.GetReference(part[..sum.Length]);
        int i = 0;
        for (; i + V.Count <= sum.Length; i += V.Count)
        {
            V taken = V.Multiply(V.Load(ref Unsafe.Add(ref p, i)), V.Broadcast(take));
            V.Store(V.MultiplyAdd(V.Load(ref Unsafe.Add(ref s, i)), V.Broadcast(keep), taken), ref Unsafe.Add(ref s, i));
        }

        for (; i < sum.Length; i++)
        {
            sum[i] = float.MultiplyAddEstimate(sum[i], keep, part[i] * take);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Scale(ReadOnlySpan<float> values, float factor, Span<float> result)
    {
        ref float v = ref MemoryMarshal.GetReference(values);
        ref float r = ref MemoryMarshal.GetReference(result[..values.Length]);
        int i = 0;
        for (; i + V.Count <= values.Length; i += V.Count)
        {
            V.Store(V.Multiply(V.Load(ref Unsafe.Add(ref v, i)), V.Broadcast(factor)), ref Unsafe.Add(ref r, i));
        }

        for (; i < values.Length; i++)
        {
            result[i] = values[i] * factor;
        }
    }
}
