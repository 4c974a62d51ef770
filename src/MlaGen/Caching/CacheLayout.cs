using MlaGen.Runtime;

namespace MlaGen;

/// <summary>What a cache keeps of a token in one layer, and in how many bytes.</summary>
/// <remarks>Immutable, and so safe for any number of threads.</remarks>
public sealed class CacheLayout
{
    private CacheLayout(MlaDefinition definition, CacheFormat format)
    {
        Format = format;
        Codec = RowCodec.Create(format, definition.Shape);
        IndexCodec = definition.Indexer is { } indexer ? RowCodec.CreateIndex(format, indexer.KeyElements, Codec.Elements) : null;
        Segments = IndexCodec is null ? Codec.Segments : [.. Codec.Segments, .. IndexCodec.Segments];
        PageTokens = definition.Kernels.PageTokens;
        Precision = definition.Precision;
    }

    /// <summary>How a row's elements are encoded.</summary>
    public CacheFormat Format { get; }

    /// <summary>What a row consists of, in order: latent, rotary key, and the index key of a class with a sparse indexer.</summary>
    public IReadOnlyList<RowSegment> Segments { get; }

    /// <summary>Elements of a row.</summary>
    public int RowElements => Codec.Elements + (IndexCodec?.Elements ?? 0);

    /// <summary>Bytes of a row.</summary>
    public int RowBytes => Codec.RowBytes + (IndexCodec?.RowBytes ?? 0);

    /// <summary>Tokens that a page holds unless <see cref="LatentCacheOptions.PageTokens"/> says otherwise: pages of a multiple of it are read without a copy.</summary>
    public int PageTokens { get; }

    /// <summary>The class's own precision.</summary>
    internal MlaPrecision Precision { get; }

    /// <summary>Between floats and bytes of what attention reads of a row.</summary>
    internal RowCodec Codec { get; }

    /// <summary>Between floats and bytes of what a sparse indexer reads of a row; null for a class that has none.</summary>
    internal RowCodec? IndexCodec { get; }

    /// <summary>The layout of a class's caches.</summary>
    /// <typeparam name="TAttention">A class generated from <see cref="MlaAttentionAttribute"/>.</typeparam>
    /// <param name="format">How rows are encoded; <see langword="null"/> for the class's own <see cref="MlaAttentionAttribute.CacheFormat"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such format.</exception>
    /// <exception cref="InvalidOperationException">The class was emitted for another version of the package.</exception>
    public static CacheLayout Of<TAttention>(CacheFormat? format = null)
        where TAttention : class, IMlaAttention<TAttention> => Of(TAttention.Definition, format);

    /// <summary>Bytes that a cache for so many tokens takes at most, whole pages counted. Nothing is allocated.</summary>
    /// <param name="layers">Layers of the model.</param>
    /// <param name="tokens">Tokens of all sequences together.</param>
    /// <param name="pageTokens">Tokens a page holds; 0 for <see cref="PageTokens"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is negative.</exception>
    /// <exception cref="OverflowException">More than <see cref="long.MaxValue"/> bytes.</exception>
    public long Bytes(int layers, long tokens, int pageTokens = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(layers);
        ArgumentOutOfRangeException.ThrowIfNegative(tokens);
        ArgumentOutOfRangeException.ThrowIfNegative(pageTokens);
        long page = pageTokens == 0 ? PageTokens : pageTokens;
        long pages = (tokens / page) + (tokens % page == 0 ? 0 : 1);
        Int128 bytes = (Int128)pages * page * layers * RowBytes;
        return bytes <= long.MaxValue
            ? (long)bytes
            : throw new OverflowException(FormattableString.Invariant($"{Counted.Of(pages, "page")} of {Counted.Of(page, "token")} x {Counted.Of(layers, "layer")} x {Counted.Of(RowBytes, "byte")} are {Counted.Of(bytes, "byte")}; at most {long.MaxValue} can be told."));
    }

    internal static CacheLayout Of(MlaDefinition definition, CacheFormat? format) => format is { } asked && !Enum.IsDefined(asked)
        ? throw new ArgumentOutOfRangeException(nameof(format), asked, "There is no such cache format.")
        : new(definition.Checked(), format ?? definition.CacheFormat);
}
