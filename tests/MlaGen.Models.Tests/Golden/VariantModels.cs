namespace MlaGen.Models.Tests.Golden;

[MlaAttention("v3-dense")]
internal sealed partial class V3DenseAttention;

[MlaAttention("v3-odd-sizes")]
internal sealed partial class V3OddSizesAttention;

[MlaAttention("v3-attention-bias")]
internal sealed partial class V3AttentionBiasAttention;

[MlaAttention("v3-half-split")]
internal sealed partial class V3HalfSplitAttention;

[MlaAttention("v3-published-yarn")]
internal sealed partial class V3PublishedYarnAttention;

[MlaAttention("v3-yarn-without-mscale")]
internal sealed partial class V3YarnWithoutMscaleAttention;

[MlaAttention("v3-bare", RopeTheta = 10000)]
internal sealed partial class V3BareAttention;

[MlaAttention("v2-greedy-bias")]
internal sealed partial class V2GreedyBiasAttention;

[MlaAttention("v2-bare", RopeTheta = 10000)]
internal sealed partial class V2BareAttention;

[MlaAttention("v2-grouped")]
internal sealed partial class V2GroupedAttention;

[MlaAttention("glm-mixed-layers")]
internal sealed partial class GlmMixedLayersAttention;

[MlaAttention("minicpm3-bare")]
internal sealed partial class MiniCpm3BareAttention;

[MlaAttention("minicpm3-longrope")]
internal sealed partial class MiniCpm3LongRopeAttention;

[MlaAttention("youtu-bare", RopeTheta = 10000)]
internal sealed partial class YoutuBareAttention;

[MlaAttention("youtu-no-q-lora")]
internal sealed partial class YoutuNoQLoraAttention;

[MlaAttention("axk2-grouped")]
internal sealed partial class AXK2GroupedAttention;

[MlaAttention("mistral4-grouped")]
internal sealed partial class Mistral4GroupedAttention;

[MlaAttention("longcat-no-identities")]
internal sealed partial class LongCatNoIdentitiesAttention;

[MlaAttention("hy4-four-streams")]
internal sealed partial class Hy4FourStreamsAttention;

[MlaAttention("v32-one-group")]
internal sealed partial class V32OneGroupAttention;

[MlaAttention("v32-few-tokens")]
internal sealed partial class V32FewTokensAttention;

[MlaAttention("glm5-every-other")]
internal sealed partial class Glm5EveryOtherAttention;

/// <summary>The models of <c>Data/variants</c>: other sizes, other layers, keys that are absent or written as they used to be.</summary>
internal static class VariantModels
{
    /// <summary>Classes for them: a variant that changes nothing of attention has none of its own.</summary>
    public static AttentionClass[] Classes { get; } =
    [
        AttentionClass.Of<V3DenseAttention>(),
        AttentionClass.Of<V3OddSizesAttention>(),
        AttentionClass.Of<V3HalfSplitAttention>(),
        AttentionClass.Of<V3PublishedYarnAttention>(),
        AttentionClass.Of<V3YarnWithoutMscaleAttention>(),
        AttentionClass.Of<V3BareAttention>(),
        AttentionClass.Of<V3AttentionBiasAttention>(),
        AttentionClass.Of<V2BareAttention>(),
        AttentionClass.Of<V2GroupedAttention>(),
        AttentionClass.Of<V2GreedyBiasAttention>(),
        AttentionClass.Of<GlmMixedLayersAttention>(),
        AttentionClass.Of<MiniCpm3BareAttention>(),
        AttentionClass.Of<MiniCpm3LongRopeAttention>(),
        AttentionClass.Of<YoutuBareAttention>(),
        AttentionClass.Of<YoutuNoQLoraAttention>(),
        AttentionClass.Of<AXK2GroupedAttention>(),
        AttentionClass.Of<Mistral4GroupedAttention>(),
        AttentionClass.Of<LongCatNoIdentitiesAttention>(),
        AttentionClass.Of<Hy4FourStreamsAttention>(),
        AttentionClass.Of<V32OneGroupAttention>(),
        AttentionClass.Of<V32FewTokensAttention>(),
        AttentionClass.Of<Glm5EveryOtherAttention>(),
    ];

    public static string Root => Path.Combine(AppContext.BaseDirectory, "Data", "variants");

    public static string[] Names => [.. Directory.GetDirectories(Root).Select(static path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
}
