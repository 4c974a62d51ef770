using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>
/// Attention on decompressed keys and values: for a few heads at a time, key tile by key tile, each decompressed once for all queries of the
/// unit. Only a tile is ever decompressed, never a whole context.
/// </summary>
internal sealed class DecompressedStage
{
    /// <summary>Queries that share a decompressed tile at most: their packed form and outputs are a thread's largest memory.</summary>
    private const int MostQueries = 4096;

    /// <summary>Heads that share a key tile's rows at most, decoded and packed: beyond a few there is little left to save.</summary>
    private const int MostHeads = 4;

    /// <summary>Units for each thread that are few enough to cost little and many enough to share out evenly.</summary>
    private const int UnitsPerThread = 8;

    private readonly StepContext _step;
    private readonly DecompressedCore _core;
    private readonly KeyTiles _tiles;
    private readonly RowReader _reader;
    private readonly Action<int, int> _attend;
    private BatchEntry[] _entries = [];
    private int[] _firstUnits = [];
    private int _entryCount;
    private int _unitCount;
    private int _groupHeads;
    private LayerWeights _weights = null!;
    private Workspace _queries = null!;
    private Workspace _output = null!;

    public DecompressedStage(StepContext step, DecompressedCore core)
    {
        _step = step;
        _core = core;
        _tiles = KeyTiles.Of(step, core);
        _reader = RowReader.Create(core.Operand, step.Batch.Pool, Layout.KeyTile, prefetchTokens: 0);
        _attend = Attend;
    }

    private MlaShape Shape => _step.Shape;

    private DecompressedLayout Layout => _core.Layout;

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

        // Counted as if each head were a unit of its own.
        long units = _unitCount + ((long)Chunks(entry.Queries) * Shape.Heads);
        if (units > int.MaxValue)
        {
            throw new InsufficientMemoryException(FormattableString.Invariant(
                $"The step's sequences, each with {Counted.Of(Shape.Heads, "head")} to decompress, make {units} units of work; {int.MaxValue} can be counted. It needs fewer sequences."));
        }

        _entries[_entryCount++] = entry;
        _unitCount = (int)units;
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
        _groupHeads = GroupHeads(_unitCount);
        PlanUnits();
        ReserveWorkers(_unitCount, MostRows());
        _step.Run(_attend, _unitCount, long.MaxValue, apart: _core.Target == CoreTarget.Amx);
    }

    /// <summary>Takes the memory for an entry of so many rows.</summary>
    public void Reserve(int rows)
    {
        int units = Chunks(rows) * Shape.Heads;
        _groupHeads = GroupHeads(units);
        ReserveWorkers(units, rows);
    }

    /// <summary>As many heads share a unit as still leave enough units for the threads: what a head computes does not depend on it.</summary>
    private int GroupHeads(int unitsOfOneHead) => Math.Clamp(unitsOfOneHead / (UnitsPerThread * _step.Threads), 1, MostHeads);

    private void PlanUnits()
    {
        _unitCount = 0;
        for (int i = 0; i < _entryCount; i++)
        {
            _firstUnits[i] = _unitCount;
            _unitCount += Chunks(_entries[i].Queries) * Groups;
        }
    }

    /// <summary>Rows of the longest entry.</summary>
    private int MostRows()
    {
        int rows = 0;
        for (int i = 0; i < _entryCount; i++)
        {
            rows = Math.Max(rows, _entries[i].Queries);
        }

        return rows;
    }

    private void ReserveWorkers(int units, int queries)
    {
        long columns = (long)_groupHeads * Tiles(Math.Min(MostQueries, queries)) * Layout.QueryTile;
        foreach (WorkerSpace space in _step.WorkersOf(units))
        {
            space.Queries.Reserve(columns * QueryFloats);
            space.Output.Reserve(columns * SumFloats);
            space.Statistics.Reserve(3 * columns);
            space.Limits.Reserve(Layout.QueryTile);
            space.Apart.Reserve(ApartOutputs + (3 * Layout.QueryTile));
            space.Scores.Reserve(Layout.ScoreLength);
            space.Keys.Reserve((long)Layout.KeyTile * Layout.KeyStride);
            space.Values.Reserve(_core.ValueLength);
            _tiles.Reserve(space, _groupHeads);
            _reader.Reserve(space.Rows, onlyRanges: true);
        }
    }

    /// <summary>Floats of a panel's outputs in <see cref="WorkerSpace.Apart"/>; its statistics follow.</summary>
    private int ApartOutputs => Layout.QueryPanel * SumFloats;

    private int QueryFloats => _core.QueryFloats(Shape);

    private int SumFloats => _core.SumFloats(Shape);

    private int Tiles(int queries) => (queries + Layout.QueryTile - 1) / Layout.QueryTile;

    private int Groups => (Shape.Heads + _groupHeads - 1) / _groupHeads;

    private static int Chunks(int queries) => (int)(((long)queries + MostQueries - 1) / MostQueries);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Attend(int unit, int worker)
    {
        int index = Array.BinarySearch(_firstUnits, 0, _entryCount, unit);
        index = index < 0 ? ~index - 1 : index;
        BatchEntry entry = _entries[index];
        (int chunk, int group) = Math.DivRem(unit - _firstUnits[index], Groups);
        int firstHead = group * _groupHeads;
        int heads = Math.Min(_groupHeads, Shape.Heads - firstHead);
        int firstQuery = chunk * MostQueries;
        int queries = Math.Min(MostQueries, entry.Queries - firstQuery);
        WorkerSpace space = _step.Worker(worker);
        int tiles = Tiles(queries);
        PackedMatrix matrix = _weights.KvBProj.Matrix;
        PackQueries(entry.FirstRow + firstQuery, queries, firstHead, heads, tiles, space);
        _tiles.TakeHeads(matrix, firstHead, heads, space);
        Initialise(heads * tiles, space);

        var keys = KeySource.Range(entry.Sequence, entry.VisibleKeys(firstQuery + queries - 1));
        for (int firstKey = 0; firstKey < keys.Count; firstKey += Layout.KeyTile)
        {
            int tokens = Math.Min(Layout.KeyTile, keys.Count - firstKey);
            ref byte rows = ref _tiles.TakeRows(ref _reader.Rows(keys, _step.Layer, firstKey, tokens, space.Rows), tokens, space);
            for (int head = 0; head < heads; head++)
            {
                _tiles.Decompress(matrix, ref rows, tokens, firstHead, head, space);
                for (int tile = 0; tile < tiles; tile++)
                {
                    AttendTile(entry, firstQuery, queries, tile, (head * tiles) + tile, firstKey, tokens, space);
                }
            }
        }

        Finish(entry.FirstRow + firstQuery, queries, firstHead, heads, tiles, space);
    }

    private int PaddedColumns(int queries) => (queries + Layout.QueryPanel - 1) / Layout.QueryPanel * Layout.QueryPanel;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void PackQueries(int firstRow, int queries, int firstHead, int heads, int tiles, WorkerSpace space)
    {
        int depth = Shape.QkHeadDim;
        int stride = Shape.Heads * depth;

        // Heads within, because they lie beside each other in a row: rows are far apart.
        for (int first = 0; first < queries; first += Layout.QueryPanel)
        {
            for (int head = 0; head < heads; head++)
            {
                _tiles.PackQueries(
                    ref _queries.At(((long)(firstRow + first) * stride) + ((firstHead + head) * depth)),
                    stride,
                    Math.Min(Layout.QueryPanel, queries - first),
                    _step.Definition.SoftmaxScale,
                    ref space.Queries.At((((long)head * tiles * Layout.QueryTile) + first) * QueryFloats),
                    space);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Initialise(int tiles, WorkerSpace space)
    {
        int length = tiles * Layout.QueryTile;
        space.Output.Span(0, length * SumFloats).Clear();
        for (int tile = 0; tile < tiles; tile++)
        {
            space.Statistics.Span(3L * tile * Layout.QueryTile, Layout.QueryTile).Fill(float.NegativeInfinity);
            space.Statistics.Span(((3L * tile) + 1) * Layout.QueryTile, 2 * Layout.QueryTile).Clear();
        }
    }

    /// <summary>Attends a tile of queries to a tile of keys.</summary>
    /// <param name="entry">Whose tokens they are.</param>
    /// <param name="firstQuery">First query of the unit.</param>
    /// <param name="queries">Queries of the unit.</param>
    /// <param name="tile">Tile of queries within the unit.</param>
    /// <param name="place">Where the tile's queries, outputs and statistics stand: heads lie behind each other.</param>
    /// <param name="firstKey">First key of the tile.</param>
    /// <param name="tileKeys">Keys of the tile.</param>
    /// <param name="space">Memory of the thread.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AttendTile(in BatchEntry entry, int firstQuery, int queries, int tile, int place, int firstKey, int tileKeys, WorkerSpace space)
    {
        int first = tile * Layout.QueryTile;
        int count = Math.Min(Layout.QueryTile, queries - first);
        if (Visible(entry, firstQuery + first, firstKey, tileKeys) == tileKeys)
        {
            AttendColumns(place, 0, PaddedColumns(count), tileKeys, masked: false, space);
            return;
        }

        // Where the diagonal passes, each panel of queries leaves out the keys that none of its own may see.
        for (int panel = 0; panel < count; panel += Layout.QueryPanel)
        {
            int last = Math.Min(panel + Layout.QueryPanel, count) - 1;
            int tokens = Visible(entry, firstQuery + first + last, firstKey, tileKeys);
            int seenByAll = Visible(entry, firstQuery + first + panel, firstKey, tokens);
            if (!_tiles.AreValuesFinite(seenByAll, tokens, space))
            {
                for (int column = panel; column <= last; column++)
                {
                    AttendApart(place, column, panel, Visible(entry, firstQuery + first + column, firstKey, tokens), space);
                }
            }
            else if (tokens > 0)
            {
                Span<float> limits = space.Limits.Span(panel, Layout.QueryPanel);
                for (int i = 0; i < limits.Length; i++)
                {
                    // Padding sees every key: its scores are zeros and its outputs are never read.
                    limits[i] = panel + i <= last ? Visible(entry, firstQuery + first + panel + i, firstKey, tokens) : tokens;
                }

                AttendColumns(place, panel, Layout.QueryPanel, tokens, masked: true, space);
            }
        }
    }

    /// <summary>Keys of a tile that a query may see.</summary>
    private static int Visible(in BatchEntry entry, int query, int firstKey, int tileKeys) => Math.Clamp(entry.VisibleKeys(query) - firstKey, 0, tileKeys);

    /// <summary>
    /// Attends one query of a panel to the keys that it sees and to no other: what is not finite must not reach those before it. The others of
    /// its panel are computed beside it, as always, and thrown away; its own bits are those that it has anywhere.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AttendApart(int place, int query, int panel, int tokens, WorkerSpace space)
    {
        if (tokens == 0)
        {
            return;
        }

        int column = query - panel;
        long firstOutput = ((long)place * Layout.QueryTile) + panel;
        ref float sums = ref space.Output.At(firstOutput * SumFloats);
        ref float apart = ref space.Apart.Start;
        long statistics = (3L * place * Layout.QueryTile) + query;
        _tiles.CopySums(column, ref sums, ref apart);
        for (int i = 0; i < 3; i++)
        {
            space.Apart.At(ApartOutputs + (i * Layout.QueryTile) + column) = space.Statistics.At(statistics + ((long)i * Layout.QueryTile));
        }

        Attend(firstOutput, Layout.QueryPanel, tokens, ref _tiles.ValuesBefore(tokens, space), masked: false, ref space.Limits.Start, ref apart, ref space.Apart.At(ApartOutputs), space);

        _tiles.CopySums(column, ref apart, ref sums);
        for (int i = 0; i < 3; i++)
        {
            space.Statistics.At(statistics + ((long)i * Layout.QueryTile)) = space.Apart.At(ApartOutputs + (i * Layout.QueryTile) + column);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AttendColumns(int place, int first, int columns, int tokens, bool masked, WorkerSpace space)
    {
        long column = ((long)place * Layout.QueryTile) + first;
        Attend(
            column,
            columns,
            tokens,
            ref Unsafe.As<float, byte>(ref space.Values.Start),
            masked,
            ref space.Limits.At(first),
            ref space.Output.At(column * SumFloats),
            ref space.Statistics.At((3L * place * Layout.QueryTile) + first),
            space);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Attend(long column, int columns, int tokens, ref byte values, bool masked, ref float limits, ref float sums, ref float statistics, WorkerSpace space)
    {
        var tile = new DecompressedTile
        {
            Keys = ref Unsafe.As<float, byte>(ref space.Keys.Start),
            Values = ref values,
            Tokens = tokens,
            Queries = ref Unsafe.As<float, byte>(ref space.Queries.At(column * QueryFloats)),
            Columns = columns,
            Limits = ref limits,
            Masked = masked,
            Scores = ref space.Scores.Start,
            Sums = ref sums,
            Statistics = ref statistics,
        };
        _core.Attend(ref tile);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Finish(int firstRow, int queries, int firstHead, int heads, int tiles, WorkerSpace space)
    {
        int width = Shape.VHeadDim;
        for (int tile = 0; tile < tiles; tile++)
        {
            int first = tile * Layout.QueryTile;
            Span<float> shares = space.Limits.Span(0, Math.Min(Layout.QueryTile, queries - first));
            for (int head = 0; head < heads; head++)
            {
                int place = (head * tiles) + tile;
                float sink = _weights.Sinks is null ? float.NegativeInfinity : _weights.Sinks.Values[firstHead + head];
                for (int column = 0; column < shares.Length; column++)
                {
                    long statistics = (3L * place * Layout.QueryTile) + column;
                    shares[column] = AttentionSums.Share(space.Statistics.At(statistics), space.Statistics.At(statistics + Layout.QueryTile), sink);
                }

                _tiles.Divide(
                    ref space.Output.At((long)place * Layout.QueryTile * SumFloats),
                    shares,
                    ref _output.At((((long)(firstRow + first) * Shape.Heads) + firstHead + head) * width),
                    (nint)Shape.Heads * width);
            }
        }
    }
}
