using Explorer.Measuring;
using MlaGen;

namespace Explorer.Models;

/// <summary>Query tokens of all heads against cached rows, whoever computes it. All take the same data, and so must all give the same result.</summary>
/// <param name="shape">The layer's dimensions.</param>
/// <param name="context">Cached tokens.</param>
/// <param name="rowBytes">Bytes that are kept of each.</param>
/// <param name="queries">Query tokens: the last ones, each of which sees those up to itself.</param>
internal abstract class CoreWorkload(MlaShape shape, int context, int rowBytes, int queries = 1) : Workload
{
    public override long Operations => (((long)queries * context) - (queries * (queries - 1) / 2)) * Costs.AbsorbedOperationsPerToken(shape);

    /// <summary>What must be read once, however many queries there are.</summary>
    public override long Bytes => (long)context * rowBytes;

    /// <summary>The core that runs, where it is a generated class's.</summary>
    public virtual MlaCore? Core => null;

    /// <summary>Which cores run and why no better ones, where they are a generated class's.</summary>
    public virtual string? Account => null;

    /// <summary>Weighted sums of latents <c>[queries, heads, latent]</c> of the last run.</summary>
    public abstract ReadOnlySpan<float> Output { get; }

    /// <summary>Cached rows <c>[context, latent + rotary]</c>.</summary>
    public static float[] Rows(MlaShape shape, int context) => RandomData.Floats(context * shape.CacheRowElements, seed: 1);

    /// <summary>Absorbed queries <c>[queries, heads, latent + rotary]</c>.</summary>
    public static float[] Queries(MlaShape shape, int queries = 1) => RandomData.Floats(queries * shape.Heads * shape.CacheRowElements, seed: 2);
}

/// <summary>The absorbed core of a generated class, through its public <c>AttendLatent</c>.</summary>
/// <typeparam name="T">The generated class.</typeparam>
internal sealed class DecodeWorkload<T> : CoreWorkload
    where T : class, IMlaAttention<T>
{
    private readonly FilledCache<T> _cache;
    private readonly MlaBatch<T> _batch;
    private readonly float[] _queries;
    private readonly float[] _output;
    private readonly float[] _logSumExp;

    public DecodeWorkload(int context, MlaExecutor executor, CacheFormat format, MlaPrecision precision, int queries)
        : base(T.Shape, context, CacheLayout.Of<T>(format).RowBytes, queries)
    {
        _queries = Queries(T.Shape, queries);
        _output = new float[queries * T.Shape.Heads * T.Shape.KvLoraRank];
        _logSumExp = new float[queries * T.Shape.Heads];
        _cache = new FilledCache<T>(sequences: 1, context, spareTokens: 0, format, precision);
        _batch = _cache.CreateBatch(executor, rows: queries);
        _batch.AddQueries(_cache.Sequences[0], queries);
    }

    public override string Kernel => "decode";

    public override MlaCore? Core => _cache.Cores.Absorbed.First(static core => core.Runs);

    public override string? Account => _cache.Cores.ToString();

    public override ReadOnlySpan<float> Output => _output;

    public override void Run() => T.AttendLatent(_batch, 0, _queries, _output, _logSumExp);

    public override void Dispose()
    {
        _batch.Dispose();
        _cache.Dispose();
        base.Dispose();
    }
}
