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
