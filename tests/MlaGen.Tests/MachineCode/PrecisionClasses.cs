namespace MlaGen.Tests.MachineCode;

/// <summary>The story model's heads and row, at precision medium.</summary>
[MlaAttention(HiddenSize = 64, Heads = 8, KvLoraRank = 64, QkNopeHeadDim = 16, QkRopeHeadDim = 16, VHeadDim = 16, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.BFloat16, Precision = MlaPrecision.Medium)]
public sealed partial class Medium8Attention;

/// <summary>16 heads on a whole row, at precision medium.</summary>
[MlaAttention(HiddenSize = 64, Heads = 16, KvLoraRank = 512, QkNopeHeadDim = 16, QkRopeHeadDim = 64, VHeadDim = 16, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.BFloat16, Precision = MlaPrecision.Medium)]
public sealed partial class Medium16Attention;

/// <summary>20 heads, the last ones in a panel of their own, at precision medium.</summary>
[MlaAttention(HiddenSize = 64, Heads = 20, KvLoraRank = 512, QkNopeHeadDim = 16, QkRopeHeadDim = 64, VHeadDim = 16, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.BFloat16, Precision = MlaPrecision.Medium)]
public sealed partial class Medium20Attention;

/// <summary>40 heads on a narrow row, at precision medium.</summary>
[MlaAttention(HiddenSize = 64, Heads = 40, KvLoraRank = 256, QkNopeHeadDim = 16, QkRopeHeadDim = 32, VHeadDim = 16, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.BFloat16, Precision = MlaPrecision.Medium)]
public sealed partial class Medium40Attention;

/// <summary>DeepSeek-V3's heads and row, at precision medium.</summary>
[MlaAttention(HiddenSize = 64, Heads = 128, KvLoraRank = 512, QkNopeHeadDim = 16, QkRopeHeadDim = 64, VHeadDim = 16, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.BFloat16, Precision = MlaPrecision.Medium)]
public sealed partial class Medium128Attention;

/// <summary>The story model's heads and row, at precision high.</summary>
[MlaAttention(HiddenSize = 64, Heads = 8, KvLoraRank = 64, QkNopeHeadDim = 16, QkRopeHeadDim = 16, VHeadDim = 16, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.BFloat16, Precision = MlaPrecision.High)]
public sealed partial class High8Attention;

/// <summary>16 heads on a whole row, at precision high.</summary>
[MlaAttention(HiddenSize = 64, Heads = 16, KvLoraRank = 512, QkNopeHeadDim = 16, QkRopeHeadDim = 64, VHeadDim = 16, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.BFloat16, Precision = MlaPrecision.High)]
public sealed partial class High16Attention;

/// <summary>20 heads, the last ones in a panel of their own, at precision high.</summary>
[MlaAttention(HiddenSize = 64, Heads = 20, KvLoraRank = 512, QkNopeHeadDim = 16, QkRopeHeadDim = 64, VHeadDim = 16, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.BFloat16, Precision = MlaPrecision.High)]
public sealed partial class High20Attention;

/// <summary>40 heads on a narrow row, at precision high.</summary>
[MlaAttention(HiddenSize = 64, Heads = 40, KvLoraRank = 256, QkNopeHeadDim = 16, QkRopeHeadDim = 32, VHeadDim = 16, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.BFloat16, Precision = MlaPrecision.High)]
public sealed partial class High40Attention;

/// <summary>DeepSeek-V3's heads and row, at precision high.</summary>
[MlaAttention(HiddenSize = 64, Heads = 128, KvLoraRank = 512, QkNopeHeadDim = 16, QkRopeHeadDim = 64, VHeadDim = 16, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.BFloat16, Precision = MlaPrecision.High)]
public sealed partial class High128Attention;

/// <summary>Rows that have to be rounded first.</summary>
[MlaAttention(HiddenSize = 64, Heads = 20, KvLoraRank = 96, QkNopeHeadDim = 16, QkRopeHeadDim = 8, VHeadDim = 16, MaxPositionEmbeddings = 16384, Precision = MlaPrecision.Medium)]
public sealed partial class MediumFloatAttention;
