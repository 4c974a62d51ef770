using MlaGen.Runtime;

namespace MlaGen;

/// <summary>
/// A part of all rows that lies together in a page, because it is read by itself: what attention reads of a token, or what a sparse indexer does,
/// which reads every token for each query and would otherwise stride over the rest.
/// </summary>
/// <param name="codec">Between floats and the bytes of a row's part.</param>
/// <param name="start">Where the plane begins within a page's layer.</param>
/// <param name="pageTokens">Tokens of a page.</param>
internal sealed class RowPlane(RowCodec codec, int start, int pageTokens)
{
    public RowCodec Codec { get; } = codec;

    public int Start { get; } = start;

    public int Bytes { get; } = codec.RowBytes * pageTokens;
}
