using MlaGen.Tests.Attention;

namespace MlaGen.Tests.Acceptance;

// Head counts and formats of the suite that no other test has a class for. What attention on latents does depends on heads, latent, rope
// and format alone: everything else is as small as it may be.

/// <summary>One head.</summary>
[MlaAttention(HiddenSize = 64, Heads = 1, KvLoraRank = 64, QkNopeHeadDim = 16, QkRopeHeadDim = 16, VHeadDim = 16, MaxPositionEmbeddings = 16384)]
public sealed partial class Heads1Attention;

/// <summary>Fewer heads than any vector has lanes.</summary>
[MlaAttention(HiddenSize = 64, Heads = 3, KvLoraRank = 64, QkNopeHeadDim = 16, QkRopeHeadDim = 16, VHeadDim = 16, MaxPositionEmbeddings = 16384)]
public sealed partial class Heads3Attention;

/// <summary>One head more than eight lanes.</summary>
[MlaAttention(HiddenSize = 64, Heads = 9, KvLoraRank = 64, QkNopeHeadDim = 16, QkRopeHeadDim = 16, VHeadDim = 16, MaxPositionEmbeddings = 16384)]
public sealed partial class Heads9Attention;

/// <summary>16 heads.</summary>
[MlaAttention(HiddenSize = 64, Heads = 16, KvLoraRank = 64, QkNopeHeadDim = 16, QkRopeHeadDim = 16, VHeadDim = 16, MaxPositionEmbeddings = 16384)]
public sealed partial class Heads16Attention;

/// <summary>One head less than four vectors of 16 lanes.</summary>
[MlaAttention(HiddenSize = 64, Heads = 63, KvLoraRank = 64, QkNopeHeadDim = 16, QkRopeHeadDim = 16, VHeadDim = 16, MaxPositionEmbeddings = 16384)]
public sealed partial class Heads63Attention;

/// <summary>64 heads.</summary>
[MlaAttention(HiddenSize = 64, Heads = 64, KvLoraRank = 64, QkNopeHeadDim = 16, QkRopeHeadDim = 16, VHeadDim = 16, MaxPositionEmbeddings = 16384)]
public sealed partial class Heads64Attention;

/// <summary>128 heads.</summary>
[MlaAttention(HiddenSize = 64, Heads = 128, KvLoraRank = 64, QkNopeHeadDim = 16, QkRopeHeadDim = 16, VHeadDim = 16, MaxPositionEmbeddings = 16384)]
public sealed partial class Heads128Attention;

/// <summary>DeepSeek-V3's heads and cached row.</summary>
[MlaAttention(HiddenSize = 64, Heads = 128, QkNopeHeadDim = 16, VHeadDim = 16, MaxPositionEmbeddings = 16384)]
public sealed partial class WideAttention;

/// <summary>GLM-4.7-Flash's heads and cached row.</summary>
[MlaAttention(HiddenSize = 64, Heads = 20, QkNopeHeadDim = 16, VHeadDim = 16, MaxPositionEmbeddings = 16384)]
public sealed partial class Heads20Attention;

/// <summary>MiniCPM3's heads and cached row.</summary>
[MlaAttention(HiddenSize = 64, Heads = 40, KvLoraRank = 256, QkNopeHeadDim = 16, QkRopeHeadDim = 32, VHeadDim = 16, MaxPositionEmbeddings = 16384)]
public sealed partial class Heads40Attention;

/// <summary>96 heads, a latent of 256, nope and rope of the same width.</summary>
[MlaAttention(HiddenSize = 64, Heads = 96, KvLoraRank = 256, QkNopeHeadDim = 64, VHeadDim = 64, MaxPositionEmbeddings = 16384)]
public sealed partial class Heads96Attention;

/// <summary>64 heads on bf16.</summary>
[MlaAttention(HiddenSize = 64, Heads = 64, KvLoraRank = 64, QkNopeHeadDim = 16, QkRopeHeadDim = 16, VHeadDim = 16, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.BFloat16)]
public sealed partial class Heads64BFloat16Attention;

/// <summary>64 heads on fp16.</summary>
[MlaAttention(HiddenSize = 64, Heads = 64, KvLoraRank = 64, QkNopeHeadDim = 16, QkRopeHeadDim = 16, VHeadDim = 16, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.Float16)]
public sealed partial class Heads64Float16Attention;

/// <summary>64 heads on e4m3.</summary>
[MlaAttention(HiddenSize = 64, Heads = 64, KvLoraRank = 64, QkNopeHeadDim = 16, QkRopeHeadDim = 16, VHeadDim = 16, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.Float8)]
public sealed partial class Heads64Float8Attention;

/// <summary>64 heads on 8-bit integers.</summary>
[MlaAttention(HiddenSize = 64, Heads = 64, KvLoraRank = 64, QkNopeHeadDim = 16, QkRopeHeadDim = 16, VHeadDim = 16, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.Int8)]
public sealed partial class Heads64Int8Attention;
