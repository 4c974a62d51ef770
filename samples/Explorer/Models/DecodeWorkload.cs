using Explorer.Measuring;
using MlaGen;

namespace Explorer.Models;

/// <summary>One query token of all heads against cached rows, whoever computes it. All take the same data, and so must all give the same result.</summary>
/// <param name="shape">The layer's dimensions.</param>
/// <param name="context">Cached tokens.</param>
/// <param name="rowBytes">Bytes that are kept of each.</param>
internal abstract class CoreWorkload(MlaShape shape, int context, int rowBytes) : Workload
{
    public override long Operations => context * Costs.AbsorbedOperationsPerToken(shape);

    public override long Bytes => (long)context * rowBytes;

    /// <summary>The core that runs, where it is a generated class's.</summary>
    public virtual MlaCore? Core => null;

    /// <summary>Which cores run and why no better ones, where they are a generated class's.</summary>
    public virtual string? Account => null;

    /// <summary>Weighted sums of latents <c>[heads, latent]</c> of the last run.</summary>
    public abstract ReadOnlySpan<float> Output { get; }

    /// <summary>Cached rows <c>[context, latent + rotary]</c>.</summary>
    public static float[] Rows(MlaShape shape, int context) => RandomData.Floats(context * shape.CacheRowElements, seed: 1);

    /// <summary>Absorbed queries <c>[heads, latent + rotary]</c>.</summary>
    public static float[] Queries(MlaShape shape) => RandomData.Floats(shape.Heads * shape.CacheRowElements, seed: 2);
}

/// <summary>The absorbed core of a generated class, through its public <c>AttendLatent</c>.</summary>
/// <typeparam name="T">The generated class.</typeparam>
internal sealed class DecodeWorkload<T> : CoreWorkload
    where T : class, IMlaAttention<T>
{
    private readonly FilledCache<T> _cache;
    private readonly MlaBatch<T> _batch;
    private readonly float[] _queries = Queries(T.Shape);
    private readonly float[] _output = new float[T.Shape.Heads * T.Shape.KvLoraRank];
    private readonly float[] _logSumExp = new float[T.Shape.Heads];

    public DecodeWorkload(int context, MlaExecutor executor, CacheFormat format, MlaPrecision precision)
        : base(T.Shape, context, CacheLayout.Of<T>(format).RowBytes)
    {
        _cache = new FilledCache<T>(sequences: 1, context, spareTokens: 0, format, precision);
        _batch = _cache.CreateBatch(executor, rows: 1);
        _batch.AddQueries(_cache.Sequences[0], 1);
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
