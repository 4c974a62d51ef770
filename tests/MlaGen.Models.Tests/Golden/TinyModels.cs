namespace MlaGen.Models.Tests.Golden;

[MlaAttention("axk1")]
internal sealed partial class AXK1Attention;

[MlaAttention("axk2")]
internal sealed partial class AXK2Attention;

[MlaAttention("deepseek-v2")]
internal sealed partial class DeepSeekV2Attention;

[MlaAttention("deepseek-v2-lite")]
internal sealed partial class DeepSeekV2LiteAttention;

[MlaAttention("deepseek-v3")]
internal sealed partial class DeepSeekV3Attention;

[MlaAttention("deepseek-v3-fp8")]
internal sealed partial class DeepSeekV3Fp8Attention;

[MlaAttention("deepseek-v3.2")]
internal sealed partial class DeepSeekV32Attention;

[MlaAttention("glm-4.7-flash")]
internal sealed partial class Glm47FlashAttention;

[MlaAttention("glm-5.2")]
internal sealed partial class Glm52Attention;

[MlaAttention("hy4")]
internal sealed partial class Hy4Attention;

[MlaAttention("longcat-flash")]
internal sealed partial class LongCatFlashAttention;

[MlaAttention("minicpm3")]
internal sealed partial class MiniCpm3Attention;

[MlaAttention("mistral-4")]
internal sealed partial class Mistral4Attention;

[MlaAttention("moonlight")]
internal sealed partial class MoonlightAttention;

[MlaAttention("youtu")]
internal sealed partial class YoutuAttention;

/// <summary>The checkpoints of <c>Data</c>, and a class for each of their shapes.</summary>
internal static class TinyModels
{
    public static AttentionClass[] Classes { get; } =
    [
        AttentionClass.Of<AXK1Attention>(),
        AttentionClass.Of<AXK2Attention>(),
        AttentionClass.Of<DeepSeekV2Attention>(),
        AttentionClass.Of<DeepSeekV2LiteAttention>(),
        AttentionClass.Of<DeepSeekV3Attention>(),
        AttentionClass.Of<DeepSeekV3Fp8Attention>(),
        AttentionClass.Of<DeepSeekV32Attention>(),
        AttentionClass.Of<Glm47FlashAttention>(),
        AttentionClass.Of<Glm52Attention>(),
        AttentionClass.Of<Hy4Attention>(),
        AttentionClass.Of<LongCatFlashAttention>(),
        AttentionClass.Of<MiniCpm3Attention>(),
        AttentionClass.Of<Mistral4Attention>(),
        AttentionClass.Of<MoonlightAttention>(),
        AttentionClass.Of<YoutuAttention>(),
    ];

    public static string[] Names =>
    [
        "axk1", "axk2", "deepseek-v2", "deepseek-v2-lite", "deepseek-v3", "deepseek-v3-fp8", "deepseek-v3.2", "glm-4.7-flash",
        "glm-5.2", "hy4", "longcat-flash", "minicpm3", "mistral-4", "moonlight", "youtu",
    ];

    private static readonly Dictionary<string, Lazy<LanguageModel>> _models = Names.ToDictionary(
        static name => name, static name => new Lazy<LanguageModel>(() => LanguageModel.Load(PathOf(name), Classes)));

    public static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, "Data", name);

    public static LanguageModel Load(string name) => _models[name].Value;
}
