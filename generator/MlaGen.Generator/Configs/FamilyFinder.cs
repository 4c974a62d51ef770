namespace MlaGen.Generator.Configs;

/// <summary>
/// Whose arithmetic a configuration describes: that of its <c>model_type</c>, else of its <c>architectures</c>, else of the one program whose
/// keys nobody else has. Names of dimensions are shared by families that compute differently, so they decide nothing.
/// </summary>
internal sealed class FamilyFinder(ProblemSink sink)
{
    /// <summary>Keys of DeepSeek's own inference code. They count beside <c>dim</c>, its name for the hidden size.</summary>
    internal static readonly string[] DeepSeekKeys =
        ["inter_dim", "moe_inter_dim", "n_dense_layers", "n_activated_experts", "n_expert_groups", "n_limited_groups", "score_func", "route_scale"];

    /// <summary>Keys of Mistral's own params.json, likewise beside <c>dim</c>.</summary>
    private static readonly string[] _mistralKeys = ["yarn", "llama_4_scaling"];

    /// <summary>Keys that only heads for speculative decoding have.</summary>
    private static readonly string[] _draftKeys =
        ["eagle_config", "draft_vocab_size", "speculators_config", "speculators_model_type", "dspark_config", "dflash_config", "medusa_num_heads"];

    /// <summary>What the names of such heads' types and classes contain.</summary>
    private static readonly string[] _draftNames = ["eagle", "nextn", "mtp", "medusa", "speculat", "dspark", "dflash", "draft"];

    /// <summary>The profile to read with, or null when there is none and why has been reported.</summary>
    public ModelProfile? Find(JsonValue root, JsonValue tower, ConfigObject config)
    {
        JsonValue[] objects = ReferenceEquals(root, tower) ? [root] : [tower, root];
        if (IsDraft(objects) || IsDeepSeekOwn(objects))
        {
            return null;
        }

        string? outer = root.Find("model_type") is { Value: { Kind: JsonKind.String, Text.Length: > 0 } value } ? value.Text : null;
        string? type = config.Text("model_type") is { Length: > 0 } own ? own : outer;
        if (ModelProfile.Find(outer) is { IsWrapper: true } wrapper)
        {
            return wrapper;
        }

        if (ModelProfile.Find(type) is { } profile)
        {
            return profile;
        }

        if (objects.SelectMany(Architectures).Select(static item => ModelProfile.FindArchitecture(item.Text)).FirstOrDefault(static found => found is not null) is { } family)
        {
            if (type is not null)
            {
                sink.Add(ConfigRules.AssumedFamily, config.Place, "'" + type + "'", family.Type);
            }

            return family;
        }

        return type is null && tower.Find("dim") is not null && _mistralKeys.Any(key => tower.Find(key) is { Value.Kind: JsonKind.Object })
            ? ModelProfile.Mistral4
            : Unknown(tower, config, type);
    }

    private ModelProfile? Unknown(JsonValue tower, ConfigObject config, string? type)
    {
        string shown = type is null ? "(none)" : "'" + type + "'";
        ModelProfile assumed = ModelProfile.DeepSeekV3 with { Type = type ?? "(none)" };
        if (AttentionGuards.Latent(config) is null)
        {
            // Whether it is MLA at all is asked next; the family would only be noise before that is known.
            return assumed;
        }

        if (type is null || (tower.Find("rope_interleave") ?? tower.Find("rope_interleaved")) is null)
        {
            sink.Add(ConfigRules.UnknownModelType, config.Place, shown);
            return null;
        }

        sink.Add(ConfigRules.AssumedFamily, config.Place, shown, ModelProfile.DeepSeekV3.Type);
        return assumed;
    }

    /// <summary>Refuses heads for speculative decoding, also under the type of the model they draft for: their first projections read other widths.</summary>
    private bool IsDraft(JsonValue[] objects)
    {
        JsonProperty? sign = objects.SelectMany(Signs).FirstOrDefault();
        if (sign is not null)
        {
            sink.Add(ConfigRules.UnsupportedFeature, sign.Span, sign.Name, Shown(sign.Value), "this is a draft head for speculative decoding (EAGLE, MTP and the like), whose attention reads other inputs than the model's own layers");
        }

        return sign is not null;

        static IEnumerable<JsonProperty> Signs(JsonValue json)
        {
            if (json.Find("architectures") is { } architectures && Architectures(json).Any(static item => IsDraftName(item.Text)))
            {
                yield return architectures;
            }

            if (json.Find("model_type") is { Value.Kind: JsonKind.String } type && IsDraftName(type.Value.Text))
            {
                yield return type;
            }

            foreach (string key in _draftKeys)
            {
                if (json.Find(key) is { Value.IsOff: false } property)
                {
                    yield return property;
                }
            }
        }

        static string Shown(JsonValue value) => value is { Kind: JsonKind.Array, Items.Length: 1 } ? value.Items[0].ToString() : value.ToString();
    }

    private static bool IsDraftName(string name) => _draftNames.Any(part => name.IndexOf(part, StringComparison.OrdinalIgnoreCase) >= 0);

    /// <summary>Refuses the configurations of DeepSeek's own code, under whatever type: YaRN, its factor and the context lengths stand in that code.</summary>
    private bool IsDeepSeekOwn(JsonValue[] objects)
    {
        JsonProperty? key = objects.Where(static json => json.Find("dim") is not null).SelectMany(static json => DeepSeekKeys.Select(json.Find)).FirstOrDefault(static property => property is not null);
        if (key is not null)
        {
            sink.Add(ConfigRules.OtherProgram, key.Span, key.Name, "DeepSeek's own inference code");
        }

        return key is not null;
    }

    private static IEnumerable<JsonValue> Architectures(JsonValue json)
        => json.Find("architectures") is { Value.Kind: JsonKind.Array } property ? property.Value.Items.Where(static item => item.Kind == JsonKind.String) : [];
}
