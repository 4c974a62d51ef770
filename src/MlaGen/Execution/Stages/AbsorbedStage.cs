using System.Numerics;
using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>
/// Attention on latents, one query token at a time: all its heads against the cached rows, block by block. A long row is split into parts at
/// points that depend on its length alone; the sums of two neighbouring parts are folded into one, those of neighbouring pairs again, up to the
/// whole row. Threads take subtrees of it, large or small: neither their number nor what else is in the batch shows.
/// </summary>
internal sealed class AbsorbedStage
{
    /// <summary>Multiplications that take about as long as moving an element of a query to its place.</summary>
    private const long PackingCost = 24;

    /// <summary>Multiplications that take about as long as folding an element of two sums.</summary>
    private const long FoldingCost = 8;

    /// <summary>Heads whose sums a thread folds at a time.</summary>
    private const int HeadsOfFold = 8;

    /// <summary>Units for each thread: few enough to leave little to fold, many enough to share out evenly between threads that are not equally fast.</summary>
    private const int UnitsPerThread = 8;

    private readonly StepContext _step;
    private readonly AbsorbedCore _core;
    private readonly RowReader _reader;
    private readonly Action<int, int> _wholeRow;
    private readonly Action<int, int> _pack;
    private readonly Action<int, int> _attend;
    private readonly Action<int, int> _fold;
    private readonly Workspace _packed;
    private readonly Workspace _unitSums;
    private readonly AttentionSums _sums;
    private Row[] _rows = [];
    private Unit[] _units = [];
    private int[] _listed = [];
    private int _listedCount;
    private int _rowCount;
    private int _unitCount;
    private Workspace _queries = null!;
    private Workspace _output = null!;
    private Workspace? _logSumExp;
    private SinkWeight? _sinks;

    public AbsorbedStage(StepContext step, AbsorbedCore core)
    {
        _step = step;
        _core = core;
        _reader = RowReader.Create(core.Operand, step.Batch.Pool, Layout.BlockTokens, Layout.PrefetchTokens);
        _packed = step.Memory.Add();
        _unitSums = step.Memory.Add();
        _sums = new AttentionSums(step.Shape, Layout.Queries.Columns);
        _wholeRow = WholeRow;
        _pack = PackPanel;
        _attend = AttendUnit;
        _fold = FoldUnits;
    }

    private MlaShape Shape => _step.Shape;

    private AbsorbedLayout Layout => _core.Layout;

    private int PackedLength => Layout.Queries.Length(Shape.CacheRowElements);

    /// <summary>Forgets the rows of the last call.</summary>
    public void Clear() => _rowCount = _listedCount = 0;

    /// <summary>Adds the rows of one entry of the batch.</summary>
    public void Add(in BatchEntry entry)
    {
        if (_rows.Length < _rowCount + entry.Queries)
        {
            Array.Resize(ref _rows, (int)Math.Min(Math.Max(_rowCount + entry.Queries, 2L * _rows.Length), Array.MaxLength));
        }

        for (int query = 0; query < entry.Queries; query++)
        {
            _rows[_rowCount++] = new Row(entry.FirstRow + query, entry.IsTree ? TreePath(entry, query) : KeySource.Range(entry.Sequence, entry.VisibleKeys(query)));
        }
    }

    /// <summary>A token of a tree sees the committed tokens and its own path.</summary>
    private KeySource TreePath(in BatchEntry entry, int query)
    {
        long needed = (long)_listedCount + entry.NewTokens;
        if (_listed.Length < needed)
        {
            if (needed > Array.MaxLength)
            {
                throw new InsufficientMemoryException(FormattableString.Invariant(
                    $"The paths through the step's trees are more than {Array.MaxLength} tokens long together. It needs smaller trees."));
            }

            // Sources that were made from it keep the old one.
            Array.Resize(ref _listed, (int)Math.Min(Math.Max(needed, 2L * _listed.Length), Array.MaxLength));
        }

        int first = _listedCount;
        int length = _step.Batch.VisibleNewTokens(entry, query, _listed.AsSpan(first));
        foreach (ref int token in _listed.AsSpan(first, length))
        {
            token += entry.CommittedKeys;
        }

        _listedCount += length;
        return KeySource.Path(entry.Sequence, entry.CommittedKeys, _listed, first, length);
    }

    /// <summary>Whether any row was added.</summary>
    public bool IsEmpty => _rowCount == 0;

    /// <summary>Rows of the batch that were added.</summary>
    public int RowCount => _rowCount;

    /// <summary>Index in the batch of an added row.</summary>
    public int BatchRow(int index) => _rows[index].Index;

    /// <summary>Attends.</summary>
    /// <param name="queries">Absorbed, unscaled queries of the whole batch <c>[rows, heads, latent + rotary]</c>.</param>
    /// <param name="output">Takes <c>[rows, heads, latent]</c>.</param>
    /// <param name="logSumExp">Takes <c>[rows, heads]</c>, without sinks, or null.</param>
    /// <param name="sinks">Logits that join the softmax, or null.</param>
    public void Run(Workspace queries, Workspace output, Workspace? logSumExp, SinkWeight? sinks)
    {
        _sinks = sinks;
        _queries = queries;
        _output = output;
        _logSumExp = logSumExp;
        long keys = 0;
        for (int i = 0; i < _rowCount; i++)
        {
            keys += _rows[i].Keys.Count;
        }

        long multiplications = keys * Shape.Heads * (Shape.CacheRowElements + Shape.KvLoraRank);
        if (!_step.IsShared(multiplications) || _rowCount >= WholeRows)
        {
            ReserveWhole(_rowCount);
            _step.Run(_wholeRow, _rowCount, multiplications);
            return;
        }

        PlanUnits();
        ReserveShared(_rowCount, _unitCount);
        _step.Run(_pack, _rowCount * PanelCount, PackingCost * _rowCount * PackedLength);
        _step.Run(_attend, _unitCount, multiplications);
        _step.Run(_fold, _rowCount * FoldGroups, FoldingCost * _unitCount * _sums.Length);
    }

    /// <summary>Takes the memory for up to so many rows, of any length.</summary>
    public void Reserve(int rows)
    {
        // Fewer rows are shared, or, all too short for that, run on one thread.
        ReserveWhole(rows < WholeRows ? 1 : rows);
        for (int count = 1; count <= rows && count < WholeRows; count++)
        {
            ReserveShared(count, count * MostUnits(count));
        }
    }

    /// <summary>Rows from which on each is left to one thread.</summary>
    private int WholeRows => _step.Threads == 1 ? 1 : UnitsPerThread * _step.Threads;

    private void ReserveWhole(int rows)
    {
        foreach (WorkerSpace space in _step.WorkersOf(rows))
        {
            space.Queries.Reserve(PackedLength);
            ReserveAttention(space, Layout.MostParts);
        }
    }

    private void ReserveShared(int rows, int units)
    {
        _packed.Reserve((long)rows * PackedLength);
        _unitSums.Reserve((long)units * _sums.Length);
        foreach (WorkerSpace space in _step.WorkersOf(units))
        {
            ReserveAttention(space, Layout.MostParts / MostUnits(rows));
        }
    }

    private void ReserveAttention(WorkerSpace space, int parts)
    {
        space.Sums.Reserve((1L + int.Log2(parts)) * _sums.Length);
        space.Scores.Reserve(Layout.ScoreLength);
        _reader.Reserve(space.Rows, onlyRanges: _listedCount == 0);
    }

    /// <summary>Units of a row at most where so many rows are shared between the threads: a power of two.</summary>
    private int MostUnits(int rows) => Math.Min(Layout.MostParts, (int)BitOperations.RoundUpToPowerOf2((uint)((UnitsPerThread * _step.Threads) + rows - 1) / (uint)rows));

    private int PanelCount => Layout.Queries.PanelCount;

    private int FoldGroups => (Shape.Heads + HeadsOfFold - 1) / HeadsOfFold;

    /// <summary>
    /// Parts of a row: a power of two, so that they share out evenly. Each costs a pass over the outputs, so a part has two blocks or more once
    /// there are enough parts for a few threads.
    /// </summary>
    private int Parts(in Row row)
    {
        int blocks = Blocks(row.Keys.Count);
        int most = Math.Max(Math.Min(blocks, Layout.SingleBlockParts), blocks / Layout.PartBlocks);
        return most <= 1 ? 1 : Math.Min(Layout.MostParts, 1 << int.Log2(most));
    }

    private int Blocks(int keys) => (keys + Layout.BlockTokens - 1) / Layout.BlockTokens;

    /// <summary>Shares out the parts of each row, neighbours together: the fewer sums a thread hands on, the fewer go through memory.</summary>
    private void PlanUnits()
    {
        int mostOfRow = MostUnits(_rowCount);
        _unitCount = 0;
        for (int i = 0; i < _rowCount; i++)
        {
            int parts = Parts(_rows[i]);
            int units = Math.Min(parts, mostOfRow);
            if (_units.Length < _unitCount + units)
            {
                Array.Resize(ref _units, Math.Max(_unitCount + units, 2 * _units.Length));
            }

            _rows[i].FirstUnit = _unitCount;
            _rows[i].Units = units;
            for (int unit = 0; unit < units; unit++)
            {
                _units[_unitCount++] = new Unit(i, unit * (parts / units), parts / units);
            }
        }
    }

    /// <summary>One row from beginning to end on one thread.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void WholeRow(int unit, int worker)
    {
        WorkerSpace space = _step.Worker(worker);
        ref Row row = ref _rows[unit];
        ref float queries = ref space.Queries.Start;
        for (int panel = 0; panel < PanelCount; panel++)
        {
            Pack(row.Index, panel, ref queries);
        }

        ref float sums = ref space.Sums.Start;
        AttendParts(row, 0, Parts(row), ref queries, ref sums, depth: 1, space);
        for (int head = 0; head < Shape.Heads; head++)
        {
            Finish(row, head, ref sums);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void PackPanel(int unit, int worker)
    {
        (int row, int panel) = Math.DivRem(unit, PanelCount);
        Pack(_rows[row].Index, panel, ref _packed.At((long)row * PackedLength));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AttendUnit(int index, int worker)
    {
        Unit unit = _units[index];
        AttendParts(_rows[unit.Row], unit.FirstPart, unit.Parts, ref _packed.At((long)unit.Row * PackedLength), ref _unitSums.At((long)index * _sums.Length), depth: 0, _step.Worker(worker));
    }

    /// <summary>Attends to neighbouring parts of a row, as many as a power of two: to one half, then to the other, whose sums are folded.</summary>
    /// <param name="row">The row.</param>
    /// <param name="first">First part.</param>
    /// <param name="count">How many.</param>
    /// <param name="queries">Packed queries.</param>
    /// <param name="sums">Takes their sums.</param>
    /// <param name="depth">Sums that those around this call have in the thread's memory.</param>
    /// <param name="space">Memory of the thread.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AttendParts(in Row row, int first, int count, ref float queries, ref float sums, int depth, WorkerSpace space)
    {
        if (count == 1)
        {
            AttendPart(row, first, ref queries, ref sums, space);
            return;
        }

        int half = count / 2;
        ref float later = ref space.Sums.At((long)depth * _sums.Length);
        AttendParts(row, first, half, ref queries, ref sums, depth, space);
        AttendParts(row, first + half, half, ref queries, ref later, depth + 1, space);
        for (int head = 0; head < Shape.Heads; head++)
        {
            _sums.Fold(head, ref sums, ref later);
        }
    }

    /// <summary>Folds the sums of a row's units for a few heads: so few that all of them stay in the caches nearby.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void FoldUnits(int unit, int worker)
    {
        (int index, int group) = Math.DivRem(unit, FoldGroups);
        ref Row row = ref _rows[index];
        int firstHead = group * HeadsOfFold;
        int end = Math.Min(Shape.Heads, firstHead + HeadsOfFold);
        for (int distance = 1; distance < row.Units; distance *= 2)
        {
            for (int i = row.FirstUnit; i < row.FirstUnit + row.Units; i += 2 * distance)
            {
                for (int head = firstHead; head < end; head++)
                {
                    _sums.Fold(head, ref _unitSums.At((long)i * _sums.Length), ref _unitSums.At((long)(i + distance) * _sums.Length));
                }
            }
        }

        for (int head = firstHead; head < end; head++)
        {
            Finish(row, head, ref _unitSums.At((long)row.FirstUnit * _sums.Length));
        }
    }

    private void Pack(int batchRow, int panel, ref float packed)
    {
        int depth = Shape.CacheRowElements;
        Layout.Queries.Pack(panel, ref _queries.At((long)batchRow * Shape.Heads * depth), Shape.Heads, depth, _step.Definition.SoftmaxScale, ref packed);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AttendPart(in Row row, int part, ref float queries, ref float sums, WorkerSpace space)
    {
        _sums.Clear(ref sums);
        int parts = Parts(row);
        long blocks = Blocks(row.Keys.Count);
        int begin = (int)(blocks * part / parts);
        int end = (int)(blocks * (part + 1) / parts);
        var block = new AbsorbedBlock
        {
            CachedRowBytes = _step.Batch.Pool.Layout.RowBytes,
            Queries = ref Unsafe.As<float, byte>(ref queries),
            Scores = ref space.Scores.Start,
            Sums = ref sums,
            Statistics = ref _sums.Statistics(ref sums),
        };
        for (int i = begin; i < end; i++)
        {
            int first = i * Layout.BlockTokens;
            block.Tokens = Math.Min(Layout.BlockTokens, row.Keys.Count - first);
            block.Rows = ref _reader.Rows(row.Keys, _step.Layer, first, block.Tokens, space.Rows);
            block.Upcoming = ref _reader.Upcoming(row.Keys, _step.Layer, first, block.Tokens, out block.Distance);
            _core.Attend(ref block);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Finish(in Row row, int head, ref float sums)
    {
        long index = ((long)row.Index * Shape.Heads) + head;
        float sink = _sinks is null ? float.NegativeInfinity : _sinks.Values[head];
        _sums.Divide(head, ref sums, sink, _output.Span(index * Shape.KvLoraRank, Shape.KvLoraRank));
        if (_logSumExp is not null)
        {
            _logSumExp.At(index) = _sums.LogSumExp(head, ref sums);
        }
    }

    private struct Row(int index, KeySource keys)
    {
        public readonly int Index = index;
        public readonly KeySource Keys = keys;

        /// <summary>Its units, where threads share it.</summary>
        public int FirstUnit;
        public int Units;
    }

    /// <summary>Neighbouring parts of a row, as many as a power of two.</summary>
    private readonly record struct Unit(int Row, int FirstPart, int Parts);
}
