using Explorer.Measuring;
using MlaGen;

namespace Explorer.Models;

/// <summary>A generated class, seen without its type: what of it can be measured.</summary>
internal abstract class Attention
{
    public abstract MlaShape Shape { get; }

    /// <summary>What its caches keep of a token.</summary>
    public abstract CacheLayout Layout { get; }

    /// <summary>Factor on the scores.</summary>
    public abstract float SoftmaxScale { get; }

    /// <summary>Which cores run at a precision.</summary>
    public abstract MlaCores CoresAt(MlaPrecision precision);

    /// <summary>The class's own.</summary>
    public abstract void Warmup();

    /// <summary>The absorbed attention core: the last tokens of a sequence against a cache that holds <paramref name="context"/> tokens.</summary>
    /// <param name="context">Cached tokens.</param>
    /// <param name="executor">What it runs on.</param>
    /// <param name="format">How the cache keeps them.</param>
    /// <param name="precision">How exactly it multiplies.</param>
    /// <param name="queries">How many tokens.</param>
    public abstract CoreWorkload Decode(int context, MlaExecutor executor, CacheFormat format = CacheFormat.Float32, MlaPrecision precision = MlaPrecision.Highest, int queries = 1);

    /// <summary>A whole layer's <c>Forward</c>, undone after each run.</summary>
    /// <param name="kernel">What tables call it.</param>
    /// <param name="step">What it computes.</param>
    /// <param name="executor">What it runs on.</param>
    /// <param name="format">How the cache keeps tokens; null for the class's own way.</param>
    /// <param name="precision">How exactly attention multiplies.</param>
    public abstract ForwardWorkload Forward(string kernel, Step step, MlaExecutor executor, CacheFormat? format = null, MlaPrecision precision = MlaPrecision.Highest);
}

/// <summary>The same, of one generated class.</summary>
/// <typeparam name="T">The generated class.</typeparam>
/// <param name="softmaxScale"><c>T.SoftmaxScale</c>.</param>
internal sealed class Attention<T>(double softmaxScale) : Attention
    where T : class, IMlaAttention<T>
{
    public override MlaShape Shape => T.Shape;

    public override CacheLayout Layout { get; } = CacheLayout.Of<T>();

    public override float SoftmaxScale => (float)softmaxScale;

    public override MlaCores CoresAt(MlaPrecision precision) => MlaCores.Of<T>(precision: precision);

    public override void Warmup() => T.Warmup();

    public override CoreWorkload Decode(int context, MlaExecutor executor, CacheFormat format, MlaPrecision precision, int queries)
        => new DecodeWorkload<T>(context, executor, format, precision, queries);

    public override ForwardWorkload Forward(string kernel, Step step, MlaExecutor executor, CacheFormat? format, MlaPrecision precision)
        => new ForwardWorkload<T>(kernel, step, T.Load(new RandomCheckpoint(T.Shape), "", layer: 0), executor, format ?? Layout.Format, precision);
}
