using System.Collections.Immutable;
using System.Globalization;
using Microsoft.CodeAnalysis.Text;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Configs;

/// <summary>
/// Reads rotary positions: <c>rope_theta</c> with <c>rope_scaling</c> (transformers 4), <c>rope_parameters</c> (transformers 5), both, or
/// <c>yarn</c> with <c>llama_4_scaling</c> (Mistral's params.json).
/// </summary>
internal sealed class RopeMapper(ProblemSink sink, ImmutableDictionary<string, TextSpan>.Builder places, ModelProfile profile)
{
    private static readonly string[] _sections = ["rope_scaling", "rope_parameters", "yarn"];

    private static readonly string[] _yarnKeys =
        ["factor", "beta_fast", "beta", "beta_slow", "alpha", "mscale", "mscale_all_dim", "truncate", "attention_factor", "original_max_position_embeddings"];

    /// <summary>Names under which other families keep the rotary width, and published files repeat it.</summary>
    private static readonly string[] _widthKeys = ["rotary_dim", "rotary_ndims", "rope_dim", "rope_head_dim"];

    /// <summary>The kind of a scaling that is one by name only.</summary>
    private const string Identity = "identity";

    // What one of two sections may say alone: the other version keeps it elsewhere.
    private static readonly HashSet<string> _unpairedKeys = new(StringComparer.Ordinal) { "rope_theta", "type", "rope_type", "partial_rotary_factor" };

    /// <summary>Completes settings whose dimensions are known.</summary>
    public MlaSettings Map(ConfigObject config, MlaSettings settings)
    {
        ConfigObject rope = Sections(config);
        JsonProperty? theta = Theta(config, rope);
        RopeLayout layout = Layout(config, settings);
        settings = settings with { RopeLayout = layout };
        CheckPartialRotation(config, rope, settings);
        if (layout == RopeLayout.None)
        {
            // Kimi's files carry a theta that nothing reads.
            _ = config.Find("original_max_position_embeddings");
            return settings;
        }

        settings = settings with { RopeTheta = Positive(nameof(MlaSettings.RopeTheta), theta) ?? profile.DefaultTheta };
        settings = Type(rope, config) switch
        {
            "yarn" or "deepseek_yarn" => Yarn(config, rope, settings),
            "longrope" => LongRope(config, rope, settings),
            "default" => Unscaled(config, rope, settings),
            _ => settings,
        };
        settings = PositionScale(config, rope, settings);
        foreach (JsonProperty property in rope.Rest.Where(static property => !AttentionKeys.IsSwitchedOff(property)))
        {
            sink.Add(ConfigRules.UnknownKey, property.Span, property.Name, profile.Type, KnownKeys.Hint(property.Name));
        }

        return settings;
    }

    private ConfigObject Sections(ConfigObject config)
    {
        ImmutableArray<JsonValue> sections = _sections.Select(config.Object).Where(static section => section is not null).Select(static section => section!).ToImmutableArray();
        if (sections.Length > 1)
        {
            foreach ((JsonValue one, JsonValue other) in new[] { (sections[0], sections[1]), (sections[1], sections[0]) })
            {
                CheckPaired(one, other);
            }
        }

        return new ConfigObject(sink, sections);
    }

    private void CheckPaired(JsonValue one, JsonValue other)
    {
        foreach (JsonProperty property in one.Properties)
        {
            if (property.Value.Kind != JsonKind.Null && !_unpairedKeys.Contains(property.Name) && other.Find(property.Name) is null or { Value.Kind: JsonKind.Null })
            {
                sink.Add(ConfigRules.Conflict, property.Span, property.Name, property.Value.ToString(), property.Name, "absent from the other of rope_scaling and rope_parameters");
            }
        }
    }

    private static JsonProperty? Theta(ConfigObject config, ConfigObject rope)
    {
        JsonProperty? outer = config.Find("rope_theta");
        JsonProperty? inner = rope.Find("rope_theta");
        if (outer is not null && inner is not null)
        {
            config.Agree(outer, inner);
        }

        return outer ?? inner;
    }

    private RopeLayout Layout(ConfigObject config, MlaSettings settings)
    {
        JsonProperty? property = config.Find("rope_interleave", "rope_interleaved");
        bool? flag = config.Boolean("rope_interleave", "rope_interleaved");
        RopeLayout layout = profile.Layout switch
        {
            LayoutRule.Interleaved => RopeLayout.Interleaved,
            LayoutRule.HalfSplit => RopeLayout.HalfSplit,
            LayoutRule.None => RopeLayout.None,
            _ => flag == false ? RopeLayout.HalfSplit : RopeLayout.Interleaved,
        };

        if (profile.Layout is LayoutRule.FlagRequired && flag is null && property is null)
        {
            sink.Add(ConfigRules.WrongValue, config.Place, "rope_interleave", "missing", $"true or false, since model type '{profile.Type}' is published with either");
        }

        if (property is not null && profile.Layout is LayoutRule.Interleaved or LayoutRule.HalfSplit && flag is { } asked && asked != (layout == RopeLayout.Interleaved))
        {
            sink.Add(ConfigRules.KeyWithoutEffect, property.Span, property.Name, property.Value.ToString(), $"the class of '{profile.Type}' pairs {(layout == RopeLayout.Interleaved ? "neighbours" : "halves")} in any case");
        }

        return settings.QkRopeHeadDim == 0 ? RopeLayout.None : layout;
    }

    /// <summary>The rotary width is always <c>qk_rope_head_dim</c>; a factor that says otherwise belongs to an unknown class.</summary>
    private void CheckPartialRotation(ConfigObject config, ConfigObject rope, MlaSettings settings)
    {
        foreach (string key in _widthKeys)
        {
            config.Understand(key, value => value.TryGetInt32(out int width) && width == settings.QkRopeHeadDim);
            rope.Understand(key, value => value.TryGetInt32(out int width) && width == settings.QkRopeHeadDim);
        }

        JsonProperty?[] factors = [config.Find("partial_rotary_factor"), rope.Find("partial_rotary_factor")];
        foreach (JsonProperty? factor in factors)
        {
            if (factor is null || profile.IsHybrid || settings is not { QkRopeHeadDim: { } width, QkNopeHeadDim: { } nope })
            {
                continue;
            }

            bool isShare = factor.Value.TryGetDouble(out double value) && Math.Abs((value * (nope + width)) - width) < 1e-3;
            if (!(isShare || value == 1))
            {
                sink.Add(ConfigRules.WrongValue, factor.Span, factor.Name, factor.Value.ToString(), "1, or the share of qk_rope_head_dim in a head");
            }
        }
    }

    /// <summary>The kind of scaling, or null when it has been refused.</summary>
    private string? Type(ConfigObject rope, ConfigObject config)
    {
        if (config.FindOn("yarn") is not null)
        {
            return "yarn";
        }

        int known = sink.Problems.Count;
        JsonProperty? property = rope.Find("rope_type", "type");
        if (sink.Problems.Count > known)
        {
            // Two types: what either would make of the parameters is no question any more.
            Understand(rope);
            return null;
        }

        JsonProperty? perLayer = rope.Rest.FirstOrDefault(static candidate => candidate.Value.Kind == JsonKind.Object);
        if (perLayer is not null)
        {
            foreach (JsonProperty layer in rope.Rest.Where(static candidate => candidate.Value.Kind == JsonKind.Object).ToArray())
            {
                _ = rope.Find(layer.Name);
            }

            sink.Add(ConfigRules.UnsupportedRope, perLayer.Span, "of '" + perLayer.Name + "'", "each kind of layer has its own, and a class is one kind of layer");
            return null;
        }

        if (property is null)
        {
            return NoType(rope);
        }

        string? type = rope.Text("rope_type", "type");
        if (type is not null && profile.RopeTypes.Contains(type))
        {
            return type;
        }

        if (type is "yarn" or "linear" && IsIdentity(rope))
        {
            Understand(rope);
            _ = config.Find("original_max_position_embeddings");
            return Identity;
        }

        if (type is not null)
        {
            sink.Add(ConfigRules.UnsupportedRope, property.Span, "'" + type + "'", $"expected one of {string.Join(", ", profile.RopeTypes)} for model type '{profile.Type}'");
            Understand(rope);
        }

        return null;
    }

    // Without a type the parameters of a scaling have no reader.
    private string? NoType(ConfigObject rope)
    {
        if (rope.Rest.FirstOrDefault(static property => property.Value.Kind != JsonKind.Null && property.Name is not ("rope_theta" or "partial_rotary_factor")) is { } orphan)
        {
            sink.Add(ConfigRules.UnsupportedRope, orphan.Span, "of '" + orphan.Name + "'", "there is neither a rope_type nor a type beside it");
            Understand(rope);
            return null;
        }

        return "default";
    }

    // One refusal is enough: the parameters of a refused scaling are not reported one by one.
    private static void Understand(ConfigObject rope)
    {
        foreach (JsonProperty property in rope.Rest.ToArray())
        {
            _ = rope.Find(property.Name);
        }
    }

    private MlaSettings Unscaled(ConfigObject config, ConfigObject rope, MlaSettings settings)
    {
        foreach (string key in _yarnKeys)
        {
            // The position scale of Llama 4 reads the original context too, and says so itself.
            if (rope.FindOn(key) is { } property && !IsOne(property) && !(key == "original_max_position_embeddings" && profile.HasMistralScaling))
            {
                sink.Add(ConfigRules.KeyWithoutEffect, property.Span, property.Name, property.Value.ToString(), "the rope_type is default");
            }
        }

        _ = rope.Find("apply_scale", "apply_yarn_scaling");
        _ = config.Find("original_max_position_embeddings");
        return settings;

        static bool IsOne(JsonProperty property) => property.Name == "factor" && property.Value.TryGetDouble(out double value) && value == 1;
    }

    /// <summary>Whether a scaling by frequencies stretches nothing: its factor is 1, and no other factor is given.</summary>
    private static bool IsIdentity(ConfigObject rope)
        => rope.Find("factor") is { } factor && factor.Value.TryGetDouble(out double value) && value == 1 && rope.FindOn("attention_factor") is null;

    private MlaSettings Yarn(ConfigObject config, ConfigObject rope, MlaSettings settings)
    {
        settings = settings with
        {
            RopeScaling = RopeScaling.Yarn,
            RopeFactor = Optional(nameof(MlaSettings.RopeFactor), rope, "factor"),
            BetaFast = Optional(nameof(MlaSettings.BetaFast), rope, "beta_fast", "beta"),
            BetaSlow = Optional(nameof(MlaSettings.BetaSlow), rope, "beta_slow", "alpha"),
            Mscale = Optional(nameof(MlaSettings.Mscale), rope, "mscale"),
            MscaleAllDim = Optional(nameof(MlaSettings.MscaleAllDim), rope, "mscale_all_dim"),
            RopeTruncate = rope.Boolean("truncate"),
            AttentionFactor = Optional(nameof(MlaSettings.AttentionFactor), rope, "attention_factor"),
            OriginalMaxPositionEmbeddings = OriginalContext(config, rope),
        };
        PlaceScaling(config, rope, settings);
        if (settings is { RopeFactor: 1, OriginalMaxPositionEmbeddings: null })
        {
            // Published for models that are not stretched. transformers then takes the whole context for the original one, and nothing depends on it.
            settings = settings with { OriginalMaxPositionEmbeddings = settings.MaxPositionEmbeddings };
        }

        if (profile.HasMistralScaling && rope.Boolean("apply_scale", "apply_yarn_scaling") == false)
        {
            // Neither a derived factor on cosine and sine, nor its square on the softmax scale.
            return settings with { AttentionFactor = settings.AttentionFactor ?? 1, Mscale = null, MscaleAllDim = null };
        }

        RemarkScale(config, rope, settings);
        return settings;
    }

    private void RemarkScale(ConfigObject config, ConfigObject rope, MlaSettings settings)
    {
        if (settings.RopeFactor == 1)
        {
            // Every factor that follows from it is 1.
            return;
        }

        if (settings.AttentionFactor is null && (settings.Mscale is null || settings.MscaleAllDim is null))
        {
            sink.Add(ConfigRules.YarnWithoutMscale, Place(config, rope));
        }

        if (rope.Find("mscale_all_dim") is { } property && settings.MscaleAllDim is not null)
        {
            if (profile.HasMistralScaling)
            {
                sink.Add(ConfigRules.ScaleDisputed, property.Span);
            }
            else if (profile.Type is "deepseek_v2" or "deepseek_vl_v2")
            {
                sink.Add(ConfigRules.ScaleDependsOnVersion, property.Span);
            }
        }
    }

    private MlaSettings LongRope(ConfigObject config, ConfigObject rope, MlaSettings settings)
    {
        settings = settings with
        {
            RopeScaling = RopeScaling.LongRope,
            ShortFactor = Factors(nameof(MlaSettings.ShortFactor), rope, "short_factor"),
            LongFactor = Factors(nameof(MlaSettings.LongFactor), rope, "long_factor"),
            RopeFactor = Optional(nameof(MlaSettings.RopeFactor), rope, "factor"),
            AttentionFactor = Optional(nameof(MlaSettings.AttentionFactor), rope, "attention_factor"),
            OriginalMaxPositionEmbeddings = OriginalContext(config, rope),
        };
        PlaceScaling(config, rope, settings);
        return settings;
    }

    /// <summary>Where the scaling and its factor stand: a factor that follows from the two lengths of the model, where the scaling does.</summary>
    private void PlaceScaling(ConfigObject config, ConfigObject rope, MlaSettings settings)
    {
        TextSpan place = Place(config, rope);
        places[nameof(MlaSettings.RopeScaling)] = place;
        if (settings.RopeFactor is not null)
        {
            return;
        }

        places[nameof(MlaSettings.RopeFactor)] = place;
        if (settings.AttentionFactor is not null && settings.RopeScaling == RopeScaling.LongRope)
        {
            return;
        }

        // How long an input may be is a limit too, and no length of the model.
        if (config.Find("max_position_embeddings") is null && config.Find("model_max_length") is { } limit)
        {
            sink.Add(ConfigRules.WrongValue, limit.Span, "max_position_embeddings", "missing", "a whole number, since the factor of the scaling follows from it");
        }
    }

    /// <summary>Mistral: queries grow with the position.</summary>
    private MlaSettings PositionScale(ConfigObject config, ConfigObject rope, MlaSettings settings)
    {
        if (!profile.HasMistralScaling)
        {
            config.Understand("llama_4_scaling", static value => value.IsOff);
            rope.Understand("llama_4_scaling_beta", static value => value.IsOff);
            rope.Understand("apply_scale", static value => value.Kind == JsonKind.True);
            rope.Understand("apply_yarn_scaling", static value => value.Kind == JsonKind.True);
            return settings;
        }

        // The release's params.json keeps it beside the scaling, config.json among its parameters.
        ConfigObject native = new(sink, config.Object("llama_4_scaling") is { } section ? ImmutableArray.Create(section) : ImmutableArray<JsonValue>.Empty);
        double? beta = native.IsEmpty
            ? Optional(nameof(MlaSettings.Llama4ScalingBeta), rope, "llama_4_scaling_beta")
            : Optional(nameof(MlaSettings.Llama4ScalingBeta), native, "beta");
        if (beta is null)
        {
            return settings;
        }

        JsonProperty? context = rope.Find("original_max_position_embeddings");
        if (native.Find("original_max_position_embeddings") is { } own)
        {
            config.Agree(context ?? own, own);
        }

        int? original = (native.IsEmpty ? null : native.Int32(1, "original_max_position_embeddings")) ?? OriginalContext(config, rope);
        foreach (JsonProperty property in native.Rest.Where(static property => property.Value.Kind != JsonKind.Null))
        {
            sink.Add(ConfigRules.UnknownKey, property.Span, property.Name, profile.Type, KnownKeys.Hint(property.Name));
        }

        return settings with { Llama4ScalingBeta = beta, OriginalMaxPositionEmbeddings = original };
    }

    private int? OriginalContext(ConfigObject config, ConfigObject rope)
    {
        JsonProperty? inner = rope.Find("original_max_position_embeddings");
        JsonProperty? outer = config.Find("original_max_position_embeddings");
        if (inner is not null && outer is not null)
        {
            config.Agree(inner, outer);
        }

        if ((inner ?? outer) is { } property)
        {
            places[nameof(MlaSettings.OriginalMaxPositionEmbeddings)] = property.Span;
        }

        return rope.Int32(1, "original_max_position_embeddings") ?? config.Int32(1, "original_max_position_embeddings");
    }

    private static TextSpan Place(ConfigObject config, ConfigObject rope)
        => (rope.Find("rope_type", "type") ?? config.Find("yarn"))?.Span ?? default;

    private EquatableArray<double>? Factors(string property, ConfigObject rope, string name)
    {
        if (rope.Find(name) is not { } found)
        {
            return null;
        }

        places[property] = found.Span;
        return rope.Doubles(name);
    }

    /// <summary>A number for which null, 0 and absence are the same, as in Python's <c>or</c>.</summary>
    private double? Optional(string property, ConfigObject section, params string[] names)
    {
        if (section.Find(names) is not { } found)
        {
            return null;
        }

        places[property] = found.Span;
        return section.Double(names) is { } value && value != 0 ? value : null;
    }

    private double? Positive(string property, JsonProperty? found)
    {
        if (found is null)
        {
            return null;
        }

        places[property] = found.Span;
        if (found.Value.TryGetDouble(out double value) && value > 0)
        {
            return value;
        }

        sink.Add(ConfigRules.WrongValue, found.Value.Span, found.Name, found.Value.ToString(), "a positive number");
        return null;
    }
}
