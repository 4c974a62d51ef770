using System.Numerics;
using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>
/// Attention on latents: all heads of a query token against the cached rows, block by block. A long row is split into parts at points that depend
/// on its length alone; the sums of two neighbouring parts are folded into one, those of neighbouring pairs again, up to the whole row. Threads
/// take subtrees of it, large or small: neither their number nor what else is in the batch shows. Query tokens of one sequence go through its
/// blocks together, a few at a time: each block is read and brought into the core's form once for all of them.
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

    /// <summary>Parts for each thread at least, where rows are brought together.</summary>
    private const int PartsPerThread = 4;

    private readonly StepContext _step;
    private readonly AbsorbedCore _core;
    private readonly RowReader _reader;
    private readonly Action<int, int> _wholeRows;
    private readonly Action<int, int> _pack;
    private readonly Action<int, int> _attend;
    private readonly Action<int, int> _fold;
    private readonly Workspace _packed;
    private readonly Workspace _unitSums;
    private readonly AttentionSums _sums;
    private readonly VisibleKeys _visible;
    private Row[] _rows = [];
    private Group[] _groups = [];
    private Unit[] _units = [];
    private bool _hasLists;
    private int _rowCount;
    private int _groupCount;
    private int _unitCount;
    private int _unitSumCount;
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
        _visible = new VisibleKeys(step.Batch);
        _wholeRows = WholeRows;
        _pack = PackPanel;
        _attend = AttendUnit;
        _fold = FoldUnits;
    }

    private MlaShape Shape => _step.Shape;

    private AbsorbedLayout Layout => _core.Layout;

    /// <summary>Whether the core runs on threads of the executor's own alone.</summary>
    private bool IsApart => _core.Target == CoreTarget.Amx;

    private int PackedLength => Layout.Queries.Length(Shape.CacheRowElements);

    /// <summary>Forgets the rows of the last call.</summary>
    public void Clear()
    {
        _rowCount = 0;
        _hasLists = false;
        _visible.Clear();
    }

    /// <summary>Adds the rows of one entry of the batch.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="selection">Which of the keys that a row sees it attends to; null for all of them.</param>
    public void Add(in BatchEntry entry, TokenSelection? selection = null)
    {
        if (_rows.Length < _rowCount + entry.Queries)
        {
            Array.Resize(ref _rows, (int)Math.Min(Math.Max(_rowCount + entry.Queries, 2L * _rows.Length), Array.MaxLength));
        }

        for (int query = 0; query < entry.Queries; query++)
        {
            int row = entry.FirstRow + query;
            bool isSelected = selection is not null && !selection.IsAll(row);
            _hasLists |= isSelected || entry.IsTree;
            _rows[_rowCount++] = new Row(row, isSelected ? selection!.Keys(row, entry.Sequence) : _visible.Of(entry, query));
        }
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
        PlanGroups();
        if (!_step.IsShared(multiplications) || _groupCount >= WholeGroups)
        {
            ReserveWhole(_groupCount, Math.Min(_rowCount, Layout.MostQueries));
            _step.Run(_wholeRows, _groupCount, multiplications, IsApart);
            return;
        }

        PlanUnits();
        ReserveShared(_rowCount, _groupCount, _unitCount, _unitSumCount);
        _step.Run(_pack, _rowCount * PanelCount, PackingCost * _rowCount * PackedLength);
        _step.Run(_attend, _unitCount, multiplications, IsApart);
        _step.Run(_fold, _rowCount * FoldGroups, FoldingCost * _unitSumCount * _sums.Length);
    }

    /// <summary>Takes the memory for up to so many rows, of any length.</summary>
    public void Reserve(int rows)
    {
        // Fewer groups are shared, or, all too short for that, run on one thread.
        int most = Math.Min(rows, Layout.MostQueries);
        ReserveWhole(rows, most);
        for (int count = 1; count <= rows; count++)
        {
            int groups = (count + most - 1) / most;
            if (groups < WholeGroups)
            {
                ReserveShared(count, groups, groups * MostUnits(groups), count * MostUnits(groups));
            }
        }
    }

    /// <summary>Groups of rows from which on each is left to one thread.</summary>
    private int WholeGroups => _step.Threads == 1 ? 1 : UnitsPerThread * _step.Threads;

    private void ReserveWhole(int groups, int mostRows)
    {
        foreach (WorkerSpace space in _step.WorkersOf(groups))
        {
            space.Queries.Reserve((long)mostRows * PackedLength);
            ReserveAttention(space, mostRows, 1 + int.Log2(Layout.MostParts));
        }
    }

    private void ReserveShared(int rows, int groups, int units, int unitSums)
    {
        _packed.Reserve((long)rows * PackedLength);
        _unitSums.Reserve((long)unitSums * _sums.Length);
        foreach (WorkerSpace space in _step.WorkersOf(units))
        {
            ReserveAttention(space, Math.Min(rows, Layout.MostQueries), 1 + int.Log2(Layout.MostParts / MostUnits(groups)));
        }
    }

    private void ReserveAttention(WorkerSpace space, int rows, int depth)
    {
        space.Sums.Reserve((long)rows * depth * _sums.Length);
        space.Scores.Reserve(Layout.ScoreLength);
        _reader.Reserve(space.Rows, onlyRanges: !_hasLists);
    }

    /// <summary>Units of a group at most where so many groups are shared between the threads: a power of two.</summary>
    private int MostUnits(int groups) => Math.Min(Layout.MostParts, (int)BitOperations.RoundUpToPowerOf2((uint)((UnitsPerThread * _step.Threads) + groups - 1) / (uint)groups));

    private int PanelCount => Layout.Queries.PanelCount;

    private int FoldGroups => (Shape.Heads + HeadsOfFold - 1) / HeadsOfFold;

    /// <summary>
    /// Parts of so many blocks: a power of two, so that they share out evenly. Each costs a pass over the outputs, so a part has two blocks or more
    /// once there are enough parts for a few threads.
    /// </summary>
    private int Parts(int blocks)
    {
        int most = Math.Max(Math.Min(blocks, Layout.SingleBlockParts), blocks / Layout.PartBlocks);
        return most <= 1 ? 1 : Math.Min(Layout.MostParts, 1 << int.Log2(most));
    }

    private int Blocks(int keys) => (keys + Layout.BlockTokens - 1) / Layout.BlockTokens;

    /// <summary>Brings neighbouring rows of a sequence together, as many as share a pass and leave enough parts for all threads.</summary>
    private void PlanGroups()
    {
        int most = Layout.MostQueries;
        while (GroupRows(most) < PartsPerThread * _step.Threads && most > 1 && _step.Threads > 1)
        {
            most /= 2;
        }
    }

    /// <summary>Makes groups of up to so many rows, whose keys are as many blocks: they are cut at the same keys.</summary>
    /// <returns>Parts of all groups.</returns>
    private int GroupRows(int most)
    {
        int parts = 0;
        _groupCount = 0;
        for (int i = 0; i < _rowCount; i++)
        {
            int blocks = Blocks(_rows[i].Keys.Count);
            if (_groupCount > 0 && _groups[_groupCount - 1] is { } last && last.Rows < most && last.Blocks == blocks && _rows[i].Keys.IsNear(_rows[i - 1].Keys))
            {
                _groups[_groupCount - 1].Rows++;
                continue;
            }

            if (_groups.Length == _groupCount)
            {
                Array.Resize(ref _groups, Math.Max(_rows.Length, 1));
            }

            _groups[_groupCount++] = new Group(i, blocks) { Rows = 1 };
            parts += Parts(blocks);
        }

        return parts;
    }

    /// <summary>Shares out the parts of each group, neighbours together: the fewer sums a thread hands on, the fewer go through memory.</summary>
    private void PlanUnits()
    {
        int mostOfGroup = MostUnits(_groupCount);
        _unitCount = 0;
        _unitSumCount = 0;
        for (int i = 0; i < _groupCount; i++)
        {
            ref Group group = ref _groups[i];
            int parts = Parts(group.Blocks);
            int units = Math.Min(parts, mostOfGroup);
            if (_units.Length < _unitCount + units)
            {
                Array.Resize(ref _units, Math.Max(_unitCount + units, 2 * _units.Length));
            }

            for (int row = 0; row < group.Rows; row++)
            {
                _rows[group.FirstRow + row].FirstSums = _unitSumCount + row;
                _rows[group.FirstRow + row].SumsApart = group.Rows;
                _rows[group.FirstRow + row].Units = units;
            }

            for (int unit = 0; unit < units; unit++)
            {
                _units[_unitCount++] = new Unit(i, unit * (parts / units), parts / units, _unitSumCount);
                _unitSumCount += group.Rows;
            }
        }
    }

    /// <summary>A group of rows from beginning to end on one thread.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void WholeRows(int unit, int worker)
    {
        WorkerSpace space = _step.Worker(worker);
        Group group = _groups[unit];
        for (int row = 0; row < group.Rows; row++)
        {
            for (int panel = 0; panel < PanelCount; panel++)
            {
                Pack(_rows[group.FirstRow + row].Index, panel, ref space.Queries.At((long)row * PackedLength));
            }
        }

        ref float sums = ref space.Sums.Start;
        AttendParts(group, 0, Parts(group.Blocks), ref space.Queries.Start, ref sums, depth: 1, space);
        for (int row = 0; row < group.Rows; row++)
        {
            for (int head = 0; head < Shape.Heads; head++)
            {
                Finish(_rows[group.FirstRow + row], head, ref SumsOf(row, ref sums));
            }
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
        Group group = _groups[unit.Group];
        AttendParts(group, unit.FirstPart, unit.Parts, ref _packed.At((long)group.FirstRow * PackedLength), ref _unitSums.At((long)unit.FirstSums * _sums.Length), depth: 0, _step.Worker(worker));
    }

    /// <summary>Attends to neighbouring parts of a group's rows, as many as a power of two: to one half, then to the other, whose sums are folded.</summary>
    /// <param name="group">The rows.</param>
    /// <param name="first">First part.</param>
    /// <param name="count">How many.</param>
    /// <param name="queries">Packed queries of all rows.</param>
    /// <param name="sums">Takes the sums of all rows.</param>
    /// <param name="depth">Sums of all rows that those around this call have in the thread's memory.</param>
    /// <param name="space">Memory of the thread.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AttendParts(in Group group, int first, int count, ref float queries, ref float sums, int depth, WorkerSpace space)
    {
        if (count == 1)
        {
            AttendPart(group, first, ref queries, ref sums, space);
            return;
        }

        int half = count / 2;
        ref float later = ref space.Sums.At((long)depth * group.Rows * _sums.Length);
        AttendParts(group, first, half, ref queries, ref sums, depth, space);
        AttendParts(group, first + half, half, ref queries, ref later, depth + 1, space);
        for (int row = 0; row < group.Rows; row++)
        {
            for (int head = 0; head < Shape.Heads; head++)
            {
                _sums.Fold(head, ref SumsOf(row, ref sums), ref SumsOf(row, ref later));
            }
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
            for (int i = 0; i < row.Units; i += 2 * distance)
            {
                for (int head = firstHead; head < end; head++)
                {
                    _sums.Fold(head, ref UnitSums(row, i), ref UnitSums(row, i + distance));
                }
            }
        }

        for (int head = firstHead; head < end; head++)
        {
            Finish(row, head, ref UnitSums(row, 0));
        }
    }

    private ref float UnitSums(in Row row, int unit) => ref _unitSums.At((row.FirstSums + ((long)unit * row.SumsApart)) * _sums.Length);

    private ref float SumsOf(int row, ref float sums) => ref Unsafe.Add(ref sums, (nint)row * _sums.Length);

    private void Pack(int batchRow, int panel, ref float packed)
    {
        int depth = Shape.CacheRowElements;
        Layout.Queries.Pack(panel, ref _queries.At((long)batchRow * Shape.Heads * depth), Shape.Heads, depth, _step.Definition.SoftmaxScale, ref packed);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AttendPart(in Group group, int part, ref float queries, ref float sums, WorkerSpace space)
    {
        for (int row = 0; row < group.Rows; row++)
        {
            _sums.Clear(ref SumsOf(row, ref sums));
        }

        int parts = Parts(group.Blocks);
        int begin = (int)((long)group.Blocks * part / parts);
        int end = (int)((long)group.Blocks * (part + 1) / parts);
        for (int i = begin; i < end; i++)
        {
            AttendBlock(group, i * Layout.BlockTokens, ref queries, ref sums, space);
        }
    }

    /// <summary>
    /// Attends to a block of each row's keys. They are the same ones in all blocks but the last: there a row reads those of a later one as far as it sees them,
    /// or, beside it in a tree, its own.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AttendBlock(in Group group, int first, ref float queries, ref float sums, WorkerSpace space)
    {
        ref Row read = ref Unsafe.NullRef<Row>();
        ref byte rows = ref Unsafe.NullRef<byte>();
        int attended = 0;
        for (int i = group.Rows - 1; i >= 0; i--)
        {
            ref Row row = ref _rows[group.FirstRow + i];
            int tokens = Math.Min(Layout.BlockTokens, row.Keys.Count - first);
            if (Unsafe.IsNullRef(ref read) || !row.Keys.StartsLike(read.Keys, first, tokens))
            {
                rows = ref _reader.Rows(row.Keys, _step.Layer, first, tokens, space.Rows);
                read = ref row;
                attended = 0;
            }

            var block = new AbsorbedBlock
            {
                Rows = ref rows,
                Tokens = tokens,
                Sharing = group.Rows == 1 ? RowSharing.None : tokens == attended ? RowSharing.Again : RowSharing.First,
                CachedRowBytes = _step.Batch.Pool.Attended.Codec.RowBytes,
                Queries = ref Unsafe.As<float, byte>(ref Unsafe.Add(ref queries, (nint)i * PackedLength)),
                Scores = ref space.Scores.Start,
                Sums = ref SumsOf(i, ref sums),
                Statistics = ref _sums.Statistics(ref SumsOf(i, ref sums)),
            };
            block.Upcoming = ref _reader.Upcoming(row.Keys, _step.Layer, first, tokens, out block.Distance);
            _core.Attend(ref block);
            attended = tokens;
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

        /// <summary>Where threads share it: its units, the sums of the first one, and how many of others lie between two of its own.</summary>
        public int Units;
        public int FirstSums;
        public int SumsApart;
    }

    /// <summary>Neighbouring rows of one sequence, whose keys are as many blocks.</summary>
    private struct Group(int firstRow, int blocks)
    {
        public readonly int FirstRow = firstRow;
        public readonly int Blocks = blocks;
        public int Rows;
    }

    /// <summary>Neighbouring parts of a group's rows, as many as a power of two, and where their sums lie.</summary>
    private readonly record struct Unit(int Group, int FirstPart, int Parts, int FirstSums);
}
