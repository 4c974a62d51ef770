using MlaGen;

namespace MlaGenConsole;

/// <summary>One attention layer. The generated part has the projections, the cache and the kernels, all of these dimensions.</summary>
[MlaAttention(
    HiddenSize = 256,
    Heads = 8,
    QLoraRank = 128,
    KvLoraRank = 64,
    QkNopeHeadDim = 32,
    QkRopeHeadDim = 16,
    VHeadDim = 32,
    MaxPositionEmbeddings = 1024)]
internal sealed partial class Attention;
