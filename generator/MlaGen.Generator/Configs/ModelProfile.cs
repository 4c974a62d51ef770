using System.Collections.Immutable;
using MlaGen.Generator.Model;

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

    /// <summary>Other types under which the same model class is published.</summary>
    public ImmutableArray<string> Aliases { get; init; } = ImmutableArray<string>.Empty;

    /// <summary>Its classes as <c>architectures</c> names them, up to <c>ForCausalLM</c> or what else a head is called.</summary>
    public ImmutableArray<string> Classes { get; init; } = ImmutableArray<string>.Empty;

    public LayoutRule Layout { get; init; } = LayoutRule.Flag;

    /// <summary>Spellings of YaRN, LongRoPE and no scaling that its code reads.</summary>
    public ImmutableArray<string> RopeTypes { get; init; } = _allRopeTypes;

    /// <summary>What a layer calls its attention.</summary>
    public ImmutableArray<string> Attentions { get; init; } = _selfAttention;

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

    /// <summary>The output gate that its class always has.</summary>
    public OutputGate Gate { get; init; }

    /// <summary>The key with which a configuration switches an output gate on, or null where there is none.</summary>
    public string? GateKey { get; init; }

    /// <summary>What its checkpoints call the projection of output gates from the hidden state.</summary>
    public string GateName { get; init; } = "g_proj";

    /// <summary>Whether each of its heads has a learned sink.</summary>
    public bool HasSinks { get; init; }

    /// <summary>Whether it reads the position scale of Llama 4 and <c>apply_scale</c>.</summary>
    public bool HasMistralScaling { get; init; }

    /// <summary>Whether <c>partial_rotary_factor</c> belongs to other layers than the latent ones.</summary>
    public bool IsHybrid { get; init; }

    /// <summary>Keys of what the class adds to latent attention: they must be there and switched off, since the class's defaults are not known.</summary>
    public ImmutableArray<string> RequiredOff { get; init; } = ImmutableArray<string>.Empty;

    /// <summary>Keys that name attention and do not touch it in this model.</summary>
    public ImmutableArray<string> Ignored { get; init; } = ImmutableArray<string>.Empty;

    /// <summary>Why the type is refused, or null.</summary>
    public string? Refusal { get; init; }

    /// <summary>Whether the refusal is that it is no latent attention at all.</summary>
    public bool IsOtherAttention { get; init; }

    private static readonly ImmutableArray<string> _allRopeTypes = Names("default", "yarn", "longrope");

    private static readonly ImmutableArray<string> _selfAttention = Names("self_attn");

    private static readonly ImmutableArray<string> _noScaling = Names("default");

    /// <summary>The family that most models belong to.</summary>
    public static ModelProfile DeepSeekV3 { get; } = new() { Type = "deepseek_v3", Aliases = Names("kimi_k2", "kimi_k25", "kimi_vl"), Classes = Names("DeepseekV3", "KimiK2", "KimiK25", "KimiVL") };

    /// <summary>Mistral's own params.json, which has no model_type.</summary>
    public static ModelProfile Mistral4 { get; } = new() { Type = "mistral4", Aliases = Names("mistral_large_3"), Classes = Names("Mistral4", "MistralLarge3"), HasMistralScaling = true };

    private static readonly ImmutableArray<ModelProfile> _all = ImmutableArray.Create<ModelProfile>(
        DeepSeekV3,
        Mistral4,
        new() { Type = "deepseek_v2", Classes = Names("DeepseekV2"), Layout = LayoutRule.Interleaved },
        new() { Type = "deepseek_vl_v2", Classes = Names("DeepseekVLV2", "DeepseekOCR", "DeepseekOCR2"), Layout = LayoutRule.Interleaved, IsWrapper = true, DefaultTheta = 10000, DefaultsHeadDims = true },
        new() { Type = "deepseek_v32", Classes = Names("DeepseekV32"), Layout = LayoutRule.Interleaved },
        new() { Type = "kimi_linear", Aliases = Names("kimi_k3"), Classes = Names("KimiLinear", "KimiK3"), Layout = LayoutRule.None, GateKey = GateMapper.Switch, IsHybrid = true },
        new() { Type = "axk2", Classes = Names("AXK2"), Layout = LayoutRule.Interleaved, Gate = OutputGate.Query, Ignored = Names("gated_norm_rank") },
        new() { Type = "hy_v4", Classes = Names("HYV4"), Layout = LayoutRule.HalfSplit, Gate = OutputGate.ElementWise, GateName = "linear_gate", HasSinks = true, Ignored = Names("learnable_sink_init") },
        new() { Type = "glm4_moe_lite", Classes = Names("Glm4MoeLite") },
        new() { Type = "glm_moe_dsa", Classes = Names("GlmMoeDsa") },
        new() { Type = "youtu", Aliases = Names("youtu_llm"), Classes = Names("Youtu", "YoutuLLM") },
        new() { Type = "axk1", Aliases = Names("AXK1"), Classes = Names("AXK1"), DefaultTheta = 10000 },
        new() { Type = "sarvam_mla", Classes = Names("SarvamMLA"), RopeTypes = _allRopeTypes.Add("deepseek_yarn"), Ignored = Names("use_qk_norm") },
        new() { Type = "plm", Classes = Names("PLM"), Layout = LayoutRule.Interleaved },
        new() { Type = "minicpm3", Classes = Names("MiniCPM3"), Layout = LayoutRule.HalfSplit, RopeTypes = Names("default", "longrope"), DefaultTheta = 10000, DerivesVHeadDim = true, Ignored = Names("scale_emb", "scale_depth", "mup_denominator") },
        new() { Type = "longcat_flash", Aliases = Names("longcat_flash_ngram"), Classes = Names("LongcatFlash", "LongcatFlashNgram"), Layout = LayoutRule.Interleaved, ScalesLatents = true, Attentions = Names("self_attn.0", "self_attn.1") },
        new() { Type = "pangu_ultra_moe", Classes = Names("PanguUltraMoE"), Layout = LayoutRule.Interleaved, Ignored = Names("sandwich_norm") },
        new()
        {
            Type = "pangu_v2_moe",
            Aliases = Names("openpangu_v2", "openpangu_v2_vl_moe", "openpangu_v2_omni_moe"),
            Classes = Names("PanguV2MoE", "OpenPanguV2"),
            Layout = LayoutRule.FlagRequired,
            RequiredOff = Names("param_sink_number", "swa_layers", "use_mhc"),
            Ignored = Names("sandwich_norm", "block_post_layernorm_idx"),
        },
        new()
        {
            // transformers' own class of Ling 2.5 takes the attention of DeepSeek-V3 as it is, the flag included.
            Type = "bailing_hybrid",
            Aliases = Names("bailing2_5_moe", "bailing_moe_linear", "bailing_moe_v2_5", "bailing_moe_v3"),
            Classes = Names("BailingMoeV2_5", "BailingMoeV3", "BailingMoeLinear", "BailingMoeLinearV2"),
            RopeTypes = _noScaling,
            Attentions = Names("attention"),
            GateKey = GateMapper.Granularity,
            IsHybrid = true,
            Ignored = Names("use_qk_norm", "group_norm_size", "layer_group_size"),
        },
        NotMla("deepseek_v4", Names("deepseek_v41", "deepseek_v41_text"), Names("DeepseekV4", "DeepseekV41"), "DeepSeek-V4 keeps compressed keys and values shared by all heads (compress_ratios, o_lora_rank), and no latent"),
        Refused("glm5_next", Names("glm5_next_text"), Names("Glm5Next"), "its indexer pools keys (index_kpool) and its residual stream is widened (hyper-connections)"));

    private static readonly Dictionary<string, ModelProfile> _byType = _all
        .SelectMany(static profile => profile.Aliases.Select(alias => profile with { Type = alias }).Prepend(profile))
        .ToDictionary(static profile => profile.Type, StringComparer.Ordinal);

    private static readonly Dictionary<string, ModelProfile> _byClass = _all
        .SelectMany(static profile => profile.Classes.Select(name => (Name: name, Profile: profile)))
        .ToDictionary(static entry => entry.Name, static entry => entry.Profile, StringComparer.OrdinalIgnoreCase);

    /// <summary>Every type that is known, those that are refused included.</summary>
    public static IEnumerable<string> Types => _byType.Keys;

    /// <summary>The profile of a type, or null for an unknown one.</summary>
    public static ModelProfile? Find(string? type) => type is not null && _byType.TryGetValue(type, out ModelProfile profile) ? profile : null;

    /// <summary>The profile of a class that <c>architectures</c> names, whatever head it carries, or null for an unknown one.</summary>
    public static ModelProfile? FindArchitecture(string name)
    {
        int head = name.LastIndexOf("For", StringComparison.Ordinal);
        string model = head > 0 ? name.Substring(0, head) : name.EndsWith("Model", StringComparison.Ordinal) ? name.Substring(0, name.Length - "Model".Length) : name;
        return _byClass.TryGetValue(model, out ModelProfile profile) ? profile : null;
    }

    private static ImmutableArray<string> Names(params string[] names) => ImmutableArray.Create(names);

    private static ModelProfile Refused(string type, ImmutableArray<string> aliases, ImmutableArray<string> classes, string reason)
        => new() { Type = type, Aliases = aliases, Classes = classes, Refusal = reason };

    private static ModelProfile NotMla(string type, ImmutableArray<string> aliases, ImmutableArray<string> classes, string reason)
        => Refused(type, aliases, classes, reason) with { IsOtherAttention = true };
}
