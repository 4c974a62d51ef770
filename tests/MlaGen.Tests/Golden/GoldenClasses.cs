using MlaGen.Tests.Attention;

namespace MlaGen.Tests.Golden;

// The layers that transformers computed, one class a golden file, as a user would declare them from the model's configuration.
// Their caches of floats are exact all the same: products by terms are for rows of bfloat16.

[MlaAttention(
    Precision = MlaPrecision.High, HiddenSize = 256, Heads = 8, QLoraRank = 96, KvLoraRank = 64, QkNopeHeadDim = 32, QkRopeHeadDim = 16, VHeadDim = 32)]
public sealed partial class TinyAttention : IGoldenAttention<TinyAttention>
{
    public static string CaseName => "tiny";
}

[MlaAttention(
    Precision = MlaPrecision.High, HiddenSize = 256, Heads = 12, QLoraRank = 80, KvLoraRank = 96, QkNopeHeadDim = 48, QkRopeHeadDim = 32, VHeadDim = 64,
    AttentionBias = true, RopeLayout = RopeLayout.HalfSplit)]
public sealed partial class BiasHalfSplitAttention : IGoldenAttention<BiasHalfSplitAttention>
{
    public static string CaseName => "bias-halfsplit";
}

[MlaAttention(
    Precision = MlaPrecision.High, HiddenSize = 512, Heads = 16,
    MaxPositionEmbeddings = 163840, RopeScaling = RopeScaling.Yarn, RopeFactor = 40, OriginalMaxPositionEmbeddings = 4096, Mscale = 0.707, MscaleAllDim = 0.707)]
public sealed partial class DeepSeekV2LiteAttention : IGoldenAttention<DeepSeekV2LiteAttention>
{
    public static string CaseName => "deepseek-v2-lite";
}

[MlaAttention(
    Precision = MlaPrecision.High, HiddenSize = 512, Heads = 128, QLoraRank = 1536,
    MaxPositionEmbeddings = 163840, RopeScaling = RopeScaling.Yarn, RopeFactor = 40, OriginalMaxPositionEmbeddings = 4096, Mscale = 1, MscaleAllDim = 1)]
public sealed partial class DeepSeekV3Attention : IGoldenAttention<DeepSeekV3Attention>
{
    public static string CaseName => "deepseek-v3";
}

[MlaAttention(
    Precision = MlaPrecision.High, HiddenSize = 512, Heads = 128, QLoraRank = 1536,
    MaxPositionEmbeddings = 163840, RopeScaling = RopeScaling.Yarn, RopeFactor = 40, OriginalMaxPositionEmbeddings = 4096, Mscale = 1, MscaleAllDim = 1)]
public sealed partial class DeepSeekV3LateAttention : IGoldenAttention<DeepSeekV3LateAttention>
{
    public static string CaseName => "deepseek-v3-late";
}

[MlaAttention(
    Precision = MlaPrecision.High, HiddenSize = 512, Heads = 20, QLoraRank = 768, QkNopeHeadDim = 192, VHeadDim = 256,
    RopeTheta = 1e6)]
public sealed partial class Glm47FlashAttention : IGoldenAttention<Glm47FlashAttention>
{
    public static string CaseName => "glm-4.7-flash";
}

[MlaAttention(
    Precision = MlaPrecision.High, HiddenSize = 512, Heads = 64, QLoraRank = 1536,
    MaxPositionEmbeddings = 163840, RopeTheta = 50000, RopeScaling = RopeScaling.Yarn, RopeFactor = 32, OriginalMaxPositionEmbeddings = 4096, BetaFast = 1, BetaSlow = 1, Mscale = 1, MscaleAllDim = 1)]
public sealed partial class KimiK2Attention : IGoldenAttention<KimiK2Attention>
{
    public static string CaseName => "kimi-k2";
}

[MlaAttention(
    Precision = MlaPrecision.High, HiddenSize = 512, Heads = 32,
    RopeLayout = RopeLayout.None)]
public sealed partial class KimiLinearAttention : IGoldenAttention<KimiLinearAttention>
{
    public static string CaseName => "kimi-linear";
}

[MlaAttention(
    Precision = MlaPrecision.High, HiddenSize = 768, Heads = 64, QLoraRank = 1536,
    RopeTheta = 1e7, ScaleQLora = true, ScaleKvLora = true)]
public sealed partial class LongCatFlashAttention : IGoldenAttention<LongCatFlashAttention>
{
    public static string CaseName => "longcat-flash";
}

[MlaAttention(
    Precision = MlaPrecision.High, HiddenSize = 320, Heads = 40, QLoraRank = 768, KvLoraRank = 256, QkNopeHeadDim = 64, QkRopeHeadDim = 32, VHeadDim = 64,
    MaxPositionEmbeddings = 32768, RopeLayout = RopeLayout.HalfSplit)]
public sealed partial class MiniCpm3Attention : IGoldenAttention<MiniCpm3Attention>
{
    public static string CaseName => "minicpm3";
}

[MlaAttention(
    Precision = MlaPrecision.High, HiddenSize = 512, Heads = 32, QLoraRank = 1024, KvLoraRank = 256, QkNopeHeadDim = 64,
    MaxPositionEmbeddings = 1048576, RopeScaling = RopeScaling.Yarn, RopeFactor = 128, OriginalMaxPositionEmbeddings = 8192, Mscale = 1, MscaleAllDim = 1, Llama4ScalingBeta = 0.1)]
public sealed partial class Mistral4Attention : IGoldenAttention<Mistral4Attention>
{
    public static string CaseName => "mistral-4";
}

// Two mistakes on purpose, for a test that they are noticed.

/// <summary>The tiny case with its pairs taken half-split.</summary>
[MlaAttention(
    Precision = MlaPrecision.High, HiddenSize = 256, Heads = 8, QLoraRank = 96, KvLoraRank = 64, QkNopeHeadDim = 32, QkRopeHeadDim = 16, VHeadDim = 32,
    RopeLayout = RopeLayout.HalfSplit)]
public sealed partial class WrongPairingAttention : IGoldenAttention<WrongPairingAttention>
{
    public static string CaseName => "tiny";
}

/// <summary>The tiny case with the softmax scale of the cached row's width, (64 + 16)^-0.5.</summary>
[MlaAttention(
    Precision = MlaPrecision.High, HiddenSize = 256, Heads = 8, QLoraRank = 96, KvLoraRank = 64, QkNopeHeadDim = 32, QkRopeHeadDim = 16, VHeadDim = 32,
    SoftmaxScale = 0.11180339887498948)]
public sealed partial class WrongScaleAttention : IGoldenAttention<WrongScaleAttention>
{
    public static string CaseName => "tiny";
}
