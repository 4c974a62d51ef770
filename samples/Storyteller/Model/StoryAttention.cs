using MlaGen;

namespace Storyteller.Model;

/// <summary>The attention of the story model: MLA with its context stretched fourfold by YaRN.</summary>
[MlaAttention(
    HiddenSize = 256,
    Heads = 8,
    QLoraRank = 128,
    KvLoraRank = 64,
    QkNopeHeadDim = 32,
    QkRopeHeadDim = 16,
    VHeadDim = 32,
    MaxPositionEmbeddings = 1024,
    RopeScaling = RopeScaling.Yarn,
    RopeFactor = 4,
    OriginalMaxPositionEmbeddings = 256,
    Mscale = 1,
    MscaleAllDim = 1)]
public sealed partial class StoryAttention;
