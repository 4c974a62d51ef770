using System.Buffers;

namespace MlaGen;

/// <summary>How a <see cref="LatentCache{TAttention}"/> lays out and obtains its memory. Immutable, so safe for any number of threads.</summary>
public sealed class LatentCacheOptions
{
    /// <summary>Tokens a page holds; 0, the default, takes <see cref="CacheLayout.PageTokens"/>. Results do not depend on it.</summary>
    public int PageTokens { get; init; }

    /// <summary>How rows are encoded; <see langword="null"/>, the default, takes the class's own <see cref="MlaAttentionAttribute.CacheFormat"/>.</summary>
    public CacheFormat? Format { get; init; }

    /// <summary>
    /// How exactly attention to the cache multiplies; <see langword="null"/>, the default, takes the class's own <see cref="MlaAttentionAttribute.Precision"/>. A class
    /// whose own is <see cref="MlaPrecision.Highest"/> has cores of that precision alone.
    /// </summary>
    public MlaPrecision? Precision { get; init; }

    /// <summary>
    /// Bytes that all pages together take at most, on top of the limit in tokens; 0, the default, sets none. Rounded down to whole pages.
    /// </summary>
    public long MaxBytes { get; init; }

    /// <summary>Distinguishes the cache in the measurements of the meter "MlaGen": the tag <c>mlagen.cache.name</c>. "default" unless another is given.</summary>
    public string Name { get; init; } = "default";

    /// <summary>
    /// Where slabs, runs of whole pages, are rented from; <see langword="null"/>, the default, takes pinned managed arrays aligned to 64 bytes.
    /// A slab is rented when its first page is needed and given back when the cache is disposed. It need not be cleared:
    /// what lies beyond a sequence's length is never used.
    /// </summary>
    /// <remarks>No slab exceeds <see cref="MemoryPool{T}.MaxBufferSize"/>, which must hold at least one page. The pool is not disposed with the cache.</remarks>
    public MemoryPool<byte>? Memory { get; init; }

    /// <summary>Called before everything that can run out, memory or disk; may throw in its stead.</summary>
    internal Action? Fault { get; init; }
}
