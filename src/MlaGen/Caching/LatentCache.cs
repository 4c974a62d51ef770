namespace MlaGen;

/// <summary>
/// The key/value cache of a model whose layers are <typeparamref name="TAttention"/>: for each token and layer one row, the latent and the
/// rotary key that all heads share, in pages that sequences take and give back. A cache of another class does not compile where this one is expected.
/// </summary>
/// <typeparam name="TAttention">A class generated from <see cref="MlaAttentionAttribute"/>.</typeparam>
/// <remarks>
/// Thread safety: <see cref="CreateSequence"/>, <see cref="CreateBatch"/> and the properties may be used by any number of threads at once;
/// so may different sequences and different batches, each by one thread at a time.
/// </remarks>
public sealed class LatentCache<TAttention> : IDisposable
    where TAttention : class, IMlaAttention<TAttention>
{
    private readonly PagePool _pool;

    /// <summary>Creates an empty cache. Memory is taken as pages are used; how much at most is in <see cref="Bytes"/> at once.</summary>
    /// <param name="layers">Layers of the model: every page holds its tokens for all of them.</param>
    /// <param name="maxTokens">Tokens of all sequences together; rounded up to whole pages.</param>
    /// <param name="options">Page size and memory; <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is not positive, or asks for more pages than can be counted.</exception>
    /// <exception cref="ArgumentException">One page would be larger than a single piece of memory can be.</exception>
    public LatentCache(int layers, long maxTokens, LatentCacheOptions? options = null)
        => _pool = new PagePool(TAttention.Shape, layers, maxTokens, options ?? new LatentCacheOptions());

    /// <summary>Layers of the model.</summary>
    public int Layers => _pool.Layers;

    /// <summary>Tokens a page holds.</summary>
    public int PageTokens => _pool.PageTokens;

    /// <summary>Tokens that fit, if every page is full.</summary>
    public long MaxTokens => _pool.MaxTokens;

    /// <summary>Bytes that all pages take together. Known from the start; taken from the system only as pages are used.</summary>
    public long Bytes => _pool.Bytes;

    /// <summary>Pages that sequences hold, or have reserved in an open batch, at this moment.</summary>
    public int UsedPages => _pool.UsedPages;

    /// <summary>Pages that can still be had at this moment.</summary>
    public int FreePages => _pool.FreePages;

    /// <summary>Creates an empty sequence. It takes no page before tokens are added.</summary>
    /// <exception cref="ObjectDisposedException">The cache is disposed.</exception>
    public LatentSequence CreateSequence()
    {
        _pool.ThrowIfDisposed();
        return new LatentSequence(_pool, TAttention.Shape);
    }

    /// <summary>Creates an empty batch, to be used for any number of steps.</summary>
    /// <param name="executor">What its work runs on; <see langword="null"/> for <see cref="MlaExecutor.Shared"/>.</param>
    /// <exception cref="ObjectDisposedException">The cache is disposed.</exception>
    public MlaBatch<TAttention> CreateBatch(MlaExecutor? executor = null)
    {
        _pool.ThrowIfDisposed();
        return new MlaBatch<TAttention>(_pool, executor ?? MlaExecutor.Shared);
    }

    /// <summary>Gives all memory back. Its sequences and batches can then only be disposed. Further calls do nothing.</summary>
    /// <exception cref="InvalidOperationException">A sequence of the cache is in an open batch.</exception>
    public void Dispose() => _pool.Dispose();
}
