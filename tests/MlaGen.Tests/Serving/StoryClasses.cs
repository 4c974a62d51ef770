using MlaGen.Tests.Attention;

namespace MlaGen.Tests.Serving;

// The story model's layer, one class a cache format; only its positions run further.

[MlaAttention(
    HiddenSize = 256, Heads = 8, QLoraRank = 128, KvLoraRank = 64, QkNopeHeadDim = 32, QkRopeHeadDim = 16, VHeadDim = 32, MaxPositionEmbeddings = 8192,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 4, OriginalMaxPositionEmbeddings = 256, Mscale = 1, MscaleAllDim = 1, CacheFormat = CacheFormat.Float32)]
public sealed partial class Float32Story;

[MlaAttention(
    HiddenSize = 256, Heads = 8, QLoraRank = 128, KvLoraRank = 64, QkNopeHeadDim = 32, QkRopeHeadDim = 16, VHeadDim = 32, MaxPositionEmbeddings = 8192,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 4, OriginalMaxPositionEmbeddings = 256, Mscale = 1, MscaleAllDim = 1, CacheFormat = CacheFormat.BFloat16)]
public sealed partial class BFloat16Story;

[MlaAttention(
    HiddenSize = 256, Heads = 8, QLoraRank = 128, KvLoraRank = 64, QkNopeHeadDim = 32, QkRopeHeadDim = 16, VHeadDim = 32, MaxPositionEmbeddings = 8192,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 4, OriginalMaxPositionEmbeddings = 256, Mscale = 1, MscaleAllDim = 1, CacheFormat = CacheFormat.Float16)]
public sealed partial class Float16Story;

[MlaAttention(
    HiddenSize = 256, Heads = 8, QLoraRank = 128, KvLoraRank = 64, QkNopeHeadDim = 32, QkRopeHeadDim = 16, VHeadDim = 32, MaxPositionEmbeddings = 8192,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 4, OriginalMaxPositionEmbeddings = 256, Mscale = 1, MscaleAllDim = 1, CacheFormat = CacheFormat.Float8)]
public sealed partial class Float8Story;

[MlaAttention(
    HiddenSize = 256, Heads = 8, QLoraRank = 128, KvLoraRank = 64, QkNopeHeadDim = 32, QkRopeHeadDim = 16, VHeadDim = 32, MaxPositionEmbeddings = 8192,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 4, OriginalMaxPositionEmbeddings = 256, Mscale = 1, MscaleAllDim = 1, CacheFormat = CacheFormat.Int8)]
public sealed partial class Int8Story;
