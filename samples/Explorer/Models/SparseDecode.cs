using Explorer.Measuring;
using MlaGen;

namespace Explorer.Models;

/// <summary>One query token against a cache with index keys: the parts of sparse attention, all of it, and dense attention beside it.</summary>
internal abstract class SparseDecode : IDisposable
{
    public const string DenseName = "dense";
    public const string ScoresName = "index scores";
    public const string TopName = "top-k";
    public const string AttendName = "attend";
    public const string SparseName = "sparse";

    /// <summary>Attention to all tokens.</summary>
    public abstract Workload Dense { get; }

    /// <summary>Scores of all tokens, selection, and attention to what is selected, gathered as it lies in the cache.</summary>
    public abstract Workload Sparse { get; }

    /// <summary>The parts of <see cref="Sparse"/>.</summary>
    public abstract IReadOnlyList<Workload> Parts { get; }

    public abstract void Dispose();
}

/// <summary>The same, of one generated class.</summary>
/// <typeparam name="T">The generated class.</typeparam>
internal sealed class SparseDecode<T> : SparseDecode
    where T : class, IMlaAttention<T>
{
    private readonly LatentCache<T> _cache;
    private readonly LatentSequence _sequence;
    private readonly MlaBatch<T> _batch;
    private readonly float[] _indexQueries;
    private readonly float[] _indexWeights;
    private readonly float[] _queries = CoreWorkload.Queries(T.Shape);
    private readonly float[] _output = new float[T.Shape.Heads * T.Shape.KvLoraRank];
    private readonly float[] _logSumExp = new float[T.Shape.Heads];
    private readonly float[] _scores;
    private readonly int[] _selected;

    public SparseDecode(SparseModel model, int context, MlaExecutor executor)
    {
        MlaShape shape = T.Shape;
        _indexQueries = RandomData.Floats(model.IndexHeads * model.IndexHeadDim, seed: 3);
        _indexWeights = RandomData.Floats(model.IndexHeads, seed: 4);
        _scores = new float[context];
        _selected = new int[Math.Min(model.TopK, context)];
        _cache = new LatentCache<T>(layers: 1, context);
        _sequence = _cache.CreateSequence();
        _batch = _cache.CreateBatch(executor);
        _batch.Add(_sequence, context, new int[context]);
        T.AppendLatent(_batch, 0, RandomData.Floats(context * _cache.Layout.RowElements, seed: 1));
        _batch.Commit();
        _batch.AddQueries(_sequence, 1);

        long rowBytes = sizeof(float) * (long)shape.CacheRowElements;
        long keyBytes = sizeof(float) * (long)model.IndexHeadDim * context;
        long attention = Costs.AbsorbedOperationsPerToken(shape);
        long scoring = 2L * model.IndexHeads * model.IndexHeadDim * context;
        Dense = new Part(DenseName, context * attention, context * rowBytes, () => T.AttendLatent(_batch, 0, _queries, _output, _logSumExp));
        Parts =
        [
            new Part(ScoresName, scoring, keyBytes, Score),
            new Part(TopName, 0, sizeof(float) * (long)context, Select),
            new Part(AttendName, _selected.Length * attention, _selected.Length * rowBytes, Attend),
        ];
        Sparse = new Part(SparseName, scoring + (_selected.Length * attention), keyBytes + (_selected.Length * rowBytes), () =>
        {
            Score();
            Select();
            Attend();
        });
    }

    public override Workload Dense { get; }

    public override Workload Sparse { get; }

    public override IReadOnlyList<Workload> Parts { get; }

    public override void Dispose()
    {
        _batch.Dispose();
        _sequence.Dispose();
        _cache.Dispose();
    }

    private void Score() => T.IndexScores(_batch, 0, _indexQueries, _indexWeights, _scores);

    private void Select() => TopTokens.Select(_scores, _selected);

    private void Attend() => T.AttendLatent(_batch, 0, _queries, _selected, _output, _logSumExp);

    private sealed class Part(string kernel, long operations, long bytes, Action run) : Workload
    {
        public override string Kernel => kernel;

        public override long Operations => operations;

        public override long Bytes => bytes;

        public override void Run() => run();
    }
}
