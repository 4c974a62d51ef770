using System.Runtime.InteropServices;
using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>
/// Attention on decompressed keys and values: for a few heads at a time, key tile by key tile, each decompressed once for all queries of the
/// unit. Only a tile is ever decompressed, never a whole context. Of queries that select, a tile is what any of a unit's attends to, and each panel of
/// them takes of it what any of its own does: the rest is hidden from a query, as later keys are, and moves no bit of its sums.
/// </summary>
internal sealed class DecompressedStage
{
    /// <summary>Queries that share a decompressed tile at most: their packed form and outputs are a thread's largest memory.</summary>
    private const int MostQueries = 4096;

    /// <summary>Heads that share a key tile's rows at most, decoded and packed: beyond a few there is little left to save.</summary>
    private const int MostHeads = 4;

    /// <summary>A panel's keys are brought together if more than one in so many is none of its own: a key is copied in about an eighth of the time that attending to it takes.</summary>
    private const int LeastUnseen = 8;

    /// <summary>Units for each thread that are few enough to cost little and many enough to share out evenly.</summary>
    private const int UnitsPerThread = 8;

    private const int LineFloats = 16;

    private readonly StepContext _step;
    private readonly DecompressedCore _core;
    private readonly RotaryPositions _positions;
    private readonly KeyTiles _tiles;
    private readonly RowReader _reader;
    private readonly Action<int, int> _attend;
    private readonly SelectionMasks _masks;
    private readonly TileSelection[] _selections;
    private Part[] _parts = [];
    private int[] _firstUnits = [];
    private int _partCount;
    private int _unitCount;
    private int _groupHeads;
    private LayerWeights _weights = null!;
    private Workspace _queries = null!;
    private Workspace _output = null!;

    public DecompressedStage(StepContext step, DecompressedCore core, RotaryPositions positions)
    {
        _step = step;
        _core = core;
        _positions = positions;
        _tiles = KeyTiles.Of(step, core);
        _reader = RowReader.Create(core.Operand, step.Batch.Pool, Layout.KeyTile, prefetchTokens: 0);
        _attend = Attend;
        _masks = new SelectionMasks(step, Layout.QueryPanel);
        _selections = new TileSelection[step.Threads];
        for (int i = 0; i < _selections.Length; i++)
        {
            _selections[i] = new TileSelection(_masks, Layout.KeyTile, Layout.QueryPanel);
        }
    }

    private MlaShape Shape => _step.Shape;

    private DecompressedLayout Layout => _core.Layout;

    /// <summary>Forgets the entries of the last call.</summary>
    public void Clear()
    {
        _partCount = _unitCount = 0;
        _masks.Clear();
    }

    /// <summary>Adds an entry of the batch.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="selection">Which of the keys that its rows see they attend to, each of them some; null for all of them.</param>
    public void Add(in BatchEntry entry, TokenSelection? selection = null)
    {
        if (_parts.Length == _partCount)
        {
            Array.Resize(ref _parts, Math.Max(4, 2 * _partCount));
            Array.Resize(ref _firstUnits, _parts.Length);
        }

        // Counted as if each head were a unit of its own.
        long units = _unitCount + ((long)Chunks(entry.Queries) * Shape.Heads);
        if (units > int.MaxValue)
        {
            throw new InsufficientMemoryException(FormattableString.Invariant(
                $"The step's sequences, each with {Counted.Of(Shape.Heads, "head")} to decompress, make {units} units of work; {int.MaxValue} can be counted. It needs fewer sequences."));
        }

        _parts[_partCount++] = new Part(entry, selection, selection is null ? 0 : _masks.Add(entry, selection));
        _unitCount = (int)units;
    }

    /// <summary>Attends.</summary>
    /// <param name="weights">The layer's weights.</param>
    /// <param name="queries">Queries of the whole batch <c>[rows, heads, key]</c>, neither rotated nor scaled.</param>
    /// <param name="output">Takes <c>[rows, heads, value]</c>.</param>
    public void Run(LayerWeights weights, Workspace queries, Workspace output)
    {
        if (_partCount == 0)
        {
            return;
        }

        _weights = weights;
        _queries = queries;
        _output = output;
        _groupHeads = GroupHeads(_unitCount);
        PlanUnits();
        ReserveWorkers(_unitCount, MostRows());
        _masks.Run();
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
        for (int i = 0; i < _partCount; i++)
        {
            _firstUnits[i] = _unitCount;
            _unitCount += Chunks(_parts[i].Entry.Queries) * Groups;
        }
    }

    /// <summary>Rows of the longest entry.</summary>
    private int MostRows()
    {
        int rows = 0;
        for (int i = 0; i < _partCount; i++)
        {
            rows = Math.Max(rows, _parts[i].Entry.Queries);
        }

        return rows;
    }

    private void ReserveWorkers(int units, int queries)
    {
        long columns = (long)_groupHeads * Tiles(Math.Min(MostQueries, queries)) * Layout.QueryTile;
        foreach (WorkerSpace space in _step.WorkersOf(units))
        {
            space.Rotated.Reserve(Layout.QueryPanel * RotatedStride);
            space.Queries.Reserve(columns * QueryFloats);
            space.Output.Reserve(columns * SumFloats);
            space.Statistics.Reserve(3 * columns);
            space.Seen.Reserve(Layout.KeyTile);
            space.Shares.Reserve(Layout.QueryTile);
            space.Apart.Reserve(ApartOutputs + (3 * Layout.QueryTile));
            space.Scores.Reserve(_core.ScoreLength);
            space.Keys.Reserve(_core.KeyLength);
            space.Values.Reserve(_core.ValueLength);
            _tiles.Reserve(space, _groupHeads);
            _reader.Reserve(space.Rows, onlyRanges: _step.Definition.Indexer is null);
        }

        if (_step.Definition.Indexer is not null)
        {
            ReserveSelections(units, Math.Min(MostQueries, queries));
        }
    }

    private void ReserveSelections(int units, int queries)
    {
        for (int i = 0; i < Math.Min(units, _selections.Length); i++)
        {
            _selections[i].Reserve(queries);
            _step.Worker(i).SelectedKeys.Reserve((long)Layout.KeyTile * Layout.KeyStride);
            _step.Worker(i).SelectedValues.Reserve((long)Layout.KeyTile * Layout.ValueStride);
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
        int index = Array.BinarySearch(_firstUnits, 0, _partCount, unit);
        index = index < 0 ? ~index - 1 : index;
        (BatchEntry entry, TokenSelection? selection, long masks) = _parts[index];
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
        TileSelection selected = _selections[worker];
        if (selection is not null)
        {
            ClearSums(0, heads * tiles, space);
            int stride = SelectionMasks.Stride(entry);
            selected.Begin(masks + ((long)(firstQuery / Layout.QueryPanel) * stride), stride, queries);
        }

        var keys = KeySource.Range(entry.Sequence, entry.VisibleKeys(firstQuery + queries - 1));
        for (int firstKey = 0; firstKey < keys.Count; firstKey += Layout.KeyTile)
        {
            int tokens = Math.Min(Layout.KeyTile, keys.Count - firstKey);
            if (selection is not null)
            {
                selected.Take(firstKey, tokens);
                tokens = selected.Count;
            }

            if (tokens == 0)
            {
                continue;
            }

            ref byte encoded = ref selection is null || selected.IsWhole
                ? ref _reader.Rows(keys, _step.Layer, firstKey, tokens, space.Rows)
                : ref _reader.Rows(selected.Keys(entry.Sequence), _step.Layer, 0, tokens, space.Rows);
            ref byte rows = ref _tiles.TakeRows(ref encoded, tokens, space);
            for (int head = 0; head < heads; head++)
            {
                _tiles.Decompress(matrix, ref rows, tokens, firstHead, head, space);
                if (selection is not null)
                {
                    AttendSelected(selected, queries, head * tiles, tokens, space);
                    continue;
                }

                var decompressed = new KeyTile(ref Unsafe.As<float, byte>(ref space.Keys.Start), ref Unsafe.As<float, byte>(ref space.Values.Start), tokens);
                for (int tile = 0; tile < tiles; tile++)
                {
                    if (firstKey == 0)
                    {
                        // Every query sees the first key: its sums are needed in the caches now.
                        ClearSums((head * tiles) + tile, 1, space);
                    }

                    AttendTile(entry, firstQuery, queries, tile, (head * tiles) + tile, firstKey, decompressed, space);
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
            int count = Math.Min(Layout.QueryPanel, queries - first);
            for (int head = 0; head < heads; head++)
            {
                int next = head + 1 < heads ? depth : (Layout.QueryPanel * stride) - (head * depth);
                RotateQueries(firstRow + first, count, firstHead + head, next, space);
                _tiles.PackQueries(
                    ref space.Rotated.Start,
                    RotatedStride,
                    count,
                    _step.Definition.SoftmaxScale,
                    ref space.Queries.At((((long)head * tiles * Layout.QueryTile) + first) * QueryFloats),
                    space);
            }
        }
    }

    /// <summary>Rotates a head's queries of a panel, and asks for what comes next, so many floats behind each: the next head's, or another panel's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void RotateQueries(int firstRow, int count, int head, int next, WorkerSpace space)
    {
        int depth = Shape.QkHeadDim;
        for (int query = 0; query < count; query++)
        {
            long place = (((long)(firstRow + query) * Shape.Heads) + head) * depth;
            Prefetch.Range(ref _queries.At(place), next, depth);
            _positions.RotateQuery(firstRow + query, _queries.Span(place, depth), space.Rotated.Span(query * RotatedStride, depth));
        }
    }

    /// <summary>Floats from a rotated query to the next: an odd number of cache lines, so that those that are turned together do not share their places in the caches.</summary>
    private int RotatedStride => (((Shape.QkHeadDim + LineFloats - 1) / LineFloats) | 1) * LineFloats;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Initialise(int tiles, WorkerSpace space)
    {
        for (int tile = 0; tile < tiles; tile++)
        {
            space.Statistics.Span(3L * tile * Layout.QueryTile, Layout.QueryTile).Fill(float.NegativeInfinity);
            space.Statistics.Span(((3L * tile) + 1) * Layout.QueryTile, 2 * Layout.QueryTile).Clear();
        }
    }

    private void ClearSums(int place, int tiles, WorkerSpace space) => space.Output.Span((long)place * Layout.QueryTile * SumFloats, tiles * Layout.QueryTile * SumFloats).Clear();

    /// <summary>Attends a tile of queries to a tile of keys.</summary>
    /// <param name="entry">Whose tokens they are.</param>
    /// <param name="firstQuery">First query of the unit.</param>
    /// <param name="queries">Queries of the unit.</param>
    /// <param name="tile">Tile of queries within the unit.</param>
    /// <param name="place">Where the tile's queries, outputs and statistics stand: heads lie behind each other.</param>
    /// <param name="firstKey">First key of the tile.</param>
    /// <param name="keys">Keys and values of the tile.</param>
    /// <param name="space">Memory of the thread.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AttendTile(in BatchEntry entry, int firstQuery, int queries, int tile, int place, int firstKey, KeyTile keys, WorkerSpace space)
    {
        int first = tile * Layout.QueryTile;
        int count = Math.Min(Layout.QueryTile, queries - first);
        if (Visible(entry, firstQuery + first, firstKey, keys.Tokens) == keys.Tokens)
        {
            AttendColumns(place, 0, PaddedColumns(count), keys, ref Unsafe.NullRef<uint>(), space);
            return;
        }

        // Where the diagonal passes, each panel of queries leaves out the keys that none of its own may see.
        for (int panel = 0; panel < count; panel += Layout.QueryPanel)
        {
            int last = Math.Min(panel + Layout.QueryPanel, count) - 1;
            int tokens = Visible(entry, firstQuery + first + last, firstKey, keys.Tokens);
            if (tokens == 0)
            {
                continue;
            }

            int seenByAll = Visible(entry, firstQuery + first + panel, firstKey, tokens);
            if (!_tiles.AreValuesFinite(seenByAll, tokens, space))
            {
                for (int column = panel; column <= last; column++)
                {
                    int own = Visible(entry, firstQuery + first + column, firstKey, tokens);
                    if (own > 0)
                    {
                        AttendApart(place, column, panel, new KeyTile(ref keys.Keys, ref _tiles.ValuesBefore(own, space), own), space);
                    }
                }
            }
            else
            {
                Span<uint> seen = MemoryMarshal.CreateSpan(ref Unsafe.As<float, uint>(ref space.Seen.Start), tokens);
                seen[..seenByAll].Fill(uint.MaxValue);
                int before = 0;
                for (int token = seenByAll; token < tokens; token++)
                {
                    // The last query sees every token, so the queries before it are never all of them.
                    while (Visible(entry, firstQuery + first + panel + before, firstKey, tokens) <= token)
                    {
                        before++;
                    }

                    seen[token] = uint.MaxValue << before;
                }

                AttendColumns(place, panel, Layout.QueryPanel, keys.First(tokens), ref seen[0], space);
            }
        }
    }

    /// <summary>Keys of a tile that a query may see.</summary>
    private static int Visible(in BatchEntry entry, int query, int firstKey, int tileKeys) => Math.Clamp(entry.VisibleKeys(query) - firstKey, 0, tileKeys);

    /// <summary>Attends the queries of a unit to what they have selected of a tile of keys.</summary>
    /// <param name="selected">Which keys of the tile each query attends to.</param>
    /// <param name="queries">Queries of the unit.</param>
    /// <param name="place">Where the first tile's queries, outputs and statistics stand.</param>
    /// <param name="tokens">Keys and values that any query attends to.</param>
    /// <param name="space">Memory of the thread.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AttendSelected(TileSelection selected, int queries, int place, int tokens, WorkerSpace space)
    {
        bool areFinite = _tiles.AreValuesFinite(0, tokens, space);
        var keys = new KeyTile(ref Unsafe.As<float, byte>(ref space.Keys.Start), ref Unsafe.As<float, byte>(ref space.Values.Start), tokens);
        ref uint together = ref Unsafe.As<float, uint>(ref space.Seen.Start);
        for (int first = 0; first < queries; first += Layout.QueryPanel)
        {
            (int tile, int panel) = Math.DivRem(first, Layout.QueryTile);
            Span<uint> seen = selected.Seen(first / Layout.QueryPanel);
            if (areFinite && seen.Count(0u) * LeastUnseen <= seen.Length)
            {
                AttendColumns(place + tile, panel, Layout.QueryPanel, keys, ref seen[0], space);
                continue;
            }

            // Brought together for all queries of the panel; for each by itself where what is not its own must not be multiplied by its zeros.
            int passes = areFinite ? 1 : Math.Min(Layout.QueryPanel, queries - first);
            for (int pass = 0; pass < passes; pass++)
            {
                uint own = areFinite ? uint.MaxValue : 1u << pass;
                int count = 0;
                for (int token = 0; token < seen.Length; token++)
                {
                    if ((seen[token] & own) != 0)
                    {
                        space.Keys.Span(token * Layout.KeyStride, Shape.QkHeadDim).CopyTo(space.SelectedKeys.Span(count * Layout.KeyStride, Shape.QkHeadDim));
                        space.Values.Span(token * Layout.ValueStride, Shape.VHeadDim).CopyTo(space.SelectedValues.Span(count * Layout.ValueStride, Shape.VHeadDim));
                        Unsafe.Add(ref together, count++) = seen[token];
                    }
                }

                var gathered = new KeyTile(ref Unsafe.As<float, byte>(ref space.SelectedKeys.Start), ref Unsafe.As<float, byte>(ref space.SelectedValues.Start), count);
                if (count == 0)
                {
                    continue;
                }

                if (!areFinite)
                {
                    AttendApart(place + tile, panel + pass, panel, gathered, space);
                }
                else
                {
                    AttendColumns(place + tile, panel, Layout.QueryPanel, gathered, ref together, space);
                }
            }
        }
    }

    /// <summary>
    /// Attends one query of a panel to the keys that are its own and to no other: what is not finite must not reach those that do not attend to it. The
    /// others of its panel are computed beside it, as always, and thrown away; its own bits are those that it has anywhere.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AttendApart(int place, int query, int panel, KeyTile keys, WorkerSpace space)
    {
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

        Attend(firstOutput, Layout.QueryPanel, keys, ref Unsafe.NullRef<uint>(), ref apart, ref space.Apart.At(ApartOutputs), space);

        _tiles.CopySums(column, ref apart, ref sums);
        for (int i = 0; i < 3; i++)
        {
            space.Statistics.At(statistics + ((long)i * Layout.QueryTile)) = space.Apart.At(ApartOutputs + (i * Layout.QueryTile) + column);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AttendColumns(int place, int first, int columns, KeyTile keys, ref uint seen, WorkerSpace space)
    {
        long column = ((long)place * Layout.QueryTile) + first;
        Attend(
            column,
            columns,
            keys,
            ref seen,
            ref space.Output.At(column * SumFloats),
            ref space.Statistics.At((3L * place * Layout.QueryTile) + first),
            space);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Attend(long column, int columns, KeyTile keys, ref uint seen, ref float sums, ref float statistics, WorkerSpace space)
    {
        var tile = new DecompressedTile
        {
            Keys = ref keys.Keys,
            Values = ref keys.Values,
            Tokens = keys.Tokens,
            Queries = ref Unsafe.As<float, byte>(ref space.Queries.At(column * QueryFloats)),
            Columns = columns,
            Seen = ref seen,
            Masked = !Unsafe.IsNullRef(ref seen),
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
            Span<float> shares = space.Shares.Span(0, Math.Min(Layout.QueryTile, queries - first));
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

    /// <summary>Rows of one sequence.</summary>
    /// <param name="Entry">Which.</param>
    /// <param name="Selection">Which of the keys that they see they attend to; null for all of them.</param>
    /// <param name="Masks">Where the words of their first panel begin, if they select.</param>
    private readonly record struct Part(BatchEntry Entry, TokenSelection? Selection, long Masks);

    /// <summary>Decompressed keys and values of a head.</summary>
    private readonly ref struct KeyTile(ref byte keys, ref byte values, int tokens)
    {
        public readonly ref byte Keys = ref keys;
        public readonly ref byte Values = ref values;
        public readonly int Tokens = tokens;

        /// <summary>The first of them alone.</summary>
        public KeyTile First(int tokens) => new(ref Keys, ref Values, tokens);
    }
}
