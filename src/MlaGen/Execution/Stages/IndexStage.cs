using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>
/// The sparse indexer of a layer ("lightning indexer", DeepSeek-V3.2): scores of all keys that a row sees, of which the highest are selected. A row that
/// sees no more keys than it may select attends to all of them, and costs nothing here. What a row selects depends on nothing but its own keys.
/// </summary>
internal sealed class IndexStage
{
    /// <summary>Keys that are brought together at once, whole tiles: they stay in the first-level cache while the rows of a unit pass over them.</summary>
    public const int BlockKeys = 4 * IndexKernels.TileKeys;

    /// <summary>Keys of a unit: few enough to share out a single row, whole blocks.</summary>
    private const int UnitKeys = 64 * BlockKeys;

    /// <summary>Rows of a unit, which share its blocks of keys: their packed queries stay in the second-level cache.</summary>
    private const int UnitRows = 16;

    /// <summary>Multiplications that take about as long as weighing an element of a token in its pool.</summary>
    private const long PoolCost = 16;

    /// <summary>Scores that are kept at a time: the rows of a step are worked on in as many waves as it takes.</summary>
    private const long MostScores = 1 << 22;

    private readonly StepContext _step;
    private readonly IndexerDefinition _indexer;
    private readonly RotaryPositions _positions;
    private readonly ProjectionStage _projections;
    private readonly FloatRowReader _reader;
    private readonly VisibleKeys _visible;
    private readonly Workspace _keys;
    private readonly Workspace _poolGates;
    private readonly Workspace _cachedRows;
    private readonly Workspace _queries;
    private readonly Workspace _weights;
    private readonly Workspace _packed;
    private readonly Workspace _packedWeights;
    private readonly Workspace _scores;
    private readonly Action<int, int> _prepare;
    private readonly Action<int, int> _score;
    private readonly Action<int, int> _select;
    private readonly Action<int, int> _pool;
    private Row[] _rows = [];
    private Unit[] _units = [];
    private PoolUnit[] _poolUnits = [];
    private int _rowCount;
    private int _unitCount;
    private int _poolUnitCount;
    private TableWeight? _embedding;

    /// <summary>Whether queries come from the projection as they are; else they are rotated already.</summary>
    private bool _rotates;

    /// <summary>First row of the wave, and floats from a row's scores to the next's.</summary>
    private int _waveStart;
    private int _scoreStride;

    public IndexStage(StepContext step, IndexerDefinition indexer, RotaryPositions positions, ProjectionStage projections)
    {
        _step = step;
        _indexer = indexer;
        _positions = positions;
        _projections = projections;
        _reader = new FloatRowReader(step.Batch.Pool, step.Batch.Pool.Indexed!, BlockKeys * indexer.UnitTokens, prefetchTokens: 0);
        _visible = new VisibleKeys(step.Batch);
        _keys = step.Memory.Add();
        _poolGates = step.Memory.Add();
        _cachedRows = step.Memory.Add();
        _queries = step.Memory.Add();
        _weights = step.Memory.Add();
        _packed = step.Memory.Add();
        _packedWeights = step.Memory.Add();
        _scores = step.Memory.Add();
        _prepare = Prepare;
        _score = Score;
        _select = Select;
        _pool = Pool;
    }

    /// <summary>What the last call has selected.</summary>
    public TokenSelection Selection { get; } = new();

    private static IndexKernels Kernels => IndexKernels.Current;

    private int PackedHeads => Kernels.PaddedHeads(_indexer.Heads);

    private int PackedLength => PackedHeads * _indexer.HeadDim;

    /// <summary>Takes the memory that steps of up to so many rows usually work in.</summary>
    public void Reserve(int rows)
    {
        _keys.Reserve((long)rows * _indexer.HeadDim);
        _queries.Reserve((long)rows * _indexer.Heads * _indexer.HeadDim);
        _weights.Reserve((long)rows * _indexer.Heads);
        if (_indexer.PoolTokens > 0)
        {
            _poolGates.Reserve((long)rows * _indexer.HeadDim);
            _cachedRows.Reserve((long)rows * _indexer.KeyElements);
        }

        ReserveWorkers();
    }

    /// <summary>Projects the rows to index keys.</summary>
    public void ProjectKeys(IndexerWeights weights, Workspace hidden, int rows)
    {
        _projections.RunExactly(weights.Wk, hidden, rows, _keys);
        if (weights.PoolGate is not null)
        {
            _projections.RunExactly(weights.PoolGate, hidden, rows, _poolGates);
            _cachedRows.Reserve((long)rows * _indexer.KeyElements);
        }
    }

    /// <summary>Normalises and rotates the index key of a row.</summary>
    /// <returns>What the cache keeps.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public ReadOnlySpan<float> PrepareKey(IndexerWeights weights, int row)
    {
        int depth = _indexer.HeadDim;
        Span<float> key = _keys.Span((long)row * depth, depth);
        LayerNorm.Apply(key, weights.KNorm.Weights, weights.KNorm.Bias, _indexer.NormEpsilon);
        Rotate(row, key);
        if (weights.PoolGate is null)
        {
            return key;
        }

        Span<float> pooled = _cachedRows.Span((long)row * _indexer.KeyElements, _indexer.KeyElements);
        key.CopyTo(pooled);
        _poolGates.Span((long)row * depth, depth).CopyTo(pooled[depth..]);
        return pooled;
    }

    /// <summary>Selects for every row of the batch, whose index keys are in the cache.</summary>
    /// <param name="weights">The layer's indexer.</param>
    /// <param name="queryLatent">Normalised query latents.</param>
    /// <param name="hidden">Hidden states.</param>
    public void Run(IndexerWeights weights, Workspace queryLatent, Workspace hidden)
    {
        PlanRows(_indexer.MostUnselected);
        _embedding = weights.PoolEmbedding;
        Selection.Begin(_step.Batch.Rows, _rowCount, _indexer.MostUnselected);
        if (_rowCount > 0)
        {
            if (_embedding is not null)
            {
                MakePools();
            }

            _projections.RunExactly(weights.WqB, queryLatent, _step.Batch.Rows, _queries);
            _projections.RunExactly(weights.WeightsProj, hidden, _step.Batch.Rows, _weights);
            _rotates = true;
            for (int first = 0, count; first < _rowCount; first += count)
            {
                count = ScoreWave(first);
                _step.Run(_select, count, (long)count * _scoreStride);
            }
        }

        Selection.Complete(_step.Batch.Step);
    }

    /// <summary>The scores alone; arguments are checked.</summary>
    /// <param name="queries">Rotated index queries <c>[rows, index heads, width]</c>.</param>
    /// <param name="weights">Weights of the index heads <c>[rows, index heads]</c>.</param>
    /// <param name="scores">Takes a score for each token of a row's sequence <c>[rows, stride]</c>; negative infinity for those that it does not see.</param>
    public void Score(ReadOnlySpan<float> queries, ReadOnlySpan<float> weights, Span<float> scores)
    {
        int stride = scores.Length / _step.Batch.Rows;
        _queries.Reserve(queries.Length);
        _weights.Reserve(weights.Length);
        queries.CopyTo(_queries.Span(0, queries.Length));
        weights.CopyTo(_weights.Span(0, weights.Length));
        scores.Fill(float.NegativeInfinity);
        PlanRows(mostUnselected: 0);
        _rotates = false;
        for (int first = 0, count; first < _rowCount; first += count)
        {
            count = ScoreWave(first);
            for (int place = 0; place < count; place++)
            {
                ref Row row = ref _rows[first + place];
                for (int key = 0; key < row.Keys.Count; key++)
                {
                    scores[(row.Index * stride) + row.Keys.Token(key)] = _scores.At(((long)place * _scoreStride) + key);
                }
            }
        }
    }

    /// <summary>
    /// Makes the keys of pools that are not known yet, of all entries whose rows select: the pools of committed tokens for good, those of a step's new ones for
    /// the step, since they may be rolled back. A pool with tokens of a tree is made where it is scored, for each path.
    /// </summary>
    private void MakePools()
    {
        _poolUnitCount = 0;
        long tokens = 0;
        for (int i = 0; i < _rowCount; i++)
        {
            ref Row row = ref _rows[i];
            ref readonly BatchEntry entry = ref _step.Batch.EntryOf(row.Index);
            PooledKeys pooled = entry.Sequence.PooledKeys(_step.Layer, _indexer);
            row.Pooled = pooled;
            row.PooledCount = (entry.IsTree ? entry.CommittedKeys : entry.Keys) / _indexer.PoolTokens;
            if (i > 0 && _rows[i - 1].Pooled == pooled)
            {
                continue;
            }

            pooled.Begin(_embedding!, row.PooledCount);
            for (int pool = pooled.Known; pool < row.PooledCount;)
            {
                // Not beyond a chunk, within which keys lie in one piece.
                int end = Math.Min(row.PooledCount, (pool / BlockKeys * BlockKeys) + BlockKeys);
                if (_poolUnits.Length == _poolUnitCount)
                {
                    Array.Resize(ref _poolUnits, Math.Max(16, 2 * _poolUnitCount));
                }

                _poolUnits[_poolUnitCount++] = new PoolUnit(i, pool, end);
                tokens += (end - pool) * _indexer.PoolTokens;
                pool = end;
            }
        }

        _step.Run(_pool, _poolUnitCount, PoolCost * tokens * _indexer.HeadDim);
        for (int i = 0; i < _rowCount; i++)
        {
            _rows[i].Pooled!.Complete(_step.Batch.EntryOf(_rows[i].Index).CommittedKeys);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Pool(int index, int worker)
    {
        (int row, int first, int end) = _poolUnits[index];
        ref readonly BatchEntry entry = ref _step.Batch.EntryOf(_rows[row].Index);
        MakePools(KeySource.Range(entry.Sequence, end * _indexer.PoolTokens), first, end - first, ref _rows[row].Pooled!.At(first), worker);
    }

    /// <summary>Makes the keys of some pools of a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MakePools(in KeySource keys, int first, int count, ref float pooled, int worker)
    {
        ref byte rows = ref _reader.Rows(keys, _step.Layer, first * _indexer.PoolTokens, count * _indexer.PoolTokens, _step.Worker(worker).Rows);
        Kernels.Pool(ref Unsafe.As<byte, float>(ref rows), count, _indexer.PoolTokens, _indexer.HeadDim, in _embedding!.Values[0], ref pooled);
    }

    private void ReserveWorkers()
    {
        foreach (WorkerSpace space in _step.WorkersOf(int.MaxValue))
        {
            _reader.Reserve(space.Rows, onlyRanges: false);
            space.Scores.Reserve(Kernels.ScratchLength(_indexer.HeadDim));
            if (_indexer.PoolTokens > 0)
            {
                space.Keys.Reserve((long)BlockKeys * _indexer.HeadDim);
            }
        }
    }

    /// <summary>Lists the rows that see more keys than so many.</summary>
    private void PlanRows(int mostUnselected)
    {
        _rowCount = 0;
        _visible.Clear();
        foreach (ref readonly BatchEntry entry in _step.Batch.Entries)
        {
            if (_rows.Length < _rowCount + entry.Queries)
            {
                Array.Resize(ref _rows, Math.Max(_rowCount + entry.Queries, 2 * _rows.Length));
            }

            for (int query = 0; query < entry.Queries; query++)
            {
                KeySource keys = _visible.Of(entry, query);
                if (keys.Count > mostUnselected)
                {
                    _rows[_rowCount++] = new Row(entry.FirstRow + query, keys, keys.Count / _indexer.UnitTokens, isPath: entry.IsTree);
                }
            }
        }
    }

    /// <summary>Scores for as many rows as their scores may be kept of; says how many.</summary>
    private int ScoreWave(int first)
    {
        int most = 0;
        int count = 0;
        while (first + count < _rowCount)
        {
            int longest = Math.Max(most, _rows[first + count].Candidates);
            if (count > 0 && (count + 1L) * longest > MostScores)
            {
                break;
            }

            most = longest;
            count++;
        }

        _waveStart = first;
        _scoreStride = most;
        _packed.Reserve((long)count * PackedLength);
        _packedWeights.Reserve((long)count * PackedHeads);
        _scores.Reserve((long)count * most);
        ReserveWorkers();
        long keys = PlanUnits(first, count);
        _step.Run(_prepare, count, (long)count * PackedLength);
        _step.Run(_score, _unitCount, keys * PackedLength);
        return count;
    }

    /// <summary>Cuts a wave into units; gives the number of scores.</summary>
    private long PlanUnits(int first, int count)
    {
        _unitCount = 0;
        long keys = 0;
        for (int row = first; row < first + count;)
        {
            int rows = 1;
            while (row + rows < first + count && rows < UnitRows && Row.AreOfOneRun(_rows[row], _rows[row + rows]))
            {
                rows++;
            }

            int most = _rows[row + rows - 1].Candidates;
            for (int key = 0; key < most; key += UnitKeys)
            {
                if (_units.Length == _unitCount)
                {
                    Array.Resize(ref _units, Math.Max(16, 2 * _unitCount));
                }

                _units[_unitCount++] = new Unit(row, rows, key, Math.Min(most, key + UnitKeys));
            }

            keys += (long)rows * most;
            row += rows;
        }

        return keys;
    }

    /// <summary>Rotates and packs the query of a row, and scales the weights of its heads.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Prepare(int unit, int worker)
    {
        int row = _rows[_waveStart + unit].Index;
        int heads = _indexer.Heads;
        int depth = _indexer.HeadDim;
        Span<float> queries = _queries.Span((long)row * heads * depth, heads * depth);
        for (int head = 0; _rotates && head < heads; head++)
        {
            Rotate(row, queries.Slice(head * depth, depth));
        }

        Kernels.Pack(ref queries[0], heads, depth, ref _packed.At((long)unit * PackedLength));

        // The factor on the products, depth^-1/2, is positive: it may as well stand outside of what is rectified.
        Span<float> weights = _packedWeights.Span((long)unit * PackedHeads, PackedHeads);
        RowMath.Current.Scale(_weights.Span((long)row * heads, heads), (float)(1 / Math.Sqrt((double)heads * depth)), weights[..heads]);
        weights[heads..].Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Score(int index, int worker)
    {
        Unit unit = _units[index];
        WorkerSpace space = _step.Worker(worker);

        // Rows of one run see the same keys, the last one most of them.
        ref readonly Row last = ref _rows[unit.FirstRow + unit.Rows - 1];
        for (int first = unit.FirstKey; first < unit.EndKey; first += BlockKeys)
        {
            int count = Math.Min(BlockKeys, unit.EndKey - first);
            ref float block = ref Keys(last, first, count, worker, out bool arePooled);
            ref byte upcoming = ref Upcoming(last, first + count, arePooled, out nint upcomingBytes);
            for (int row = unit.FirstRow; row < unit.FirstRow + unit.Rows; row++)
            {
                int visible = Math.Min(count, _rows[row].Candidates - first);
                if (visible > 0)
                {
                    int place = row - _waveStart;
                    Kernels.Score(
                        ref block,
                        visible,
                        _indexer.HeadDim,
                        ref _packed.At((long)place * PackedLength),
                        _indexer.Heads,
                        ref _packedWeights.At((long)place * PackedHeads),
                        ref _scores.At(((long)place * _scoreStride) + first),
                        ref space.Scores.Start,
                        ref upcoming,
                        upcomingBytes);

                    // The first row asks for it, and those that follow find it there.
                    upcomingBytes = 0;
                }
            }
        }
    }

    /// <summary>Index keys of a row, or of its pools, one after the other.</summary>
    /// <param name="row">The row.</param>
    /// <param name="first">The first one.</param>
    /// <param name="count">How many, at most a block.</param>
    /// <param name="worker">Who asks.</param>
    /// <param name="arePooled">Whether they are pools' and were made before.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private ref float Keys(in Row row, int first, int count, int worker, out bool arePooled)
    {
        arePooled = _embedding is not null && first + count <= row.PooledCount;
        if (arePooled)
        {
            return ref row.Pooled!.At(first);
        }

        WorkerSpace space = _step.Worker(worker);
        if (_embedding is null)
        {
            return ref Unsafe.As<byte, float>(ref _reader.Rows(row.Keys, _step.Layer, first, count, space.Rows));
        }

        MakePools(row.Keys, first, count, ref space.Keys.Start, worker);
        return ref space.Keys.Start;
    }

    /// <summary>What to ask for while a block is scored: where the keys behind it lie.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private ref byte Upcoming(in Row row, int next, bool arePooled, out nint bytes)
    {
        if (arePooled)
        {
            bytes = (nint)BlockKeys * _indexer.HeadDim * sizeof(float);
            return ref Unsafe.As<float, byte>(ref row.Pooled!.At(Math.Min(next, row.PooledCount - 1)));
        }

        bytes = BlockKeys * _indexer.UnitTokens * _step.Batch.Pool.Indexed!.Codec.RowBytes;
        return ref _reader.Row(row.Keys, _step.Layer, Math.Min(next * _indexer.UnitTokens, row.Keys.Count - 1));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Select(int unit, int worker)
    {
        int place = _waveStart + unit;
        ref Row row = ref _rows[place];
        Span<float> scores = _scores.Span((long)unit * _scoreStride, row.Candidates);
        if (!RowMath.Current.AreFinite(scores))
        {
            RefuseNaN(row, scores);
        }

        // What is selected comes first, and is then spread out from its end: nothing is overwritten before it has been read.
        int size = _indexer.UnitTokens;
        int tail = row.Keys.Count - (row.Candidates * size);
        Span<int> selected = Selection.Place(row.Index, place, (_indexer.Units * size) + tail);
        TopScores.Select(scores, _indexer.Units, selected[.._indexer.Units]);
        for (int i = _indexer.Units - 1; i >= 0; i--)
        {
            int first = selected[i] * size;
            for (int j = size - 1; j >= 0; j--)
            {
                selected[(i * size) + j] = row.Keys.Token(first + j);
            }
        }

        // The tokens that make no whole pool yet are always attended to.
        for (int j = 0; j < tail; j++)
        {
            selected[(_indexer.Units * size) + j] = row.Keys.Token((row.Candidates * size) + j);
        }
    }

    private void RefuseNaN(in Row row, ReadOnlySpan<float> scores)
    {
        for (int key = 0; key < scores.Length; key++)
        {
            if (float.IsNaN(scores[key]))
            {
                throw new NotFiniteNumberException(FormattableString.Invariant(
                    $"The index score of token {row.Keys.Token(key * _indexer.UnitTokens)} for row {row.Index} of the batch, in layer {_step.Layer}, is not a number: nothing can be selected by it. A weight, a hidden state or a cached index key is not finite, or too large. Roll the step back."));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Rotate(int row, Span<float> values)
    {
        if (_indexer.RopeLayout != RopeLayout.None)
        {
            int rotary = _step.Shape.QkRopeHeadDim;
            Span<float> part = _indexer.RotatesLast ? values[^rotary..] : values[..rotary];
            Span<float> rotated = stackalloc float[rotary];
            _positions.Rotate(row, _indexer.RopeLayout, part, rotated);
            rotated.CopyTo(part);
        }
    }

    private struct Row(int index, KeySource keys, int candidates, bool isPath)
    {
        /// <summary>Row of the batch.</summary>
        public readonly int Index = index;
        public readonly KeySource Keys = keys;

        /// <summary>What is scored: keys, or whole pools of them.</summary>
        public readonly int Candidates = candidates;

        /// <summary>Keys of its pools, of which so many are there; null where keys are not pooled.</summary>
        public PooledKeys? Pooled;
        public int PooledCount;
        private readonly bool _isPath = isPath;

        /// <summary>Whether the later row sees the keys of the earlier one and more, in the same order.</summary>
        public static bool AreOfOneRun(in Row earlier, in Row later) => !earlier._isPath && earlier.Keys.Sequence == later.Keys.Sequence;
    }

    /// <summary>Neighbouring rows of one run, against a part of their keys.</summary>
    private readonly record struct Unit(int FirstRow, int Rows, int FirstKey, int EndKey);

    /// <summary>Pools of a row's sequence whose keys are to be made.</summary>
    private readonly record struct PoolUnit(int Row, int First, int End);
}
