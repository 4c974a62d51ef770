using System.Collections.Immutable;

namespace MlaGen.Generator.Configs;

/// <summary>Which elements of the rotary part a model class pairs.</summary>
internal enum LayoutRule
{
    /// <summary><c>rope_interleave</c> decides; neighbours when it is absent.</summary>
    Flag,

    /// <summary><c>rope_interleave</c> decides, and must be there.</summary>
    FlagRequired,

    /// <summary>Neighbours, whatever the configuration says.</summary>
    Interleaved,

    /// <summary>Halves, whatever the configuration says.</summary>
    HalfSplit,

    /// <summary>No rotation.</summary>
    None,
}

/// <summary>What a model type fixes in its code and its configuration does not say.</summary>
internal sealed record ModelProfile
{
    /// <summary>Its <c>model_type</c>.</summary>
    public required string Type { get; init; }

    public LayoutRule Layout { get; init; } = LayoutRule.Flag;

    /// <summary>Spellings of YaRN, LongRoPE and no scaling that its code reads.</summary>
    public ImmutableArray<string> RopeTypes { get; init; } = _allRopeTypes;

    /// <summary>Base of the frequencies when the file does not give one, or null where it must.</summary>
    public double? DefaultTheta { get; init; }

    /// <summary>Whether absent head widths are 128, 64 and 128, the defaults of the class.</summary>
    public bool DefaultsHeadDims { get; init; }

    /// <summary>Whether an absent <c>v_head_dim</c> is <c>hidden_size / num_attention_heads</c>.</summary>
    public bool DerivesVHeadDim { get; init; }

    /// <summary>Whether the latents are multiplied by <c>sqrt(hidden_size / rank)</c>.</summary>
    public bool ScalesLatents { get; init; }

    /// <summary>Whether the language model's own settings are nested and this type, not the nested one, says how to read them.</summary>
    public bool IsWrapper { get; init; }

    /// <summary>Whether it reads the position scale of Llama 4 and <c>apply_scale</c>.</summary>
    public bool HasMistralScaling { get; init; }

    /// <summary>Whether <c>partial_rotary_factor</c> belongs to other layers than the latent ones.</summary>
    public bool IsHybrid { get; init; }

    /// <summary>Keys that name attention and do not touch it in this model.</summary>
    public ImmutableArray<string> Ignored { get; init; } = ImmutableArray<string>.Empty;

    /// <summary>Why the type is refused, or null.</summary>
    public string? Refusal { get; init; }

    /// <summary>Whether the refusal is that it is no latent attention at all.</summary>
    public bool IsOtherAttention { get; init; }

    private static readonly ImmutableArray<string> _allRopeTypes = ImmutableArray.Create("default", "yarn", "longrope");

    private static readonly ImmutableArray<string> _noScaling = ImmutableArray.Create("default");

    /// <summary>The family that most models belong to.</summary>
    public static ModelProfile DeepSeekV3 { get; } = new() { Type = "deepseek_v3" };

    /// <summary>Mistral's own params.json, which has no model_type.</summary>
    public static ModelProfile Mistral4 { get; } = new() { Type = "mistral4", HasMistralScaling = true };

    private static readonly Dictionary<string, ModelProfile> _byType = new ModelProfile[]
    {
        DeepSeekV3,
        Mistral4,
        new() { Type = "deepseek_v2", Layout = LayoutRule.Interleaved },
        new() { Type = "deepseek_vl_v2", Layout = LayoutRule.Interleaved, IsWrapper = true, DefaultTheta = 10000, DefaultsHeadDims = true },
        new() { Type = "deepseek_v32", Layout = LayoutRule.Interleaved },
        new() { Type = "kimi_k2" },
        new() { Type = "kimi_linear", Layout = LayoutRule.None, IsHybrid = true },
        new() { Type = "glm4_moe_lite" },
        new() { Type = "glm_moe_dsa" },
        new() { Type = "youtu" },
        new() { Type = "youtu_llm" },
        new() { Type = "axk1", DefaultTheta = 10000 },
        new() { Type = "AXK1", DefaultTheta = 10000 },
        new() { Type = "sarvam_mla", RopeTypes = _allRopeTypes.Add("deepseek_yarn"), Ignored = ImmutableArray.Create("use_qk_norm") },
        new() { Type = "plm", Layout = LayoutRule.Interleaved },
        new() { Type = "minicpm3", Layout = LayoutRule.HalfSplit, RopeTypes = ImmutableArray.Create("default", "longrope"), DefaultTheta = 10000, DerivesVHeadDim = true, Ignored = ImmutableArray.Create("scale_emb", "scale_depth", "mup_denominator") },
        new() { Type = "longcat_flash", Layout = LayoutRule.Interleaved, ScalesLatents = true },
        new() { Type = "longcat_flash_ngram", Layout = LayoutRule.Interleaved, ScalesLatents = true },
        new() { Type = "pangu_ultra_moe", Layout = LayoutRule.Interleaved, Ignored = ImmutableArray.Create("sandwich_norm") },
        new() { Type = "pangu_v2_moe", Layout = LayoutRule.FlagRequired, Ignored = ImmutableArray.Create("sandwich_norm") },
        new() { Type = "bailing_hybrid", Layout = LayoutRule.Interleaved, RopeTypes = _noScaling, IsHybrid = true, Ignored = ImmutableArray.Create("use_qk_norm", "group_norm_size", "layer_group_size") },
        NotMla("deepseek_v4", "DeepSeek-V4 keeps compressed keys and values shared by all heads (compress_ratios, o_lora_rank), and no latent"),
        Refused("glm5_next", "its indexer pools keys (index_kpool) and its residual stream is widened (hyper-connections)"),
        Refused("glm5_next_text", "its indexer pools keys (index_kpool) and its residual stream is widened (hyper-connections)"),
        Refused("hy_v4", "its attention has learned sinks and an output gate, and its residual stream is widened (hyper-connections)"),
    }.ToDictionary(static profile => profile.Type, StringComparer.Ordinal);

    /// <summary>The profile of a type, or null for an unknown one.</summary>
    public static ModelProfile? Find(string? type) => type is not null && _byType.TryGetValue(type, out ModelProfile profile) ? profile : null;

    private static ModelProfile Refused(string type, string reason) => new() { Type = type, Refusal = reason };

    private static ModelProfile NotMla(string type, string reason) => new() { Type = type, Refusal = reason, IsOtherAttention = true };
}
