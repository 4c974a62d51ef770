using MlaGen;

namespace Cluster.Segments;

/// <summary>What all segments have in common; every process is told the same.</summary>
/// <param name="Layers">Layers of the model.</param>
/// <param name="Tokens">Tokens of a segment.</param>
/// <param name="Stories">Stories, each of which has tokens in it.</param>
/// <param name="Format">How the cache keeps them.</param>
/// <param name="Wire">How queries and partial outputs travel.</param>
/// <param name="Shape">Whose dimensions they have.</param>
/// <param name="Directory">Where segments are saved; <see langword="null"/> for nowhere.</param>
/// <param name="SaveInterval">Tokens after which one that is not full is saved again.</param>
internal sealed record SegmentOptions(int Layers, int Tokens, int Stories, CacheFormat Format, WireFormat Wire, SegmentShape Shape, string? Directory, int SaveInterval)
{
    /// <summary>A segment without tokens.</summary>
    public ISegment Create(MlaExecutor executor) => Shape switch
    {
        SegmentShape.Story => new Segment<LongStoryAttention>(this, executor),
        _ => new Segment<WideAttention>(this, executor),
    };
}

/// <summary>Attentions that segments can be made for.</summary>
internal enum SegmentShape
{
    /// <summary>The story model's.</summary>
    Story,

    /// <summary>DeepSeek-V3's, for measurements.</summary>
    Wide,
}
