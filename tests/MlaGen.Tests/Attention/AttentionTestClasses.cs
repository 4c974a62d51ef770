namespace MlaGen.Tests.Attention;

// Small shapes, each with what the others lack: head counts beside the widths of vectors, ropes of 16, 6 and 0, every projection and position scheme.

/// <summary>DeepSeek-V3 in small: query rank, interleaved YaRN.</summary>
[MlaAttention(
    HiddenSize = 128, Heads = 8, QLoraRank = 48, KvLoraRank = 64, QkNopeHeadDim = 32, QkRopeHeadDim = 16, VHeadDim = 32,
    MaxPositionEmbeddings = 8192, RopeScaling = RopeScaling.Yarn, RopeFactor = 40, OriginalMaxPositionEmbeddings = 4096, Mscale = 1, MscaleAllDim = 1)]
public sealed partial class YarnAttention;

/// <summary>The same in place of a model with a sparse indexer, within its reach.</summary>
[MlaAttention(
    HiddenSize = 128, Heads = 8, QLoraRank = 48, KvLoraRank = 64, QkNopeHeadDim = 32, QkRopeHeadDim = 16, VHeadDim = 32,
    MaxPositionEmbeddings = 2048, AllowDense = true)]
public sealed partial class DenseAttention;

/// <summary>Nothing is a multiple of a vector: 7 heads, a rope of 6, a value narrower than the key, biases, half-split.</summary>
[MlaAttention(
    HiddenSize = 100, Heads = 7, QLoraRank = 44, KvLoraRank = 72, QkNopeHeadDim = 20, QkRopeHeadDim = 6, VHeadDim = 12,
    MaxPositionEmbeddings = 16384, AttentionBias = true, RopeLayout = RopeLayout.HalfSplit)]
public sealed partial class OddAttention;

/// <summary>No rotary part at all, a full query projection, 22 heads.</summary>
[MlaAttention(HiddenSize = 96, Heads = 22, KvLoraRank = 64, QkNopeHeadDim = 16, QkRopeHeadDim = 0, VHeadDim = 16, MaxPositionEmbeddings = 8192)]
public sealed partial class RopelessAttention;

/// <summary>One head, a rotary part that is not turned, a latent of 256.</summary>
[MlaAttention(
    HiddenSize = 64, Heads = 1, KvLoraRank = 256, QkNopeHeadDim = 64, QkRopeHeadDim = 64, VHeadDim = 64,
    MaxPositionEmbeddings = 8192, RopeLayout = RopeLayout.None)]
public sealed partial class OneHeadAttention;

/// <summary>Latents scaled as LongCat's, queries growing as Mistral's, LongRoPE, 20 heads of a value wider than the key.</summary>
[MlaAttention(
    HiddenSize = 160, Heads = 20, QLoraRank = 40, KvLoraRank = 96, QkNopeHeadDim = 24, QkRopeHeadDim = 8, VHeadDim = 40,
    MaxPositionEmbeddings = 8192, RopeFactor = 256, OriginalMaxPositionEmbeddings = 32, RopeScaling = RopeScaling.LongRope,
    ShortFactor = new[] { 1, 1.1, 1.5, 3 }, LongFactor = new[] { 1, 1.1, 1.5, 3 }, ScaleQLora = true, ScaleKvLora = true, Llama4ScalingBeta = 0.1)]
public sealed partial class ScaledAttention;

/// <summary>A.X-K2's gate, through the query projection, beside biases and widths that are no multiple of a vector.</summary>
[MlaAttention(
    HiddenSize = 100, Heads = 7, QLoraRank = 44, KvLoraRank = 72, QkNopeHeadDim = 20, QkRopeHeadDim = 6, VHeadDim = 12,
    MaxPositionEmbeddings = 16384, AttentionBias = true, OutputGate = OutputGate.Query)]
public sealed partial class QueryGateAttention;

/// <summary>Hy4's gate and sinks.</summary>
[MlaAttention(
    HiddenSize = 100, Heads = 7, QLoraRank = 44, KvLoraRank = 72, QkNopeHeadDim = 20, QkRopeHeadDim = 6, VHeadDim = 12,
    MaxPositionEmbeddings = 16384, RopeLayout = RopeLayout.HalfSplit, OutputGate = OutputGate.ElementWise, OutputGateName = "linear_gate", AttentionSinks = true)]
public sealed partial class GateAndSinkAttention;

/// <summary>Ling 3's gate, one a head.</summary>
[MlaAttention(
    HiddenSize = 96, Heads = 22, KvLoraRank = 64, QkNopeHeadDim = 16, QkRopeHeadDim = 0, VHeadDim = 16, MaxPositionEmbeddings = 8192, OutputGate = OutputGate.HeadWise)]
public sealed partial class HeadGateAttention;

/// <summary>Sinks and no gate.</summary>
[MlaAttention(
    HiddenSize = 128, Heads = 8, QLoraRank = 48, KvLoraRank = 64, QkNopeHeadDim = 32, QkRopeHeadDim = 16, VHeadDim = 32, MaxPositionEmbeddings = 8192, AttentionSinks = true)]
public sealed partial class SinkAttention;

/// <summary>More heads than any register tile: 126, a multiple of no vector.</summary>
[MlaAttention(HiddenSize = 64, Heads = 126, QLoraRank = 32, KvLoraRank = 64, QkNopeHeadDim = 16, QkRopeHeadDim = 16, VHeadDim = 16, MaxPositionEmbeddings = 8192)]
public sealed partial class ManyHeadsAttention;
