namespace MlaGen.Tests.Caching;

/// <summary>A layer that has a cache and computes nothing: all that it states is its definition.</summary>
/// <typeparam name="TSelf">The layer.</typeparam>
internal abstract class CacheOnly<TSelf>
    where TSelf : CacheOnly<TSelf>, IMlaAttention<TSelf>
{
    public static MlaShape Shape => TSelf.Definition.Shape;

    public int Layer { get; }

    public static TSelf Load(ICheckpoint checkpoint, string prefix, int layer) => throw new NotSupportedException("Only the cache is under test.");

    public void Forward(MlaBatch<TSelf> batch, ReadOnlySpan<float> hidden, Span<float> output) => throw new NotSupportedException("Only the cache is under test.");

    public void ProjectLatent(MlaBatch<TSelf> batch, ReadOnlySpan<float> hidden, Span<float> queries, Span<float> rows) => throw new NotSupportedException("Only the cache is under test.");

    public void ProjectOutput(MlaBatch<TSelf> batch, ReadOnlySpan<float> latents, Span<float> output) => throw new NotSupportedException("Only the cache is under test.");
}
