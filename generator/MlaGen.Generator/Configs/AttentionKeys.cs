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

    /// <summary>Words of the feed-forward part: its own latent, norms and gates are no concern of attention.</summary>
    private static readonly HashSet<string> _feedForwardWords = new(StringComparer.Ordinal) { "moe", "expert", "experts", "router", "routed", "routing", "mlp", "ffn" };

    /// <summary>Words of the residual stream, where they follow attention's name: what is added to what comes out of the layer.</summary>
    private static readonly HashSet<string> _residualWords = new(StringComparer.Ordinal) { "res", "resid", "residual", "residuals" };

    /// <summary>Words of what the layer always does, of numbers of which 0 is no off position, and of switches that read the other way round.</summary>
    private static readonly HashSet<string> _wordsOfNoSwitch = new(StringComparer.Ordinal)
    {
        "latent", "lora", "mla", "causal", "mask", "rope", "rotary", "softmax", "scale", "scales", "scaling", "position", "positions", "positional",
        "multiplier", "scalar", "temperature", "eps", "epsilon", "theta", "factor", "head", "heads", "dim",
        "no", "not", "non", "without", "disable", "disabled", "skip", "off", "exclude",
    };

    private static readonly HashSet<string> _normWords = new(StringComparer.Ordinal) { "norm", "norms", "layernorm", "rmsnorm" };

    /// <summary>Words that beside a norm's name may mean the norm of a latent.</summary>
    private static readonly HashSet<string> _latentWords = new(StringComparer.Ordinal) { "q", "k", "kv", "qk", "qkv", "query", "key", "a" };

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
        if (IsSwitchedOff(property, words) || IsElsewhere(property.Name, words, profile))
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

    /// <summary>Whether a key stands in its off position and so adds nothing to the layer.</summary>
    public static bool IsSwitchedOff(JsonProperty property) => IsSwitchedOff(property, Words(property.Name));

    /// <summary>Whether a key's name speaks of attention.</summary>
    public static bool IsAttention(string name, ModelProfile profile)
    {
        string[] words = Words(name);
        return !IsElsewhere(name, words, profile) && IsAttention(words);
    }

    private static bool IsSwitchedOff(JsonProperty property, string[] words)
        => property.Value.Kind == JsonKind.Null
            || (property.Value.IsOff && !words.Any(_wordsOfNoSwitch.Contains) && !(words.Any(_normWords.Contains) && words.Any(_latentWords.Contains)));

    private static bool IsAttention(string[] words) => !IsFeedForward(words) && !IsResidual(words) && SpeaksOfAttention(words);

    private static bool IsFeedForward(string[] words)
        => words.Any(_feedForwardWords.Contains) && !words.Any(static word => word is "attn" or "attention" or "mla");

    // "residual_attention" is the other way round: scores that are carried from layer to layer.
    private static bool IsResidual(string[] words)
        => words.Zip(words.Skip(1), static (word, next) => word is "attn" or "attention" && _residualWords.Contains(next)).Any(static isResidual => isResidual);

    private static bool SpeaksOfAttention(string[] words)
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
