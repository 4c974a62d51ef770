namespace MlaGen.Tests.Attention;

/// <summary>The members that every generated class has and no interface of the library lists, so that one test can run over many classes.</summary>
public interface ITestAttention<TSelf> : IMlaAttention<TSelf>
    where TSelf : class, ITestAttention<TSelf>
{
    static abstract LatentCache<TSelf> CreateCache(int layers, long maxTokens, LatentCacheOptions? options = null);

    static abstract void AppendLatent(MlaBatch<TSelf> batch, int layer, ReadOnlySpan<float> rows);

    static abstract void AttendLatent(MlaBatch<TSelf> batch, int layer, ReadOnlySpan<float> queries, Span<float> output, Span<float> logSumExp);

    /// <summary>Declared by the test's half of the class: its <c>Weights</c> type is its own.</summary>
    static abstract TSelf Load(ICheckpoint checkpoint, string prefix, int layer);
}
