using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

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

    private readonly StepContext _step;
    private readonly DecompressedCore _core;
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

    public DecompressedStage(StepContext step, DecompressedCore core)
    {
        _step = step;
        _core = core;
        _reader = RowReader.Create(RowOperand.Float32, step.Batch.Pool, Layout.KeyTile, prefetchTokens: 0);
        _attend = Attend;
        _masks = new SelectionMasks(step, Layout.QueryPanel);
        _selections = new TileSelection[step.Threads];
        for (int i = 0; i < _selections.Length; i++)
        {
            _selections[i] = new TileSelection(_masks, Layout.KeyTile, Layout.QueryPanel);
        }
    }

    private static ProjectionKernels Kernels => ProjectionKernels.Current;

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
    /// <param name="queries">Rotated, unscaled queries of the whole batch <c>[rows, heads, key]</c>.</param>
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
        _step.Run(_attend, _unitCount, long.MaxValue);
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
            space.Queries.Reserve(columns * Shape.QkHeadDim);
            space.Output.Reserve(columns * Shape.VHeadDim);
            space.Statistics.Reserve(3 * columns);
            space.Seen.Reserve(Layout.KeyTile);
            space.Apart.Reserve(ApartOutputs + (3 * Layout.QueryTile));
            space.Scores.Reserve(Layout.ScoreLength);
            space.Keys.Reserve((long)Layout.KeyTile * Layout.KeyStride);
            space.Values.Reserve((long)Layout.KeyTile * Layout.ValueStride);
            space.Packed.Reserve((long)Kernels.PackedWidth(Layout.KeyTile) * Shape.KvLoraRank);
            space.Product.Reserve(ProjectionKernels.ScratchLength);
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
    private int ApartOutputs => Layout.QueryPanel * Shape.VHeadDim;

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
        PackQueries(entry.FirstRow + firstQuery, queries, firstHead, heads, tiles, space);
        Initialise(heads * tiles, space);
        TileSelection selected = _selections[worker];
        if (selection is not null)
        {
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
            ref float rows = ref Unsafe.As<byte, float>(ref encoded);
            PackRows(ref rows, tokens, space);
            for (int head = 0; head < heads; head++)
            {
                Decompress(ref rows, tokens, firstHead + head, space);
                var decompressed = new KeyTile(ref space.Keys.Start, ref space.Values.Start, tokens);
                if (selection is not null)
                {
                    AttendSelected(selected, queries, head * tiles, decompressed, space);
                    continue;
                }

                for (int tile = 0; tile < tiles; tile++)
                {
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
            for (int head = 0; head < heads; head++)
            {
                PanelPacking.Pack(
                    ref _queries.At(((long)(firstRow + first) * stride) + ((firstHead + head) * depth)),
                    stride,
                    Math.Min(Layout.QueryPanel, queries - first),
                    depth,
                    _step.Definition.SoftmaxScale,
                    ref space.Queries.At((((long)head * tiles * Layout.QueryTile) + first) * depth),
                    Layout.QueryPanel);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Initialise(int tiles, WorkerSpace space)
    {
        int length = tiles * Layout.QueryTile;
        space.Output.Span(0, length * Shape.VHeadDim).Clear();
        for (int tile = 0; tile < tiles; tile++)
        {
            space.Statistics.Span(3L * tile * Layout.QueryTile, Layout.QueryTile).Fill(float.NegativeInfinity);
            space.Statistics.Span(((3L * tile) + 1) * Layout.QueryTile, 2 * Layout.QueryTile).Clear();
        }
    }

    /// <summary>Cached rows as the products take them; too few are not worth packing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void PackRows(ref float rows, int tokens, WorkerSpace space)
    {
        if (tokens < ProjectionKernels.TiledRows)
        {
            return;
        }

        int depth = Shape.KvLoraRank;
        Kernels.Pack(ref rows, Shape.CacheRowElements, tokens, depth, ref space.Packed.Start);
    }

    /// <summary>Keys <c>[tokens][nope, rotary]</c> and values <c>[tokens][value]</c> of a head from cached rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Decompress(ref float rows, int tokens, int head, WorkerSpace space)
    {
        PackedMatrix matrix = _weights.KvBProj.Matrix;
        int elements = Shape.CacheRowElements;
        int keyStride = Layout.KeyStride;
        ref float keys = ref space.Keys.Start;
        ref float values = ref space.Values.Start;
        int keyPanel = head * (PackedMatrix.PanelsFor(Shape.QkNopeHeadDim) + PackedMatrix.PanelsFor(Shape.VHeadDim));
        int valuePanel = keyPanel + PackedMatrix.PanelsFor(Shape.QkNopeHeadDim);
        if (tokens < ProjectionKernels.TiledRows)
        {
            for (int token = 0; token < tokens; token++)
            {
                ref float row = ref Unsafe.Add(ref rows, token * elements);
                matrix.Products.MultiplyRow(matrix, keyPanel, ref row, space.Keys.Span(token * keyStride, Shape.QkNopeHeadDim));
                matrix.Products.MultiplyRow(matrix, valuePanel, ref row, space.Values.Span(token * Layout.ValueStride, Shape.VHeadDim));
            }
        }
        else
        {
            ref float product = ref space.Product.Start;
            matrix.Products.MultiplyPacked(matrix, keyPanel, Shape.QkNopeHeadDim, ref space.Packed.Start, tokens, ref keys, keyStride, ref product, wholeTiles: true);
            matrix.Products.MultiplyPacked(matrix, valuePanel, Shape.VHeadDim, ref space.Packed.Start, tokens, ref values, Layout.ValueStride, ref product, wholeTiles: true);
        }

        int rotary = Shape.QkRopeHeadDim;
        for (int token = 0; token < tokens; token++)
        {
            MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref rows, (token * elements) + Shape.KvLoraRank), rotary)
                .CopyTo(space.Keys.Span((token * keyStride) + Shape.QkNopeHeadDim, rotary));
        }
    }

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
            int seenByAll = Visible(entry, firstQuery + first + panel, firstKey, tokens);
            if (!AreValuesFinite(keys, seenByAll, tokens))
            {
                for (int column = panel; column <= last; column++)
                {
                    AttendApart(place, column, panel, keys.First(Visible(entry, firstQuery + first + column, firstKey, tokens)), space);
                }
            }
            else if (tokens > 0)
            {
                Span<uint> seen = MemoryMarshal.CreateSpan(ref Unsafe.As<float, uint>(ref space.Seen.Start), tokens);
                int before = 0;
                for (int token = 0; token < tokens; token++)
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
    /// <param name="keys">Keys and values that any query attends to.</param>
    /// <param name="space">Memory of the thread.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AttendSelected(TileSelection selected, int queries, int place, KeyTile keys, WorkerSpace space)
    {
        bool areFinite = AreValuesFinite(keys, 0, keys.Tokens);
        ref uint together = ref Unsafe.As<float, uint>(ref space.Seen.Start);
        ref float key = ref space.SelectedKeys.Start;
        ref float value = ref space.SelectedValues.Start;
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
                        keys.Key(token, Layout.KeyStride, Shape.QkHeadDim).CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.Add(ref key, count * Layout.KeyStride), Shape.QkHeadDim));
                        keys.Value(token, Layout.ValueStride, Shape.VHeadDim).CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.Add(ref value, count * Layout.ValueStride), Shape.VHeadDim));
                        Unsafe.Add(ref together, count++) = seen[token];
                    }
                }

                var gathered = new KeyTile(ref key, ref value, count);
                if (!areFinite)
                {
                    AttendApart(place + tile, panel + pass, panel, gathered, space);
                }
                else if (count > 0)
                {
                    AttendColumns(place + tile, panel, Layout.QueryPanel, gathered, ref together, space);
                }
            }
        }
    }

    /// <summary>Whether some of a tile's values may be multiplied by the zeros that stand for tokens which a query does not attend to.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool AreValuesFinite(KeyTile keys, int first, int end)
    {
        for (int token = first; token < end; token++)
        {
            if (!RowMath.Current.AreFinite(keys.Value(token, Layout.ValueStride, Shape.VHeadDim)))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Attends one query of a panel to the keys that are its own and to no other: what is not finite must not reach those that do not attend to it. The
    /// others of its panel are computed beside it, as always, and thrown away; its own bits are those that it has anywhere.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AttendApart(int place, int query, int panel, KeyTile keys, WorkerSpace space)
    {
        if (keys.Tokens == 0)
        {
            return;
        }

        int width = Shape.VHeadDim;
        int column = query - panel;
        long firstOutput = ((long)place * Layout.QueryTile) + panel;
        Span<float> output = space.Output.Span((firstOutput + column) * width, width);
        Span<float> outputApart = space.Apart.Span(column * width, width);
        long statistics = (3L * place * Layout.QueryTile) + query;
        output.CopyTo(outputApart);
        for (int i = 0; i < 3; i++)
        {
            space.Apart.At(ApartOutputs + (i * Layout.QueryTile) + column) = space.Statistics.At(statistics + ((long)i * Layout.QueryTile));
        }

        Attend(firstOutput, Layout.QueryPanel, keys, ref Unsafe.NullRef<uint>(), ref space.Apart.Start, ref space.Apart.At(ApartOutputs), space);

        outputApart.CopyTo(output);
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
            ref space.Output.At(column * Shape.VHeadDim),
            ref space.Statistics.At((3L * place * Layout.QueryTile) + first),
            space);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Attend(long column, int columns, KeyTile keys, ref uint seen, ref float sums, ref float statistics, WorkerSpace space)
    {
        var tile = new DecompressedTile
        {
            Keys = ref Unsafe.As<float, byte>(ref keys.Keys),
            Values = ref Unsafe.As<float, byte>(ref keys.Values),
            Tokens = keys.Tokens,
            Queries = ref Unsafe.As<float, byte>(ref space.Queries.At(column * Shape.QkHeadDim)),
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
        for (int query = 0; query < queries; query++)
        {
            (int tile, int column) = Math.DivRem(query, Layout.QueryTile);
            for (int head = 0; head < heads; head++)
            {
                int place = (head * tiles) + tile;
                long statistics = (3L * place * Layout.QueryTile) + column;
                float sink = _weights.Sinks is null ? float.NegativeInfinity : _weights.Sinks.Values[firstHead + head];
                RowMath.Current.Scale(
                    space.Output.Span((((long)place * Layout.QueryTile) + column) * width, width),
                    AttentionSums.Share(space.Statistics.At(statistics), space.Statistics.At(statistics + Layout.QueryTile), sink),
                    _output.Span((((long)(firstRow + query) * Shape.Heads) + firstHead + head) * width, width));
            }
        }
    }

    /// <summary>Rows of one sequence.</summary>
    /// <param name="Entry">Which.</param>
    /// <param name="Selection">Which of the keys that they see they attend to; null for all of them.</param>
    /// <param name="Masks">Where the words of their first panel begin, if they select.</param>
    private readonly record struct Part(BatchEntry Entry, TokenSelection? Selection, long Masks);

    /// <summary>Decompressed keys and values of a head.</summary>
    private readonly ref struct KeyTile(ref float keys, ref float values, int tokens)
    {
        public readonly ref float Keys = ref keys;
        public readonly ref float Values = ref values;
        public readonly int Tokens = tokens;

        /// <summary>The first of them alone.</summary>
        public KeyTile First(int tokens) => new(ref Keys, ref Values, tokens);

        public ReadOnlySpan<float> Key(int token, int stride, int length) => MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref Keys, token * stride), length);

        public ReadOnlySpan<float> Value(int token, int stride, int length) => MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref Values, token * stride), length);
    }
}
