using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// Attention on decompressed keys and values: for each head, key tile by key tile, each decompressed once for all queries of the unit. Only a
/// tile is ever decompressed, never a whole context.
/// </summary>
internal sealed class DecompressedStage
{
    /// <summary>Queries that share a decompressed tile at most: their packed form and outputs are a thread's largest memory.</summary>
    private const int MostQueries = 4096;

    private readonly StepContext _step;
    private readonly Action<int, int> _attend;
    private BatchEntry[] _entries = [];
    private int[] _firstUnits = [];
    private int _entryCount;
    private int _unitCount;
    private LayerWeights _weights = null!;
    private Workspace _queries = null!;
    private Workspace _output = null!;

    public DecompressedStage(StepContext step)
    {
        _step = step;
        _attend = Attend;
    }

    private static ProjectionKernels Products => ProjectionKernels.Current;

    private MlaShape Shape => _step.Shape;

    private KernelLayout Layout => _step.Kernels.Layout;

    /// <summary>Forgets the entries of the last call.</summary>
    public void Clear() => _entryCount = _unitCount = 0;

    /// <summary>Adds an entry of the batch.</summary>
    public void Add(in BatchEntry entry)
    {
        if (_entries.Length == _entryCount)
        {
            Array.Resize(ref _entries, Math.Max(4, 2 * _entryCount));
            Array.Resize(ref _firstUnits, _entries.Length);
        }

        _entries[_entryCount] = entry;
        _firstUnits[_entryCount++] = _unitCount;
        _unitCount += Chunks(entry) * Shape.Heads;
    }

    /// <summary>Attends.</summary>
    /// <param name="weights">The layer's weights.</param>
    /// <param name="queries">Rotated, unscaled queries of the whole batch <c>[rows, heads, key]</c>.</param>
    /// <param name="output">Takes <c>[rows, heads, value]</c>.</param>
    public void Run(LayerWeights weights, Workspace queries, Workspace output)
    {
        if (_entryCount == 0)
        {
            return;
        }

        _weights = weights;
        _queries = queries;
        _output = output;
        _step.Run(_attend, _unitCount, long.MaxValue);
    }

    private static int Chunks(in BatchEntry entry) => (entry.Queries + MostQueries - 1) / MostQueries;

    private void Attend(int unit, int worker)
    {
        int index = Array.BinarySearch(_firstUnits, 0, _entryCount, unit);
        index = index < 0 ? ~index - 1 : index;
        BatchEntry entry = _entries[index];
        (int chunk, int head) = Math.DivRem(unit - _firstUnits[index], Shape.Heads);
        int firstQuery = chunk * MostQueries;
        int queries = Math.Min(MostQueries, entry.Queries - firstQuery);
        WorkerSpace space = _step.Worker(worker);
        PackQueries(entry.FirstRow + firstQuery, queries, head, space);
        int tiles = (queries + Layout.QueryTile - 1) / Layout.QueryTile;
        Initialise(tiles, space);

        int keys = entry.VisibleKeys(firstQuery + queries - 1);
        for (int firstKey = 0; firstKey < keys; firstKey += Layout.KeyTile)
        {
            int tokens = Math.Min(Layout.KeyTile, keys - firstKey);
            Decompress(entry.Sequence, firstKey, tokens, head, space);
            for (int tile = 0; tile < tiles; tile++)
            {
                AttendTile(entry, firstQuery, queries, tile, firstKey, tokens, space);
            }
        }

        Finish(entry.FirstRow + firstQuery, queries, head, space);
    }

    private int PaddedColumns(int queries) => (queries + Layout.QueryPanel - 1) / Layout.QueryPanel * Layout.QueryPanel;

    private void PackQueries(int firstRow, int queries, int head, WorkerSpace space)
    {
        int depth = Shape.QkHeadDim;
        int stride = Shape.Heads * depth;
        ref float packed = ref space.Queries.Reserve((long)PaddedColumns(queries) * depth);
        for (int first = 0; first < queries; first += Layout.QueryPanel)
        {
            PanelPacking.Pack(
                ref _queries.At(((long)(firstRow + first) * stride) + (head * depth)),
                stride,
                Math.Min(Layout.QueryPanel, queries - first),
                depth,
                _step.Definition.SoftmaxScale,
                ref Unsafe.Add(ref packed, first * depth),
                Layout.QueryPanel);
        }
    }

    private void Initialise(int tiles, WorkerSpace space)
    {
        int length = tiles * Layout.QueryTile;
        space.Output.Reserve((long)length * Shape.VHeadDim);
        space.Output.Span(0, length * Shape.VHeadDim).Clear();
        space.Statistics.Reserve(3L * length);
        space.Limits.Reserve(Layout.QueryTile);
        for (int tile = 0; tile < tiles; tile++)
        {
            space.Statistics.Span(3L * tile * Layout.QueryTile, Layout.QueryTile).Fill(float.NegativeInfinity);
            space.Statistics.Span(((3L * tile) + 1) * Layout.QueryTile, 2 * Layout.QueryTile).Clear();
        }
    }

    /// <summary>Keys <c>[tokens, nope + rotary]</c> and values <c>[tokens, value]</c> of a head from cached rows.</summary>
    private void Decompress(LatentSequence sequence, int firstKey, int tokens, int head, WorkerSpace space)
    {
        PackedMatrix matrix = _weights.KvBProj.Matrix;
        int elements = Shape.CacheRowElements;
        int keyLength = Shape.QkHeadDim;
        ref float rows = ref _step.Rows(sequence, firstKey, tokens, space.Rows);
        ref float keys = ref space.Keys.Reserve((long)Layout.KeyTile * keyLength);
        ref float values = ref space.Values.Reserve((long)Layout.KeyTile * Shape.VHeadDim);
        int keyPanel = head * (PackedMatrix.PanelsFor(Shape.QkNopeHeadDim) + PackedMatrix.PanelsFor(Shape.VHeadDim));
        int valuePanel = keyPanel + PackedMatrix.PanelsFor(Shape.QkNopeHeadDim);
        if (tokens < ProjectionKernels.TiledRows)
        {
            for (int token = 0; token < tokens; token++)
            {
                ref float row = ref Unsafe.Add(ref rows, token * elements);
                Products.MultiplyRow(matrix, keyPanel, ref row, space.Keys.Span(token * keyLength, Shape.QkNopeHeadDim));
                Products.MultiplyRow(matrix, valuePanel, ref row, space.Values.Span(token * Shape.VHeadDim, Shape.VHeadDim));
            }
        }
        else
        {
            ref float product = ref space.Product.Reserve(Products.ScratchLength);
            for (int first = 0; first < tokens; first += Products.ChunkRows)
            {
                int count = Math.Min(Products.ChunkRows, tokens - first);
                ref float packed = ref space.Packed.Reserve((long)Products.PackedWidth(count) * matrix.Columns);
                Products.Pack(ref Unsafe.Add(ref rows, first * elements), elements, count, matrix.Columns, ref packed);
                Products.MultiplyPacked(matrix, keyPanel, Shape.QkNopeHeadDim, ref packed, count, ref Unsafe.Add(ref keys, first * keyLength), keyLength, ref product);
                Products.MultiplyPacked(matrix, valuePanel, Shape.VHeadDim, ref packed, count, ref Unsafe.Add(ref values, first * Shape.VHeadDim), Shape.VHeadDim, ref product);
            }
        }

        int rotary = Shape.QkRopeHeadDim;
        for (int token = 0; token < tokens; token++)
        {
            MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref rows, (token * elements) + Shape.KvLoraRank), rotary)
                .CopyTo(space.Keys.Span((token * keyLength) + Shape.QkNopeHeadDim, rotary));
        }
    }

    private void AttendTile(in BatchEntry entry, int firstQuery, int queries, int tile, int firstKey, int tileKeys, WorkerSpace space)
    {
        int first = tile * Layout.QueryTile;
        int count = Math.Min(Layout.QueryTile, queries - first);
        int most = entry.VisibleKeys(firstQuery + first + count - 1) - firstKey;
        if (most <= 0)
        {
            return;
        }

        int tokens = Math.Min(tileKeys, most);
        bool masked = entry.VisibleKeys(firstQuery + first) - firstKey < tokens;
        int columns = PaddedColumns(count);
        if (masked)
        {
            Span<float> limits = space.Limits.Span(0, columns);
            for (int i = 0; i < columns; i++)
            {
                // Padding sees every key: its scores are zeros and its outputs are never read.
                limits[i] = i < count ? Math.Min(tokens, entry.VisibleKeys(firstQuery + first + i) - firstKey) : tokens;
            }
        }

        _step.Kernels.AttendTile(
            ref space.Keys.Start,
            ref space.Values.Start,
            tokens,
            ref space.Queries.At((long)first * Shape.QkHeadDim),
            columns,
            ref space.Limits.Start,
            masked,
            ref space.Scores.Reserve(Layout.TileScoreLength),
            ref space.Output.At((long)first * Shape.VHeadDim),
            ref space.Statistics.At(3L * first));
    }

    private void Finish(int firstRow, int queries, int head, WorkerSpace space)
    {
        int width = Shape.VHeadDim;
        for (int query = 0; query < queries; query++)
        {
            int tile = query / Layout.QueryTile;
            float sum = space.Statistics.At((((3L * tile) + 1) * Layout.QueryTile) + (query % Layout.QueryTile));
            Span<float> values = space.Output.Span((long)query * width, width);
            Products.Scale(values, 1 / sum);
            values.CopyTo(_output.Span((((long)(firstRow + query) * Shape.Heads) + head) * width, width));
        }
    }
}
