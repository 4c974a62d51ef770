using MlaGen;
using MlaGen.Models;

namespace Chat.Engine;

/// <summary>The classes that checkpoints are loaded with: the first that fits. A line here and a class below add a model.</summary>
internal static class KnownModels
{
    public static IReadOnlyList<AttentionClass> Classes { get; } =
    [
        AttentionClass.Of<StoryAttention>(),
        AttentionClass.Of<DeepSeekV2LiteAttention>(),
        AttentionClass.Of<DeepSeekV2Attention>(),
        AttentionClass.Of<DeepSeekV25Attention>(),
        AttentionClass.Of<DeepSeekV3Attention>(),
        AttentionClass.Of<KimiK2Attention>(),
        AttentionClass.Of<KimiK2LongAttention>(),
        AttentionClass.Of<KimiK2ThinkingAttention>(),
        AttentionClass.Of<MoonlightAttention>(),
        AttentionClass.Of<Glm47FlashAttention>(),
        AttentionClass.Of<YoutuAttention>(),
        AttentionClass.Of<MiniCpm3Attention>(),
        AttentionClass.Of<AXK1Attention>(),
        AttentionClass.Of<Mistral4Attention>(),
        AttentionClass.Of<LongCatFlashAttention>(),
        AttentionClass.Of<DeepSeekV32Attention>(),
        AttentionClass.Of<Glm5Attention>(),
        AttentionClass.Of<Glm52Attention>(),
        AttentionClass.Of<AXK2LightAttention>(),
        AttentionClass.Of<Hy4Attention>(),
    ];
}

/// <summary>The model that comes with the program.</summary>
[MlaAttention("StoryModel")]
internal sealed partial class StoryAttention;

/// <summary>DeepSeek-V2-Lite and Coder-V2-Lite.</summary>
[MlaAttention(HiddenSize = 2048, Heads = 16, MaxPositionEmbeddings = 163840,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 40, OriginalMaxPositionEmbeddings = 4096, Mscale = 0.707, MscaleAllDim = 0.707)]
internal sealed partial class DeepSeekV2LiteAttention;

/// <summary>DeepSeek-V2.</summary>
[MlaAttention(HiddenSize = 5120, Heads = 128, QLoraRank = 1536, MaxPositionEmbeddings = 163840,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 40, OriginalMaxPositionEmbeddings = 4096, Mscale = 0.707, MscaleAllDim = 0.707)]
internal sealed partial class DeepSeekV2Attention;

/// <summary>DeepSeek-V2.5 and Coder-V2.</summary>
[MlaAttention(HiddenSize = 5120, Heads = 128, QLoraRank = 1536, MaxPositionEmbeddings = 163840,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 40, OriginalMaxPositionEmbeddings = 4096, Mscale = 1, MscaleAllDim = 1)]
internal sealed partial class DeepSeekV25Attention;

/// <summary>DeepSeek-V3, R1 and V3.1.</summary>
[MlaAttention(HiddenSize = 7168, Heads = 128, QLoraRank = 1536, MaxPositionEmbeddings = 163840,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 40, OriginalMaxPositionEmbeddings = 4096, Mscale = 1, MscaleAllDim = 1)]
internal sealed partial class DeepSeekV3Attention;

/// <summary>Kimi-K2.</summary>
[MlaAttention(HiddenSize = 7168, Heads = 64, QLoraRank = 1536, MaxPositionEmbeddings = 131072, RopeTheta = 50000,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 32, OriginalMaxPositionEmbeddings = 4096, BetaFast = 1, BetaSlow = 1, Mscale = 1, MscaleAllDim = 1)]
internal sealed partial class KimiK2Attention;

/// <summary>Kimi-K2 of September 2025.</summary>
[MlaAttention(HiddenSize = 7168, Heads = 64, QLoraRank = 1536, MaxPositionEmbeddings = 262144, RopeTheta = 50000,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 64, OriginalMaxPositionEmbeddings = 4096, BetaFast = 1, BetaSlow = 1, Mscale = 1, MscaleAllDim = 1)]
internal sealed partial class KimiK2LongAttention;

/// <summary>Kimi-K2-Thinking and K2.5.</summary>
[MlaAttention(HiddenSize = 7168, Heads = 64, QLoraRank = 1536, MaxPositionEmbeddings = 262144, RopeTheta = 50000,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 64, OriginalMaxPositionEmbeddings = 4096, Mscale = 1, MscaleAllDim = 1)]
internal sealed partial class KimiK2ThinkingAttention;

/// <summary>Moonlight.</summary>
[MlaAttention(HiddenSize = 2048, Heads = 16, MaxPositionEmbeddings = 8192, RopeTheta = 50000)]
internal sealed partial class MoonlightAttention;

/// <summary>GLM-4.7-Flash.</summary>
[MlaAttention(HiddenSize = 2048, Heads = 20, QLoraRank = 768, QkNopeHeadDim = 192, VHeadDim = 256, MaxPositionEmbeddings = 202752, RopeTheta = 1000000)]
internal sealed partial class Glm47FlashAttention;

/// <summary>Youtu-LLM.</summary>
[MlaAttention(HiddenSize = 2048, Heads = 16, QLoraRank = 1536, MaxPositionEmbeddings = 131072, RopeTheta = 1600000)]
internal sealed partial class YoutuAttention;

/// <summary>MiniCPM3.</summary>
[MlaAttention(HiddenSize = 2560, Heads = 40, QLoraRank = 768, KvLoraRank = 256, QkRopeHeadDim = 32, QkNopeHeadDim = 64, VHeadDim = 64, MaxPositionEmbeddings = 32768,
    RopeLayout = RopeLayout.HalfSplit, RopeScaling = RopeScaling.LongRope, OriginalMaxPositionEmbeddings = 32768, AttentionFactor = 1, ShortFactor =
    [
        1.0591234137867171, 1.1241891283591912, 1.2596935748670968, 1.5380380402321725, 2.093982484148734, 3.1446935121267696, 4.937952647693647, 7.524541999994549,
        10.475458000005451, 13.062047352306353, 14.85530648787323, 15.906017515851266, 16.461961959767827, 16.740306425132907, 16.87581087164081, 16.940876586213285,
    ],
    LongFactor =
    [
        1.0591234137867171, 1.1241891283591912, 1.2596935748670968, 1.5380380402321725, 2.093982484148734, 3.1446935121267696, 4.937952647693647, 7.524541999994549,
        10.475458000005451, 13.062047352306353, 14.85530648787323, 15.906017515851266, 16.461961959767827, 16.740306425132907, 16.87581087164081, 16.940876586213285,
    ])]
internal sealed partial class MiniCpm3Attention;

/// <summary>A.X-K1.</summary>
[MlaAttention(HiddenSize = 7168, Heads = 64, QLoraRank = 1536, MaxPositionEmbeddings = 131072)]
internal sealed partial class AXK1Attention;

/// <summary>Mistral Small 4, with the softmax scale of transformers.</summary>
[MlaAttention(HiddenSize = 4096, Heads = 32, QLoraRank = 1024, KvLoraRank = 256, QkNopeHeadDim = 64, MaxPositionEmbeddings = 1048576, Llama4ScalingBeta = 0.1,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 128, OriginalMaxPositionEmbeddings = 8192, Mscale = 1, MscaleAllDim = 1)]
internal sealed partial class Mistral4Attention;

/// <summary>LongCat-Flash.</summary>
[MlaAttention(HiddenSize = 6144, Heads = 64, QLoraRank = 1536, MaxPositionEmbeddings = 131072, RopeTheta = 10000000, ScaleQLora = true, ScaleKvLora = true)]
internal sealed partial class LongCatFlashAttention;

/// <summary>DeepSeek-V3.2.</summary>
[MlaAttention(HiddenSize = 7168, Heads = 128, QLoraRank = 1536, MaxPositionEmbeddings = 163840, IndexTopK = 2048, IndexHeads = 64,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 40, OriginalMaxPositionEmbeddings = 4096, Mscale = 1, MscaleAllDim = 1)]
internal sealed partial class DeepSeekV32Attention;

/// <summary>GLM-5 and 5.1.</summary>
[MlaAttention(HiddenSize = 6144, Heads = 64, QLoraRank = 2048, QkNopeHeadDim = 192, VHeadDim = 256, MaxPositionEmbeddings = 202752, RopeTheta = 1000000,
    IndexTopK = 2048, IndexHeads = 32, IndexRopeLayout = RopeLayout.Interleaved)]
internal sealed partial class Glm5Attention;

/// <summary>GLM-5.2.</summary>
[MlaAttention(HiddenSize = 6144, Heads = 64, QLoraRank = 2048, QkNopeHeadDim = 192, VHeadDim = 256, MaxPositionEmbeddings = 1048576, RopeTheta = 8000000,
    IndexTopK = 2048, IndexHeads = 32, IndexRopeLayout = RopeLayout.Interleaved,
    IndexPattern = "FFFSSSFSSSFSSSFSSSFSSSFSSSFSSSFSSSFSSSFSSSFSSSFSSSFSSSFSSSFSSSFSSSFSSSFSSSFSSS")]
internal sealed partial class Glm52Attention;

/// <summary>A.X-K2-Light.</summary>
[MlaAttention(HiddenSize = 2048, Heads = 32, QLoraRank = 384, KvLoraRank = 128, QkRopeHeadDim = 32, QkNopeHeadDim = 64, VHeadDim = 64, MaxPositionEmbeddings = 131072,
    OutputGate = OutputGate.Query, IndexTopK = 2048, IndexHeads = 16)]
internal sealed partial class AXK2LightAttention;

/// <summary>Hy4.</summary>
[MlaAttention(HiddenSize = 2816, Heads = 32, QLoraRank = 1536, QkNopeHeadDim = 192, VHeadDim = 256, MaxPositionEmbeddings = 262144, RopeLayout = RopeLayout.HalfSplit,
    OutputGate = OutputGate.ElementWise, OutputGateName = "linear_gate", AttentionSinks = true,
    IndexTopK = 2048, IndexHeads = 16, IndexRopeLast = true, IndexNormEpsilon = 1e-5, IndexPattern = "FFSSSFSSSFSSSFSSSFSSSFSSSFSSSFSSSF")]
internal sealed partial class Hy4Attention;
