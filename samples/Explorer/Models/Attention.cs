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

    /// <summary>The class's own.</summary>
    public abstract void Warmup();

    /// <summary>The absorbed attention core: one query token against a cache that holds <paramref name="context"/> tokens.</summary>
    public abstract CoreWorkload Decode(int context, MlaExecutor executor);

    /// <summary>A whole layer's <c>Forward</c>, undone after each run.</summary>
    /// <param name="kernel">What tables call it.</param>
    /// <param name="step">What it computes.</param>
    /// <param name="executor">What it runs on.</param>
    public abstract Workload Forward(string kernel, Step step, MlaExecutor executor);
}

/// <summary>The static members of a generated class as delegates: <see cref="IMlaAttention{TSelf}"/> does not promise them.</summary>
/// <typeparam name="T">The generated class.</typeparam>
/// <param name="softmaxScale"><c>T.SoftmaxScale</c>.</param>
/// <param name="append"><c>T.AppendLatent</c>.</param>
/// <param name="attend"><c>T.AttendLatent</c>.</param>
/// <param name="load">Makes a layer 0 from weights and gives its <c>Forward</c>.</param>
internal sealed class Attention<T>(double softmaxScale, Attention<T>.Append append, Attention<T>.Attend attend, Func<ICheckpoint, Attention<T>.Run> load) : Attention
    where T : class, IMlaAttention<T>
{
    public delegate void Append(MlaBatch<T> batch, int layer, ReadOnlySpan<float> rows);

    public delegate void Attend(MlaBatch<T> batch, int layer, ReadOnlySpan<float> queries, Span<float> output, Span<float> logSumExp);

    public delegate void Run(MlaBatch<T> batch, ReadOnlySpan<float> hidden, Span<float> output);

    public override MlaShape Shape => T.Shape;

    public override CacheLayout Layout { get; } = CacheLayout.Of<T>();

    public override float SoftmaxScale => (float)softmaxScale;

    public override void Warmup() => T.Warmup();

    public override CoreWorkload Decode(int context, MlaExecutor executor) => new DecodeWorkload<T>(append, attend, context, executor);

    public override Workload Forward(string kernel, Step step, MlaExecutor executor) => new ForwardWorkload<T>(kernel, step, append, load(new RandomCheckpoint(T.Shape)), executor);
}
