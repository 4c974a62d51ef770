namespace MlaGen.Models;

/// <summary>A model's cache, seen without the generated class of its attention; see <see cref="LatentCache{TAttention}"/>, which it is.</summary>
/// <remarks>Thread safety is that of <see cref="LatentCache{TAttention}"/>.</remarks>
public abstract class ModelCache : IDisposable
{
    private protected ModelCache()
    {
    }

    /// <summary>What it keeps of a token in a layer.</summary>
    public abstract CacheLayout Layout { get; }

    /// <summary>Layers.</summary>
    public abstract int Layers { get; }

    /// <summary>Tokens a page holds.</summary>
    public abstract int PageTokens { get; }

    /// <summary>Tokens that fit, if every page is full.</summary>
    public abstract long MaxTokens { get; }

    /// <summary>Bytes that all pages take together.</summary>
    public abstract long Bytes { get; }

    /// <summary>Pages in use at this moment.</summary>
    public abstract int UsedPages { get; }

    /// <summary>Pages that can still be had at this moment.</summary>
    public abstract int FreePages { get; }

    /// <summary>Prompts whose beginnings other sequences can start from.</summary>
    public abstract PrefixIndex Prefixes { get; }

    /// <summary>Called when pages are wanted and too few are free; see <see cref="LatentCache{TAttention}.OnFull"/>.</summary>
    public abstract Func<int, int>? OnFull { get; set; }

    /// <summary>Creates an empty sequence.</summary>
    /// <exception cref="ObjectDisposedException">The cache is disposed.</exception>
    public abstract LatentSequence CreateSequence();

    /// <summary>Creates an empty batch, to be used for any number of steps.</summary>
    /// <param name="executor">What its work runs on; <see langword="null"/> for <see cref="MlaExecutor.Shared"/>.</param>
    /// <param name="reserveRows">Rows of the largest step that it is to be ready for.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="reserveRows"/> is negative, or more than <see cref="MaxTokens"/>.</exception>
    /// <exception cref="ObjectDisposedException">The cache is disposed.</exception>
    public abstract MlaBatch CreateBatch(MlaExecutor? executor = null, int reserveRows = 1);

    /// <summary>Writes sequences to a file; see <see cref="LatentCache{TAttention}.Save"/>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="sequences">Sequences of this cache, with what the caller wants back beside them.</param>
    public abstract void Save(string path, params ReadOnlySpan<SavedSequence> sequences);

    /// <summary>Reads the sequences of a file; see <see cref="LatentCache{TAttention}.Load"/>.</summary>
    /// <param name="path">The file.</param>
    public abstract SavedSequence[] Load(string path);

    /// <summary>Gives all memory back.</summary>
    /// <exception cref="InvalidOperationException">A sequence of the cache is in an open batch.</exception>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private protected abstract void Free();
}

/// <summary>The cache of a model whose attention is <typeparamref name="T"/>.</summary>
/// <typeparam name="T">The generated class.</typeparam>
internal sealed class ModelCache<T>(LatentCache<T> cache) : ModelCache
    where T : class, IMlaAttention<T>
{
    public override CacheLayout Layout => cache.Layout;

    public override int Layers => cache.Layers;

    public override int PageTokens => cache.PageTokens;

    public override long MaxTokens => cache.MaxTokens;

    public override long Bytes => cache.Bytes;

    public override int UsedPages => cache.UsedPages;

    public override int FreePages => cache.FreePages;

    public override PrefixIndex Prefixes => cache.Prefixes;

    public override Func<int, int>? OnFull
    {
        get => cache.OnFull;
        set => cache.OnFull = value;
    }

    public override LatentSequence CreateSequence() => cache.CreateSequence();

    public override MlaBatch CreateBatch(MlaExecutor? executor = null, int reserveRows = 1) => cache.CreateBatch(executor, reserveRows);

    public override void Save(string path, params ReadOnlySpan<SavedSequence> sequences) => cache.Save(path, sequences);

    public override SavedSequence[] Load(string path) => cache.Load(path);

    private protected override void Free() => cache.Dispose();
}
