namespace MlaGen.Tests.MachineCode;

/// <summary>A few of DeepSeek-V3's heads, at precision medium.</summary>
[MlaAttention(HiddenSize = 64, Heads = 3, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.BFloat16, Precision = MlaPrecision.Medium)]
public sealed partial class MediumPrefillAttention;

/// <summary>A few of DeepSeek-V3's heads, at precision high.</summary>
[MlaAttention(HiddenSize = 64, Heads = 3, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.BFloat16, Precision = MlaPrecision.High)]
public sealed partial class HighPrefillAttention;

/// <summary>GLM-4.7-Flash's keys and values, from rows that have to be decoded.</summary>
[MlaAttention(
    HiddenSize = 64, Heads = 2, QkNopeHeadDim = 192, VHeadDim = 256, MaxPositionEmbeddings = 16384, CacheFormat = CacheFormat.Float8, Precision = MlaPrecision.Medium)]
public sealed partial class MediumFloat8PrefillAttention;

/// <summary>Widths that are no multiple of a vector, on rows of floats, with a gate and sinks.</summary>
[MlaAttention(
    HiddenSize = 100, Heads = 7, QLoraRank = 44, KvLoraRank = 96, QkNopeHeadDim = 21, QkRopeHeadDim = 6, VHeadDim = 13, MaxPositionEmbeddings = 16384,
    RopeLayout = RopeLayout.HalfSplit, OutputGate = OutputGate.ElementWise, OutputGateName = "linear_gate", AttentionSinks = true, Precision = MlaPrecision.Medium)]
public sealed partial class MediumSinkPrefillAttention;

/// <summary>The same widths on rows of bfloat16, at precision high.</summary>
[MlaAttention(
    HiddenSize = 100, Heads = 7, QLoraRank = 44, KvLoraRank = 96, QkNopeHeadDim = 21, QkRopeHeadDim = 6, VHeadDim = 13, MaxPositionEmbeddings = 16384,
    RopeLayout = RopeLayout.HalfSplit, OutputGate = OutputGate.ElementWise, OutputGateName = "linear_gate", AttentionSinks = true,
    CacheFormat = CacheFormat.BFloat16, Precision = MlaPrecision.High)]
public sealed partial class HighSinkPrefillAttention;
