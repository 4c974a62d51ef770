namespace MlaGen;

/// <summary>The dimensions of an MLA layer, as a value.</summary>
/// <param name="HiddenSize">Width of the residual stream.</param>
/// <param name="Heads">Attention heads.</param>
/// <param name="QLoraRank">Rank of the query's low-rank projection, 0 for none.</param>
/// <param name="KvLoraRank">Width of the latent.</param>
/// <param name="QkNopeHeadDim">Width of a head's key without the rotary part.</param>
/// <param name="QkRopeHeadDim">Width of the rotary key all heads share.</param>
/// <param name="VHeadDim">Width of a head's value.</param>
/// <param name="MaxPositionEmbeddings">Positions run below this.</param>
/// <param name="CacheRowBytes">Bytes the cache keeps of a token in one layer.</param>
/// <param name="BlockTokens">Tokens the widest tier's kernel handles at once: pages of a multiple of it are read without a copy.</param>
/// <param name="CacheFormat">How those bytes are laid out.</param>
public sealed record MlaShape(
    int HiddenSize,
    int Heads,
    int QLoraRank,
    int KvLoraRank,
    int QkNopeHeadDim,
    int QkRopeHeadDim,
    int VHeadDim,
    int MaxPositionEmbeddings,
    int CacheRowBytes,
    int BlockTokens,
    CacheFormat CacheFormat = CacheFormat.Float32)
{
    /// <summary>Elements the cache keeps of a token in one layer: latent, then rotary key.</summary>
    public int CacheRowElements => KvLoraRank + QkRopeHeadDim;

    /// <summary>Width of a head's query and key.</summary>
    public int QkHeadDim => QkNopeHeadDim + QkRopeHeadDim;

    /// <summary>Bytes that a cache for so many tokens takes at most, whole pages counted.</summary>
    /// <param name="layers">Layers of the model.</param>
    /// <param name="tokens">Tokens of all sequences together.</param>
    /// <param name="pageTokens">Tokens a page holds; 0 for <see cref="BlockTokens"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is negative.</exception>
    /// <exception cref="OverflowException">More than <see cref="long.MaxValue"/> bytes.</exception>
    public long CacheBytes(int layers, long tokens, int pageTokens = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(layers);
        ArgumentOutOfRangeException.ThrowIfNegative(tokens);
        ArgumentOutOfRangeException.ThrowIfNegative(pageTokens);
        long page = pageTokens == 0 ? BlockTokens : pageTokens;
        long pages = (tokens / page) + (tokens % page == 0 ? 0 : 1);
        Int128 bytes = (Int128)pages * page * layers * CacheRowBytes;
        return bytes <= long.MaxValue
            ? (long)bytes
            : throw new OverflowException(FormattableString.Invariant($"{pages} pages of {page} tokens x {layers} layers x {CacheRowBytes} bytes are {bytes} bytes; at most {long.MaxValue} can be told."));
    }
}
