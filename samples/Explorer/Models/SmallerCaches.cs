using MlaGen;

namespace Explorer.Models;

// The format is part of a class: three of the cores once more for each of the smaller ones. Not all five, because every class takes a second to build.

[MlaAttention(HiddenSize = 16, Heads = 16, MaxPositionEmbeddings = 163840, CacheFormat = CacheFormat.BFloat16)]
internal sealed partial class DeepSeekV2LiteBFloat16;

[MlaAttention(HiddenSize = 16, Heads = 16, MaxPositionEmbeddings = 163840, CacheFormat = CacheFormat.Float16)]
internal sealed partial class DeepSeekV2LiteFloat16;

[MlaAttention(HiddenSize = 16, Heads = 16, MaxPositionEmbeddings = 163840, CacheFormat = CacheFormat.Float8)]
internal sealed partial class DeepSeekV2LiteFloat8;

[MlaAttention(HiddenSize = 16, Heads = 16, MaxPositionEmbeddings = 163840, CacheFormat = CacheFormat.Int8)]
internal sealed partial class DeepSeekV2LiteInt8;

[MlaAttention(HiddenSize = 16, Heads = 64, MaxPositionEmbeddings = 131072, CacheFormat = CacheFormat.BFloat16)]
internal sealed partial class KimiK2BFloat16;

[MlaAttention(HiddenSize = 16, Heads = 64, MaxPositionEmbeddings = 131072, CacheFormat = CacheFormat.Float16)]
internal sealed partial class KimiK2Float16;

[MlaAttention(HiddenSize = 16, Heads = 64, MaxPositionEmbeddings = 131072, CacheFormat = CacheFormat.Float8)]
internal sealed partial class KimiK2Float8;

[MlaAttention(HiddenSize = 16, Heads = 64, MaxPositionEmbeddings = 131072, CacheFormat = CacheFormat.Int8)]
internal sealed partial class KimiK2Int8;

[MlaAttention(HiddenSize = 16, Heads = 128, MaxPositionEmbeddings = 163840, CacheFormat = CacheFormat.BFloat16)]
internal sealed partial class DeepSeekV3BFloat16;

[MlaAttention(HiddenSize = 16, Heads = 128, MaxPositionEmbeddings = 163840, CacheFormat = CacheFormat.Float16)]
internal sealed partial class DeepSeekV3Float16;

[MlaAttention(HiddenSize = 16, Heads = 128, MaxPositionEmbeddings = 163840, CacheFormat = CacheFormat.Float8)]
internal sealed partial class DeepSeekV3Float8;

[MlaAttention(HiddenSize = 16, Heads = 128, MaxPositionEmbeddings = 163840, CacheFormat = CacheFormat.Int8)]
internal sealed partial class DeepSeekV3Int8;
