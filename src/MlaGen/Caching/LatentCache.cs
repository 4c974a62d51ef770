namespace MlaGen;

/// <summary>
/// The key/value cache of a model whose layers are <typeparamref name="TAttention"/>: for each token and layer one row, the latent and the
/// rotary key that all heads share, in pages that sequences take and give back. A cache of another class does not compile where this one is expected.
/// </summary>
/// <typeparam name="TAttention">A class generated from <see cref="MlaAttentionAttribute"/>.</typeparam>
/// <remarks>
/// <para>Thread safety: the cache's own members, except <see cref="Dispose"/>, may be used by any number of threads at once, and so may
/// different sequences and different batches, each by one thread at a time, whether the sequences share pages or not. A sequence that is in an
/// open batch, or in the hands of another thread, is refused.</para>
/// <para>Pages, memory and tokens are measured by the meter "MlaGen": <c>mlagen.cache.pages.used</c>, <c>mlagen.cache.pages.shared</c>,
/// <c>mlagen.cache.memory</c> and <c>mlagen.cache.tokens</c>, each with the tag <c>mlagen.cache.name</c>.</para>
/// </remarks>
public sealed class LatentCache<TAttention> : IDisposable
    where TAttention : class, IMlaAttention<TAttention>
{
    private readonly PagePool _pool;
    private readonly CacheMetrics _metrics;

    /// <summary>Creates an empty cache. Memory is taken as pages are used; how much at most is in <see cref="Bytes"/> at once.</summary>
    /// <param name="layers">Layers of the model: every page holds its tokens for all of them.</param>
    /// <param name="maxTokens">Tokens of all sequences together; rounded up to whole pages.</param>
    /// <param name="options">Format, page size and memory; <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is not positive, or asks for more pages than can be counted, or there is no such format.</exception>
    /// <exception cref="ArgumentException">One page would be larger than a single piece of memory can be.</exception>
    /// <exception cref="InvalidOperationException">The class was emitted for another version of the package.</exception>
    public LatentCache(int layers, long maxTokens, LatentCacheOptions? options = null)
    {
        options ??= new LatentCacheOptions();
        Layout = CacheLayout.Of<TAttention>(options.Format);
        _pool = new PagePool(Layout, layers, maxTokens, options);
        _metrics = new CacheMetrics(_pool, options.Name);
        Prefixes = new PrefixIndex(_pool);
    }

    /// <summary>What it keeps of a token.</summary>
    public CacheLayout Layout { get; }

    /// <summary>Which attention cores its batches run on this machine, and why not others.</summary>
    public MlaCores Cores => MlaCores.Of<TAttention>(Layout.Format, _pool.Precision);

    /// <summary>Layers of the model.</summary>
    public int Layers => _pool.Layers;

    /// <summary>Tokens a page holds.</summary>
    public int PageTokens => _pool.PageTokens;

    /// <summary>Tokens that fit, if every page is full.</summary>
    public long MaxTokens => _pool.MaxTokens;

    /// <summary>Bytes that all pages take together. Known from the start; taken from the system only as pages are used.</summary>
    public long Bytes => _pool.Bytes;

    /// <summary>Pages that sequences hold or have reserved, and those of <see cref="Prefixes"/>, at this moment; each counted once.</summary>
    public int UsedPages => _pool.UsedPages;

    /// <summary>Pages that more than one sequence, or a sequence and <see cref="Prefixes"/>, hold at this moment.</summary>
    public int SharedPages => _pool.SharedPages;

    /// <summary>Committed tokens of all sequences at this moment; shared ones count in each.</summary>
    public long Tokens => _pool.Tokens;

    /// <summary>Pages that can still be had at this moment.</summary>
    public int FreePages => _pool.FreePages;

    /// <summary>Prompts whose beginnings other sequences can start from.</summary>
    public PrefixIndex Prefixes { get; }

    /// <summary>
    /// Called when a sequence needs more pages than are free, with the number of those missing, on the thread that needs them; says how many it
    /// has freed, and is asked again while pages become free and are still too few. It may evict prefixes (<c>cache.OnFull = cache.Prefixes.Evict</c>), and
    /// truncate or dispose sequences that are in no open batch. The batch and the sequence that need the pages refuse it everything, and what
    /// itself needs more pages than are free does not get them. What it throws comes out of the call that needed the pages, which then has
    /// changed nothing.
    /// </summary>
    public Func<int, int>? OnFull
    {
        get => _pool.OnFull;
        set => _pool.OnFull = value;
    }

    /// <summary>Creates an empty sequence. It takes no page before tokens are added.</summary>
    /// <exception cref="ObjectDisposedException">The cache is disposed.</exception>
    public LatentSequence CreateSequence()
    {
        _pool.ThrowIfDisposed();
        return new LatentSequence(_pool);
    }

    /// <summary>Creates an empty batch, to be used for any number of steps.</summary>
    /// <param name="executor">What its work runs on; <see langword="null"/> for <see cref="MlaExecutor.Shared"/>.</param>
    /// <param name="reserveRows">Rows of the largest step that the batch is to be ready for: working memory for it is taken now. By default that of
    /// decoding one sequence; 0 takes none. A larger step takes more when it first runs, which makes it slower that once.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="reserveRows"/> is negative, or more than <see cref="MaxTokens"/>.</exception>
    /// <exception cref="ObjectDisposedException">The cache is disposed.</exception>
    public MlaBatch<TAttention> CreateBatch(MlaExecutor? executor = null, int reserveRows = 1)
    {
        _pool.ThrowIfDisposed();
        ArgumentOutOfRangeException.ThrowIfNegative(reserveRows);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(reserveRows, MaxTokens);
        return new MlaBatch<TAttention>(_pool, executor ?? MlaExecutor.Shared, reserveRows);
    }

    /// <summary>
    /// Writes sequences to a file, pages that they share once. The file is written beside its place, flushed to the disk and then renamed, so
    /// that whatever happens, and whoever else saves to the same path, either the previous file is there or the new one is. What a process leaves
    /// that is killed on the way, a file called <c>.mlagen-</c>…<c>.tmp</c>, does no harm and may be deleted.
    /// </summary>
    /// <param name="path">The file; replaced if it exists, with its permissions. Of a link the target is replaced; what is no regular file is refused.</param>
    /// <param name="sequences">Sequences of this cache, each once, with what the caller wants back beside them.</param>
    /// <exception cref="ArgumentException">A sequence is another cache's, or they are more than a file can have.</exception>
    /// <exception cref="InvalidOperationException">A sequence is in an open batch, or given twice.</exception>
    /// <exception cref="ObjectDisposedException">A sequence or the cache is disposed.</exception>
    /// <exception cref="IOException">The file cannot be written, or the path leads to a directory, a pipe, a socket or a device.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be written.</exception>
    public void Save(string path, params ReadOnlySpan<SavedSequence> sequences) => CacheFileWriter.Save(_pool, TAttention.Definition, path, sequences);

    /// <summary>
    /// Reads the sequences of a file that a cache of the same class, layers and page size has written. Everything in it is checked, by
    /// checksum and against this cache, before a sequence exists. That the weights are the same is for the caller to know.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <returns>The sequences in the order they were saved, with what was saved beside them; to be disposed by the caller.</returns>
    /// <exception cref="CacheFileException">The file is damaged, or was written by a cache that does not fit: says what was expected and what was found.</exception>
    /// <exception cref="LatentCacheFullException">The cache has too few free pages.</exception>
    /// <exception cref="ObjectDisposedException">The cache is disposed.</exception>
    /// <exception cref="IOException">The file cannot be read, or is no regular file.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public SavedSequence[] Load(string path) => CacheFileReader.Load(_pool, TAttention.Definition, path);

    /// <summary>Gives all memory back. Its sequences and batches can then only be disposed. Further calls do nothing.</summary>
    /// <exception cref="InvalidOperationException">A sequence of the cache is in an open batch.</exception>
    public void Dispose()
    {
        _pool.Dispose();
        _metrics.Dispose();
    }
}
