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
public sealed record MlaShape(
    int HiddenSize,
    int Heads,
    int QLoraRank,
    int KvLoraRank,
    int QkNopeHeadDim,
    int QkRopeHeadDim,
    int VHeadDim,
    int MaxPositionEmbeddings)
{
    /// <summary>Elements the cache keeps of a token in one layer: latent, then rotary key.</summary>
    public int CacheRowElements => KvLoraRank + QkRopeHeadDim;

    /// <summary>Width of a head's query and key.</summary>
    public int QkHeadDim => QkNopeHeadDim + QkRopeHeadDim;
}
