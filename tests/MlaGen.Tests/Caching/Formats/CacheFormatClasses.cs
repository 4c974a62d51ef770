using MlaGen.Tests.Attention;

namespace MlaGen.Tests.Caching.Formats;

// One class a format; latents with a short last group where there are groups.

/// <summary>bf16, nothing a multiple of a vector.</summary>
[MlaAttention(HiddenSize = 100, Heads = 7, KvLoraRank = 72, QkNopeHeadDim = 20, QkRopeHeadDim = 6, VHeadDim = 12, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.BFloat16)]
public sealed partial class BFloat16Attention;

/// <summary>fp16.</summary>
[MlaAttention(HiddenSize = 64, Heads = 4, KvLoraRank = 64, QkNopeHeadDim = 16, QkRopeHeadDim = 16, VHeadDim = 16, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.Float16)]
public sealed partial class Float16Attention;

/// <summary>e4m3, groups of 128 and 72.</summary>
[MlaAttention(HiddenSize = 64, Heads = 20, KvLoraRank = 200, QkNopeHeadDim = 24, QkRopeHeadDim = 16, VHeadDim = 24, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.Float8)]
public sealed partial class Float8Attention;

/// <summary>Integers, groups of 64 and 33: an odd latent, so that scales and rotary keys lie at odd addresses.</summary>
[MlaAttention(HiddenSize = 64, Heads = 8, KvLoraRank = 97, QkNopeHeadDim = 16, QkRopeHeadDim = 8, VHeadDim = 16, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.Int8)]
public sealed partial class Int8Attention;
