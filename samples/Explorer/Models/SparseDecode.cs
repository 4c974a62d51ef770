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
    public const string InPlaceName = "attend in place";
    public const string GatherName = "gather";
    public const string SparseName = "sparse";
    public const string DenseLayerName = "dense layer";
    public const string SparseLayerName = "sparse layer";

    /// <summary>Attention to all tokens.</summary>
    public abstract Workload Dense { get; }

    /// <summary>Scores of all tokens, selection, and attention to what is selected, gathered as it lies in the cache; <see langword="null"/> where all are attended to.</summary>
    public abstract Workload? Sparse { get; }

    /// <summary>The parts of <see cref="Sparse"/>.</summary>
    public abstract IReadOnlyList<Workload> Parts { get; }

    /// <summary>Attention to as many tokens that lie together: what the last of the parts takes longer goes into gathering.</summary>
    public abstract Workload InPlace { get; }

    /// <summary>A whole layer without an indexer, from hidden state to output.</summary>
    public abstract Workload DenseLayer { get; }

    /// <summary>A whole layer with one.</summary>
    public abstract Workload SparseLayer { get; }

    public abstract void Dispose();
}

/// <summary>The same, of one generated class.</summary>
/// <typeparam name="T">The generated class.</typeparam>
/// <typeparam name="TDense">The same without an indexer.</typeparam>
internal sealed class SparseDecode<T, TDense> : SparseDecode
    where T : class, IMlaAttention<T>
    where TDense : class, IMlaAttention<TDense>
{
    private readonly LatentCache<T> _cache;
    private readonly LatentSequence _sequence;
    private readonly MlaBatch<T> _batch;
    private readonly LatentSequence _few;
    private readonly MlaBatch<T> _fewBatch;
    private readonly float[] _indexQueries;
    private readonly float[] _indexWeights;
    private readonly float[] _queries = CoreWorkload.Queries(T.Shape);
    private readonly float[] _output = new float[T.Shape.Heads * T.Shape.KvLoraRank];
    private readonly float[] _logSumExp = new float[T.Shape.Heads];
    private readonly float[] _scores;
    private readonly int[] _selected;
    private readonly LayerStep<T> _sparseLayer;
    private readonly LayerStep<TDense> _denseLayer;

    public SparseDecode(SparseModel model, int context, MlaExecutor executor)
    {
        MlaShape shape = T.Shape;
        _indexQueries = RandomData.Floats(model.IndexHeads * model.IndexHeadDim, seed: 3);
        _indexWeights = RandomData.Floats(model.IndexHeads, seed: 4);
        _scores = new float[context];
        _selected = new int[Math.Min(model.TopK, context)];
        _cache = new LatentCache<T>(layers: 1, context + _selected.Length + CacheLayout.Of<T>().PageTokens);
        (_sequence, _batch) = Fill(context, executor);
        (_few, _fewBatch) = Fill(_selected.Length, executor);

        long rowBytes = sizeof(float) * (long)shape.CacheRowElements;
        long keyBytes = sizeof(float) * (long)model.IndexHeadDim * context;
        long attention = Costs.AbsorbedOperationsPerToken(shape);
        long scoring = 2L * model.IndexHeads * model.IndexHeadDim * context;
        Dense = new Part(DenseName, context * attention, context * rowBytes, () => T.AttendLatent(_batch, 0, _queries, _output, _logSumExp));
        InPlace = new Part(InPlaceName, _selected.Length * attention, _selected.Length * rowBytes, () => T.AttendLatent(_fewBatch, 0, _queries, _output, _logSumExp));
        if (context <= model.TopK)
        {
            Parts = [];
        }
        else
        {
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

        _sparseLayer = new LayerStep<T>(T.Load(new RandomCheckpoint(model, indexesByPlace: true), "", layer: 0), context, executor);
        _denseLayer = new LayerStep<TDense>(TDense.Load(new RandomCheckpoint(TDense.Shape), "", layer: 0), context, executor);
        SparseLayer = new Part(SparseLayerName, (Sparse ?? Dense).Operations, (Sparse ?? Dense).Bytes, _sparseLayer.Run);
        DenseLayer = new Part(DenseLayerName, Dense.Operations, Dense.Bytes, _denseLayer.Run);
    }

    public override Workload Dense { get; }

    public override Workload? Sparse { get; }

    public override IReadOnlyList<Workload> Parts { get; }

    public override Workload InPlace { get; }

    public override Workload DenseLayer { get; }

    public override Workload SparseLayer { get; }

    public override void Dispose()
    {
        _sparseLayer.Dispose();
        _denseLayer.Dispose();
        _batch.Dispose();
        _fewBatch.Dispose();
        _sequence.Dispose();
        _few.Dispose();
        _cache.Dispose();
    }

    /// <summary>A sequence of random rows, and a batch of one query to it.</summary>
    private (LatentSequence Sequence, MlaBatch<T> Batch) Fill(int tokens, MlaExecutor executor)
    {
        LatentSequence sequence = _cache.CreateSequence();
        MlaBatch<T> batch = _cache.CreateBatch(executor);
        batch.Add(sequence, tokens, new int[tokens]);
        T.AppendLatent(batch, 0, RandomData.Floats(tokens * _cache.Layout.RowElements, seed: 1));
        batch.Commit();
        batch.AddQueries(sequence, 1);
        return (sequence, batch);
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

/// <summary>A step of one token through a layer, which is taken back each time.</summary>
/// <typeparam name="T">The generated class.</typeparam>
internal sealed class LayerStep<T> : IDisposable
    where T : class, IMlaAttention<T>
{
    private readonly T _layer;
    private readonly LatentCache<T> _cache;
    private readonly LatentSequence _sequence;
    private readonly MlaBatch<T> _batch;
    private readonly float[] _hidden = RandomData.Floats(T.Shape.HiddenSize, seed: 5);
    private readonly float[] _output = new float[T.Shape.HiddenSize];

    public LayerStep(T layer, int context, MlaExecutor executor)
    {
        _layer = layer;
        _cache = new LatentCache<T>(layers: 1, context);
        _sequence = _cache.CreateSequence();
        _batch = _cache.CreateBatch(executor);
        if (context > 1)
        {
            _batch.Add(_sequence, context - 1, new int[context - 1]);
            T.AppendLatent(_batch, 0, RandomData.Floats((context - 1) * _cache.Layout.RowElements, seed: 1));
            _batch.Commit();
        }
    }

    public void Run()
    {
        _batch.Add(_sequence, 1);
        _layer.Forward(_batch, _hidden, _output);
        _batch.Rollback();
    }

    public void Dispose()
    {
        _batch.Dispose();
        _sequence.Dispose();
        _cache.Dispose();
    }
}
