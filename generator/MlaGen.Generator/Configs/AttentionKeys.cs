using System.Collections.Immutable;

namespace MlaGen.Generator.Configs;

/// <summary>
/// Judges the keys that no reader asked for. Vocabulary, experts, tokens and towers for pictures are no concern of attention; a key whose
/// name speaks of attention might be, and what it does is unknown: an error rather than a layer that computes something else.
/// </summary>
internal static class AttentionKeys
{
    /// <summary>Keys that speak of attention and do not change it: duplicates of other keys, training, and the choice of an implementation.</summary>
    private static readonly HashSet<string> _harmless = new(StringComparer.Ordinal)
    {
        "num_key_value_heads", "n_kv_heads", "head_dim", "qk_head_dim", "q_head_dim",
        "attention_dropout", "attention_probs_dropout_prob", "output_attentions", "add_cross_attention", "cross_attention_hidden_size", "pruned_heads",
        "attn_implementation", "_attn_implementation", "_attn_implementation_autoset", "_attn_implementation_internal", "use_flash_attention", "flash_attn",
        "norm_topk_prob", "layer_norm_eps", "layernorm_epsilon", "max_window_layers", "ignore_index", "temperature", "hc_eps", "routed_scale", "scoring_func", "normalization_function",
    };

    /// <summary>Words that mean attention wherever they stand.</summary>
    private static readonly HashSet<string> _attentionWords = new(StringComparer.Ordinal)
    {
        "attn", "attention", "rope", "rotary", "yarn", "mscale", "softmax", "sink", "sinks", "window", "sliding", "swa", "mla", "mha", "gqa", "mqa", "lora", "latent",
        "q", "qk", "kv", "qkv", "key", "query", "value", "nope", "alibi", "causal", "indexer", "dsa", "position", "positions", "positional", "softcap", "softcapping", "relative",
    };

    /// <summary>Words that may mean attention, unless another word of the key says what they belong to.</summary>
    private static readonly HashSet<string> _possibleWords = new(StringComparer.Ordinal)
    {
        "head", "heads", "scale", "scales", "scaling", "scalar", "multiplier", "index", "gate", "gated", "gates", "norm", "norms", "layernorm", "rmsnorm", "eps", "epsilon", "theta",
        "sparse", "mask", "clip", "compress", "compression", "bias", "temperature",
    };

    /// <summary>Words that say what a possible word belongs to, if not to attention.</summary>
    private static readonly HashSet<string> _otherWords = new(StringComparer.Ordinal)
    {
        "moe", "router", "routed", "route", "expert", "experts", "mlp", "ffn", "mtp", "nextn", "lm", "logit", "logits", "final", "vocab", "embedding", "embeddings", "emb", "embd",
        "residual", "token", "tokens", "id", "image", "images", "video", "audio", "vision", "visual", "vit", "vt", "mm", "projector", "hc", "mhc", "loss", "aux", "initializer",
        "dropout", "pdrop", "generation", "topk", "swiglu", "transformers", "shared",
    };

    /// <summary>Objects that describe something else than the language model's attention.</summary>
    private static readonly HashSet<string> _otherObjects = new(StringComparer.Ordinal)
    {
        "auto_map", "task_specific_params", "id2label", "label2id", "generation_config", "quantization_config", "compression_config", "pruned_heads",
    };

    /// <summary>Words of the other layers of a hybrid model.</summary>
    private static readonly ImmutableArray<string> _hybridWords = ImmutableArray.Create("linear", "kda", "lightning", "gla", "conv");

    /// <summary>Reports a key that could change attention, in this object or in one nested in it.</summary>
    public static void Check(JsonProperty property, ModelProfile profile, ProblemSink sink)
    {
        string[] words = Words(property.Name);
        if (property.Value.Kind == JsonKind.Null || IsElsewhere(property.Name, words, profile))
        {
            return;
        }

        if (IsAttention(words))
        {
            sink.Add(ConfigRules.UnknownKey, property.Span, property.Name, profile.Type, KnownKeys.Hint(property.Name));
            return;
        }

        if (property.Value.Kind == JsonKind.Object && !words.Any(_otherWords.Contains))
        {
            foreach (JsonProperty nested in property.Value.Properties)
            {
                Check(nested, profile, sink);
            }
        }
    }

    /// <summary>Whether a key's name speaks of attention.</summary>
    public static bool IsAttention(string name, ModelProfile profile)
    {
        string[] words = Words(name);
        return !IsElsewhere(name, words, profile) && IsAttention(words);
    }

    private static bool IsAttention(string[] words)
        => words.Any(_attentionWords.Contains) || (words.Any(_possibleWords.Contains) && !words.Any(_otherWords.Contains));

    private static bool IsElsewhere(string name, string[] words, ModelProfile profile)
        => _harmless.Contains(name)
            || _otherObjects.Contains(name)
            || profile.Ignored.Contains(name)
            || (profile.IsHybrid && words.Any(static word => _hybridWords.Contains(word)));

    /// <summary>The words of <c>snake_case</c> and <c>camelCase</c>, in lower case.</summary>
    private static string[] Words(string name)
    {
        var words = new List<string>();
        int start = 0;
        for (int i = 0; i <= name.Length; i++)
        {
            bool isBoundary = i == name.Length || !char.IsLetterOrDigit(name[i]) || (i > start && char.IsUpper(name[i]) && char.IsLower(name[i - 1]));
            if (!isBoundary)
            {
                continue;
            }

            if (i > start)
            {
                words.Add(name.Substring(start, i - start).ToLowerInvariant());
            }

            start = i < name.Length && !char.IsLetterOrDigit(name[i]) ? i + 1 : i;
        }

        return [.. words];
    }
}
