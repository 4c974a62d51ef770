using MlaGen;

namespace Explorer.Models;

/// <summary>A cache of one layer whose sequences hold random tokens.</summary>
/// <typeparam name="T">The generated class.</typeparam>
internal sealed class FilledCache<T> : IDisposable
    where T : class, IMlaAttention<T>
{
    private readonly LatentCache<T> _cache;

    /// <param name="sequences">How many sequences.</param>
    /// <param name="context">Tokens each holds; may be 0.</param>
    /// <param name="spareTokens">Tokens each has room for beyond that.</param>
    /// <param name="format">How it keeps them.</param>
    /// <param name="precision">How exactly attention to it multiplies.</param>
    public FilledCache(int sequences, int context, int spareTokens, CacheFormat format, MlaPrecision precision)
    {
        long tokens = RoundUp(context + (long)spareTokens, CacheLayout.Of<T>().PageTokens);
        _cache = new LatentCache<T>(layers: 1, Math.Max(1, sequences * tokens), new LatentCacheOptions { Format = format, Precision = precision });
        Sequences = [.. Enumerable.Range(0, sequences).Select(_ => _cache.CreateSequence())];
        if (context == 0)
        {
            return;
        }

        float[] rows = CoreWorkload.Rows(T.Shape, context);
        using MlaBatch<T> batch = _cache.CreateBatch();
        foreach (LatentSequence sequence in Sequences)
        {
            batch.Add(sequence, context);
            T.AppendLatent(batch, 0, rows);
            batch.Commit();
        }
    }

    public LatentSequence[] Sequences { get; }

    /// <summary>Which cores run on it, and why no better ones.</summary>
    public MlaCores Cores => _cache.Cores;

    /// <param name="executor">What its work runs on.</param>
    /// <param name="rows">Rows of its steps.</param>
    public MlaBatch<T> CreateBatch(MlaExecutor executor, int rows) => _cache.CreateBatch(executor, rows);

    public void Dispose()
    {
        foreach (LatentSequence sequence in Sequences)
        {
            sequence.Dispose();
        }

        _cache.Dispose();
    }

    private static long RoundUp(long value, long unit) => (value + unit - 1) / unit * unit;
}
