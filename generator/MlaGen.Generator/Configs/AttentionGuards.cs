using Microsoft.CodeAnalysis.Text;

namespace MlaGen.Generator.Configs;

/// <summary>What published models do around latent attention and MlaGen does not: known keys, each with the values under which it does nothing.</summary>
internal static class AttentionGuards
{
    private const string Gate = "an output gate multiplies what attention returns, and how this model type makes it is not known";

    private const string Sink = "attention sinks add to every row's softmax, and how this model type makes them is not known";

    private const string Window = "every query sees all earlier keys; a sliding window is not generated";

    private const string Bias = "only attention_bias is generated, on q_a_proj, kv_a_proj_with_mqa and o_proj";

    private const string Norm = "queries and keys are not normalised per head";

    private const string Clip = "scores and projections are not clipped";

    private const string Streams = "a widened residual stream (hyper-connections) changes what the layer is given";

    private static readonly (string Key, Func<JsonValue, bool> IsIdle, string Reason)[] _features =
    [
        ("mla_use_output_gate", IsOff, Gate),
        ("gated_attention_proj_granularity_type", IsOff, Gate),
        ("use_output_gate", IsOff, Gate),
        ("attn_output_gate", IsOff, Gate),
        ("attention_output_gate", IsOff, Gate),
        ("use_gated_attention", IsOff, Gate),
        ("gated_attention", IsOff, Gate),
        ("param_sink_number", IsOff, Sink),
        ("use_attention_sinks", IsOff, Sink),
        ("attention_sinks", IsOff, Sink),
        ("attn_sink", IsOff, Sink),
        ("swa_layers", IsOff, Window),
        ("use_sliding_window", IsOff, Window),
        ("sliding_window_list", IsOff, Window),
        ("router_sliding_window", IsOff, "a convolution along the sequence is not generated"),
        ("compress_ratios", static value => IsOff(value) || (value.Kind == JsonKind.Array && value.Items.All(IsOff)), "keys and values are not compressed along the sequence"),
        ("index_kpool", IsOff, "the indexer pools its keys, so dense attention differs at any length"),
        ("use_mhc", IsOff, Streams),
        ("mhc", IsOff, Streams),
        ("use_bias", IsOff, Bias),
        ("use_qkv_bias", IsOff, Bias),
        ("qkv_bias", IsOff, Bias),
        ("use_qk_norm", IsOff, Norm),
        ("qk_norm", IsOff, Norm),
        ("qk_layernorm", IsOff, Norm),
        ("qk_latent_layernorm", IsOn, "the latents are normalised before they are projected up, and a layer without these norms is not generated"),
        ("use_rmsnorm", IsOn, "the norms of the latents divide by the root mean square"),
        ("is_causal", IsOn, "no query sees later keys"),
        ("causal", IsOn, "no query sees later keys"),
        ("clip_qkv", IsOff, Clip),
        ("attn_logit_softcapping", IsOff, Clip),
        ("attention_method", static value => string.Equals(value.Text, "MLA", StringComparison.OrdinalIgnoreCase), "expected MLA"),
        ("alibi", IsOff, "positions are rotary or none"),
    ];

    /// <summary>The keys that are refused when they ask for what is not generated.</summary>
    public static IEnumerable<string> Keys => _features.Select(static feature => feature.Key);

    /// <summary>Where a file states the width of its latent, without which nothing in it is latent attention; null when it does not.</summary>
    public static JsonProperty? Latent(ConfigObject config) => config.FindOn(DimensionKeys.KvLoraRank);

    /// <summary>Whether the model attends through a latent at all; if not, why is reported, and nothing else need be.</summary>
    public static bool IsMla(ConfigObject config, ModelProfile profile, JsonValue json, ProblemSink sink)
    {
        TextSpan start = config.Place;
        if (profile.IsOtherAttention)
        {
            sink.Add(ConfigRules.NotMla, start, profile.Refusal!);
            return false;
        }

        if (config.Boolean("use_mla") == false)
        {
            sink.Add(ConfigRules.NotMla, config.Find("use_mla")!.Span, "use_mla is false");
            return false;
        }

        if (profile.Refusal is { } refusal)
        {
            sink.Add(ConfigRules.UnsupportedFeature, start, "model_type", "'" + profile.Type + "'", refusal);
            return false;
        }

        if (config.FindOn("o_lora_rank") is { } output)
        {
            sink.Add(ConfigRules.NotMla, output.Span, "o_lora_rank is a low-rank output projection, as in DeepSeek-V4");
            return false;
        }

        if (Latent(config) is null)
        {
            JsonProperty? misspelt = KnownKeys.Misspelt("kv_lora_rank", json.Properties.Select(static property => property.Name)) is { } name ? json.Find(name) : null;
            string reason = misspelt is not null ? $"there is no kv_lora_rank, the width of the latent, and '{misspelt.Name}' looks like it"
                : json.Find("quantization")?.Value.Find("quant_algo") is null ? "there is no kv_lora_rank, the width of the latent"
                : "the file describes a quantization alone, as hf_quant_config.json does; the model's config.json beside it is the one to name";
            sink.Add(ConfigRules.NotMla, (misspelt ?? json.Find("kv_lora_rank"))?.Span ?? start, reason);
            return false;
        }

        return true;
    }

    /// <summary>Refuses every feature that does something.</summary>
    public static void Check(ConfigObject config, ModelProfile profile, ProblemSink sink)
    {
        foreach ((string key, Func<JsonValue, bool> isIdle, string reason) in _features)
        {
            if (!profile.Ignored.Contains(key) && profile.GateKey != key && config.Find(key) is { } property && !isIdle(property.Value))
            {
                Refuse(property, reason, sink);
            }
        }

        // Configurations that inherit Qwen's keys carry a window and the switch that turns it off.
        if (config.Find("sliding_window") is { } window && !IsOff(window.Value) && config.Find("use_sliding_window") is not { Value.IsOff: true })
        {
            Refuse(window, Window, sink);
        }

        CheckNoPositions(config, profile, sink);
        CheckLayerTypes(config, profile, sink);
        CheckRequired(config, profile, sink);
    }

    private static void CheckNoPositions(ConfigObject config, ModelProfile profile, ProblemSink sink)
    {
        bool isUnrotated = profile.Layout == LayoutRule.None;
        if (config.Boolean("mla_use_nope", "use_mla_nope") is { } asked && asked != isUnrotated)
        {
            JsonProperty property = config.Find("mla_use_nope", "use_mla_nope")!;
            Refuse(property, isUnrotated ? "the model's class never rotates" : $"model type '{profile.Type}' is not known to leave rotation out", sink);
        }
    }

    private static void CheckLayerTypes(ConfigObject config, ModelProfile profile, ProblemSink sink)
    {
        if (config.FindOn("layer_types") is not { } property || profile.IsHybrid)
        {
            return;
        }

        JsonValue? other = property.Value.Items.FirstOrDefault(static item => item.Text is not ("full_attention" or "attention" or "deepseek_sparse_attention"));
        if (other is not null || property.Value.Kind != JsonKind.Array)
        {
            Refuse(property, $"a layer of kind {other?.ToString() ?? "unknown"} is not latent attention", sink);
        }
    }

    /// <summary>openPangu 2.0 is latent attention only with all of its additions switched off.</summary>
    private static void CheckRequired(ConfigObject config, ModelProfile profile, ProblemSink sink)
    {
        foreach (string key in profile.RequiredOff)
        {
            if (config.Find(key) is null)
            {
                sink.Add(ConfigRules.UnsupportedFeature, config.Place, key, "absent", $"model type '{profile.Type}' is read only when it is there and switched off");
            }
        }
    }

    private static void Refuse(JsonProperty property, string reason, ProblemSink sink)
        => sink.Add(ConfigRules.UnsupportedFeature, property.Span, property.Name, property.Value.ToString(), reason);

    private static bool IsOff(JsonValue value) => value.IsOff;

    private static bool IsOn(JsonValue value) => value.Kind == JsonKind.True;
}
