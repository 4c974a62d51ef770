using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// Attention on latents, one query token at a time: all its heads against the cached rows, block by block. A long row is split at points
/// that depend on its length alone, and its parts are folded in order: neither the number of threads nor what else is in the batch shows.
/// </summary>
internal sealed class AbsorbedStage
{
    /// <summary>Multiplications that take about as long as moving an element of a query to its place.</summary>
    private const long PackingCost = 4;

    /// <summary>Heads whose parts a thread folds at a time.</summary>
    private const int FoldHeads = 8;

    private readonly StepContext _step;
    private readonly Action<int, int> _wholeRow;
    private readonly Action<int, int> _pack;
    private readonly Action<int, int> _part;
    private readonly Action<int, int> _fold;
    private readonly Workspace _packed = new();
    private readonly Workspace _parts = new();
    private Row[] _rows = [];
    private Part[] _partUnits = [];
    private int[] _paths = [];
    private int _pathLength;
    private int _rowCount;
    private int _partCount;
    private Workspace _queries = null!;
    private Workspace _output = null!;
    private Workspace? _logSumExp;

    public AbsorbedStage(StepContext step)
    {
        _step = step;
        _wholeRow = WholeRow;
        _pack = PackPanel;
        _part = AttendPart;
        _fold = FoldGroup;
    }

    private MlaShape Shape => _step.Shape;

    private KernelLayout Layout => _step.Kernels.Layout;

    private int OutputLength => Shape.Heads * Shape.KvLoraRank;

    private int StatisticsLength => 3 * Layout.Columns;

    private int PartLength => OutputLength + StatisticsLength;

    private int PackedLength => Layout.Columns * Shape.CacheRowElements;

    /// <summary>Forgets the rows of the last call.</summary>
    public void Clear() => _rowCount = _pathLength = 0;

    /// <summary>Adds the rows of one entry of the batch.</summary>
    public void Add(in BatchEntry entry)
    {
        if (_rows.Length < _rowCount + entry.Queries)
        {
            Array.Resize(ref _rows, Math.Max(_rowCount + entry.Queries, 2 * _rows.Length));
        }

        for (int query = 0; query < entry.Queries; query++)
        {
            _rows[_rowCount++] = entry.IsTree ? TreeRow(entry, query) : new Row(entry.Sequence, entry.FirstRow + query, entry.VisibleKeys(query));
        }
    }

    /// <summary>
    /// A token of a tree sees the committed tokens and its own path. Its keys are counted as if the path followed the committed tokens, so
    /// that blocks and splits, and with them every bit, are those of the path alone.
    /// </summary>
    private Row TreeRow(in BatchEntry entry, int query)
    {
        if (_paths.Length < _pathLength + entry.NewTokens)
        {
            Array.Resize(ref _paths, Math.Max(_pathLength + entry.NewTokens, 2 * _paths.Length));
        }

        int length = _step.Batch.VisibleNewTokens(entry, query, _paths.AsSpan(_pathLength));
        var row = new Row(entry.Sequence, entry.FirstRow + query, entry.CommittedKeys + length, _pathLength, length);
        _pathLength += length;
        return row;
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
    /// <param name="logSumExp">Takes <c>[rows, heads]</c>, or null.</param>
    public void Run(Workspace queries, Workspace output, Workspace? logSumExp)
    {
        _queries = queries;
        _output = output;
        _logSumExp = logSumExp;
        long keys = 0;
        for (int i = 0; i < _rowCount; i++)
        {
            keys += _rows[i].Keys;
        }

        long multiplications = keys * Shape.Heads * (Shape.CacheRowElements + Shape.KvLoraRank);
        if (!_step.IsShared(multiplications) || _rowCount >= 4 * _step.Threads)
        {
            foreach (WorkerSpace space in _step.WorkersOf(_rowCount))
            {
                space.Queries.Reserve(PackedLength);
                space.Statistics.Reserve(2 * StatisticsLength);
                space.Output.Reserve(OutputLength);
                ReserveBlock(space);
            }

            _step.Run(_wholeRow, _rowCount, multiplications);
            return;
        }

        PlanParts();
        _packed.Reserve((long)_rowCount * PackedLength);
        _parts.Reserve((long)_partCount * PartLength);
        foreach (WorkerSpace space in _step.WorkersOf(_partCount))
        {
            ReserveBlock(space);
        }

        _step.Run(_pack, _rowCount * PanelCount, PackingCost * _rowCount * PackedLength);
        _step.Run(_part, _partCount, multiplications);
        _step.Run(_fold, _rowCount * FoldGroups, (long)_partCount * OutputLength);
    }

    private void ReserveBlock(WorkerSpace space)
    {
        space.Scores.Reserve(Layout.ScoreLength);
        _step.ReserveRows(space.Rows, Layout.BlockTokens);
        if (_pathLength > 0)
        {
            space.PathRows.Reserve((long)Layout.BlockTokens * Shape.CacheRowElements);
        }
    }

    private int PanelCount => Layout.Panels.Length - 1;

    private int FoldGroups => (Shape.Heads + FoldHeads - 1) / FoldHeads;

    /// <summary>
    /// Parts of a row: a power of two, so that they share out evenly, longer ones first. Each costs a pass over the outputs, so a part has two blocks
    /// or more once there are enough parts for a few threads.
    /// </summary>
    private int Splits(int blocks)
    {
        int most = Math.Max(Math.Min(blocks, Layout.SingleBlockParts), blocks / Layout.PartBlocks);
        return most <= 1 ? 1 : Math.Min(Layout.MostParts, 1 << (31 - int.LeadingZeroCount(most)));
    }

    private int Blocks(int keys) => (keys + Layout.BlockTokens - 1) / Layout.BlockTokens;

    private void PlanParts()
    {
        _partCount = 0;
        for (int i = 0; i < _rowCount; i++)
        {
            int splits = Splits(Blocks(_rows[i].Keys));
            if (_partUnits.Length < _partCount + splits)
            {
                Array.Resize(ref _partUnits, Math.Max(_partCount + splits, 2 * _partUnits.Length));
            }

            _rows[i].FirstPart = _partCount;
            for (int split = 0; split < splits; split++)
            {
                _partUnits[_partCount++] = new Part(i, split);
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

        ref float output = ref _output.At((long)row.Index * OutputLength);
        ref float statistics = ref space.Statistics.Start;
        ref float partStatistics = ref Unsafe.Add(ref statistics, StatisticsLength);
        int splits = Splits(Blocks(row.Keys));
        Attend(row, 0, splits, ref queries, ref output, ref statistics, space);
        for (int split = 1; split < splits; split++)
        {
            ref float part = ref space.Output.Start;
            Attend(row, split, splits, ref queries, ref part, ref partStatistics, space);
            for (int head = 0; head < Shape.Heads; head++)
            {
                Fold(head, ref output, ref statistics, ref part, ref partStatistics);
            }
        }

        for (int head = 0; head < Shape.Heads; head++)
        {
            Finish(row, head, ref output, ref statistics);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void PackPanel(int unit, int worker)
    {
        (int row, int panel) = Math.DivRem(unit, PanelCount);
        Pack(_rows[row].Index, panel, ref _packed.At((long)row * PackedLength));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AttendPart(int unit, int worker)
    {
        Part part = _partUnits[unit];
        ref Row row = ref _rows[part.Row];
        ref float output = ref _parts.At((long)unit * PartLength);
        Attend(row, part.Split, Splits(Blocks(row.Keys)), ref _packed.At((long)part.Row * PackedLength), ref output, ref Unsafe.Add(ref output, OutputLength), _step.Worker(worker));
    }

    /// <summary>Folds the parts of a few heads of a row, a head at a time: its sums stay in the first-level cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void FoldGroup(int unit, int worker)
    {
        (int index, int group) = Math.DivRem(unit, FoldGroups);
        ref Row row = ref _rows[index];
        ref float first = ref _parts.At((long)row.FirstPart * PartLength);
        ref float statistics = ref Unsafe.Add(ref first, OutputLength);
        ref float output = ref _output.At((long)row.Index * OutputLength);
        int width = Shape.KvLoraRank;
        int splits = Splits(Blocks(row.Keys));
        int end = Math.Min(Shape.Heads, (group + 1) * FoldHeads);
        for (int head = group * FoldHeads; head < end; head++)
        {
            for (int split = 1; split < splits; split++)
            {
                ref float part = ref _parts.At((long)(row.FirstPart + split) * PartLength);
                Fold(head, ref first, ref statistics, ref part, ref Unsafe.Add(ref part, OutputLength));
            }

            Finish(row, head, ref first, ref statistics);
            MemoryMarshal.CreateSpan(ref Unsafe.Add(ref first, head * width), width).CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.Add(ref output, head * width), width));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Pack(int batchRow, int panel, ref float packed)
    {
        int depth = Shape.CacheRowElements;
        ref float source = ref _queries.At((long)batchRow * Shape.Heads * depth);
        int first = Layout.Panels[panel];
        int width = Layout.Panels[panel + 1] - first;
        if (first >= Layout.FirstRowColumn)
        {
            PackRows(first, width, ref source, ref packed);
            return;
        }

        PanelPacking.Pack(
            ref Unsafe.Add(ref source, first * depth),
            depth,
            Math.Min(width, Shape.Heads - first),
            depth,
            _step.Definition.SoftmaxScale,
            ref Unsafe.Add(ref packed, first * depth),
            width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void PackRows(int first, int width, ref float source, ref float packed)
    {
        int depth = Shape.CacheRowElements;
        int given = Math.Min(width, Shape.Heads - first) * depth;
        Span<float> target = MemoryMarshal.CreateSpan(ref Unsafe.Add(ref packed, first * depth), width * depth);
        TensorPrimitives.Multiply(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref source, first * depth), given), _step.Definition.SoftmaxScale, target);
        target[given..].Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Attend(in Row row, int split, int splits, ref float queries, ref float output, ref float statistics, WorkerSpace space)
    {
        int columns = Layout.Columns;
        MemoryMarshal.CreateSpan(ref output, OutputLength).Clear();
        MemoryMarshal.CreateSpan(ref statistics, columns).Fill(float.NegativeInfinity);
        MemoryMarshal.CreateSpan(ref Unsafe.Add(ref statistics, columns), 2 * columns).Clear();
        ref float scores = ref space.Scores.Start;
        (int even, int longer) = Math.DivRem(Blocks(row.Keys), splits);
        int begin = (split * even) + Math.Min(split, longer);
        int end = begin + even + (split < longer ? 1 : 0);
        for (int block = begin; block < end; block++)
        {
            int first = block * Layout.BlockTokens;
            int tokens = Math.Min(Layout.BlockTokens, row.Keys - first);
            ref float rows = ref Rows(row, first, tokens, space);
            ref byte upcoming = ref _step.Upcoming(row.Sequence, first, tokens, Math.Min(first + tokens, row.Keys - row.PathLength - 1), out nint distance);
            _step.Kernels.AttendBlock(ref rows, tokens, ref upcoming, distance, ref queries, ref scores, ref output, ref statistics);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private ref float Rows(in Row row, int first, int count, WorkerSpace space)
    {
        int committed = row.Keys - row.PathLength;
        return ref row.PathLength == 0 || first + count <= committed
            ? ref _step.Rows(row.Sequence, first, count, space.Rows)
            : ref _step.PathRows(row.Sequence, first, count, committed, _paths.AsSpan(row.FirstPath, row.PathLength), space);
    }

    /// <summary>Adds a head's sums of a later part of a row to those of an earlier one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Fold(int head, ref float output, ref float statistics, ref float partOutput, ref float partStatistics)
    {
        int columns = Layout.Columns;
        int width = Shape.KvLoraRank;
        ref float maximum = ref Unsafe.Add(ref statistics, head);
        ref float sum = ref Unsafe.Add(ref statistics, columns + head);
        float partMaximum = Unsafe.Add(ref partStatistics, head);
        float common = Math.Max(maximum, partMaximum);
        if (float.IsNegativeInfinity(common))
        {
            return;
        }

        float keep = VectorMath.Exp(maximum - common);
        float take = VectorMath.Exp(partMaximum - common);
        maximum = common;
        sum = (sum * keep) + (Unsafe.Add(ref partStatistics, columns + head) * take);
        ProjectionKernels.Current.Fold(
            MemoryMarshal.CreateSpan(ref Unsafe.Add(ref output, head * width), width),
            keep,
            MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref partOutput, head * width), width),
            take);
    }

    /// <summary>Divides a head's sums by the sum of its probabilities.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Finish(in Row row, int head, ref float output, ref float statistics)
    {
        int width = Shape.KvLoraRank;
        float sum = Unsafe.Add(ref statistics, Layout.Columns + head);
        Span<float> values = MemoryMarshal.CreateSpan(ref Unsafe.Add(ref output, head * width), width);
        ProjectionKernels.Current.Scale(values, sum == 0 ? 0 : 1 / sum, values);
        if (_logSumExp is not null)
        {
            _logSumExp.At(((long)row.Index * Shape.Heads) + head) = sum == 0 ? float.NegativeInfinity : Unsafe.Add(ref statistics, head) + MathF.Log(sum);
        }
    }

    private struct Row(LatentSequence sequence, int index, int keys, int firstPath = 0, int pathLength = 0)
    {
        public readonly LatentSequence Sequence = sequence;
        public readonly int Index = index;
        public readonly int Keys = keys;

        /// <summary>Where its path through a tree of new tokens stands; of no length where new tokens simply follow each other.</summary>
        public readonly int FirstPath = firstPath;
        public readonly int PathLength = pathLength;
        public int FirstPart;
    }

    private readonly record struct Part(int Row, int Split);
}
