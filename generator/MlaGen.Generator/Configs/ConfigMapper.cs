using System.Collections.Immutable;
using System.Globalization;
using Microsoft.CodeAnalysis.Text;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Configs;

/// <summary>Reads the attention of one configuration. Names and quirks are those of the model classes in transformers 5.17.</summary>
internal sealed class ConfigMapper(ProblemSink sink)
{
    /// <summary>What transformers gives both latent norms, whatever <c>rms_norm_eps</c> says.</summary>
    private const double LatentNormEpsilon = 1e-6;

    private static readonly string[] _towers = ["text_config", "language_config"];

    private static readonly string[] _indexerKeys =
        ["index_n_heads", "index_head_dim", "indexer_rope_interleave", "indexer_types", "index_topk_freq", "index_skip_topk_offset", "index_topk_pattern", "index_share_for_mtp_iteration", "dsa_layers"];

    private readonly ImmutableDictionary<string, TextSpan>.Builder _places = ImmutableDictionary.CreateBuilder<string, TextSpan>(StringComparer.Ordinal);

    /// <summary>Maps a whole file.</summary>
    public ParsedConfig Map(string name, string file, JsonValue root)
    {
        JsonValue json = Tower(root);
        var config = new ConfigObject(sink, json);
        if (new FamilyFinder(sink).Find(root, json, config) is not { } profile || !AttentionGuards.IsMla(config, profile, json, sink))
        {
            return Result(new ConfigModel(name, file, MlaSettings.Empty, IndexTopK: null, IsValid: false), json);
        }

        MlaSettings settings = Dimensions(config, profile);
        settings = new RopeMapper(sink, _places, profile).Map(config, settings);
        settings = GateMapper.Map(config, profile, settings, sink);
        int? indexTopK = Indexer(config, settings);
        AttentionGuards.Check(config, profile, sink);
        string? quantization = Quantization(root, json, config, profile, settings);
        Remarks(config, profile, settings);
        if (!ReferenceEquals(root, json))
        {
            CheckAround(root, json, profile);
        }

        // A model that is not generated anyway has one reason for it, and keys that could also matter would only bury that.
        if (!sink.Has(ConfigRules.UnsupportedFeature))
        {
            foreach (JsonProperty property in config.Rest)
            {
                AttentionKeys.Check(property, profile, sink);
            }
        }

        return Result(new ConfigModel(name, file, settings, indexTopK, !sink.HasErrors) { Quantization = quantization }, json);
    }

    /// <summary>How attention is quantized, if it cannot be read. What stands around a nested model speaks of the file as it is; what stands inside, of the model it was made from.</summary>
    private string? Quantization(JsonValue root, JsonValue json, ConfigObject config, ModelProfile profile, MlaSettings settings)
    {
        bool isNested = !ReferenceEquals(root, json);
        AttentionModules modules = AttentionModules.Of(config, profile, settings, isNested);
        QuantizationCheck.Find(config, modules, out QuantizationProblem? problem);
        if (isNested && QuantizationCheck.Find(new ConfigObject(sink, root), modules, out QuantizationProblem? outer))
        {
            problem = outer;
        }

        if (problem is not null)
        {
            _places[nameof(ConfigModel.Quantization)] = problem.Place;
        }

        return problem?.Text;
    }

    private ParsedConfig Result(ConfigModel model, JsonValue json)
    {
        TextSpan place = new ConfigObject(sink, json).Place;
        return new ParsedConfig(model, sink.Problems.OrderBy(static problem => problem.Span.Start).ToImmutableArray(), _places.ToImmutable(), place)
        {
            Keys = [.. json.Properties.Select(static property => property.Name)],
        };
    }

    /// <summary>The language model's own settings: the file itself, or what a multimodal model nests.</summary>
    private JsonValue Tower(JsonValue root)
    {
        JsonProperty[] nested = [.. _towers.Select(root.Find).Where(static property => property is { Value.Kind: JsonKind.Object }).Select(static property => property!)];
        if (nested.Length == 2)
        {
            new ConfigObject(sink, root).Agree(nested[0], nested[1]);
        }

        return nested.Length == 0 ? root : nested[0].Value;
    }

    private MlaSettings Dimensions(ConfigObject config, ModelProfile profile)
    {
        // Mistral's short names; elsewhere they belong to programs that are not read.
        string[] hiddenSize = profile.HasMistralScaling ? ["hidden_size", "dim"] : ["hidden_size"];
        string[] headCount = profile.HasMistralScaling ? ["num_attention_heads", "n_heads"] : ["num_attention_heads"];
        var settings = new MlaSettings
        {
            HiddenSize = Dimension(nameof(MlaSettings.HiddenSize), config, 1, hiddenSize),
            Heads = Dimension(nameof(MlaSettings.Heads), config, 1, headCount),
            QLoraRank = Dimension(nameof(MlaSettings.QLoraRank), config, 0, DimensionKeys.QLoraRank) ?? 0,
            KvLoraRank = Dimension(nameof(MlaSettings.KvLoraRank), config, 1, DimensionKeys.KvLoraRank),
            QkNopeHeadDim = Dimension(nameof(MlaSettings.QkNopeHeadDim), config, 1, DimensionKeys.QkNopeHeadDim),
            QkRopeHeadDim = Dimension(nameof(MlaSettings.QkRopeHeadDim), config, 0, DimensionKeys.QkRopeHeadDim),
            VHeadDim = Dimension(nameof(MlaSettings.VHeadDim), config, 1, DimensionKeys.VHeadDim),
            MaxPositionEmbeddings = Dimension(nameof(MlaSettings.MaxPositionEmbeddings), config, 1, DimensionKeys.MaxPositionEmbeddings),
            AttentionBias = config.Boolean("attention_bias") ?? false,
            LatentNormEpsilon = LatentNormEpsilon,
        };

        if (profile.DefaultsHeadDims)
        {
            settings = settings with { QkNopeHeadDim = settings.QkNopeHeadDim ?? 128, QkRopeHeadDim = settings.QkRopeHeadDim ?? 64, VHeadDim = settings.VHeadDim ?? 128 };
        }

        if (profile.DerivesVHeadDim && settings is { VHeadDim: null, HiddenSize: { } hidden, Heads: { } heads } && hidden % heads == 0)
        {
            settings = settings with { VHeadDim = hidden / heads };
        }

        return profile.ScalesLatents ? ScaleLatents(config, settings) : settings;
    }

    /// <summary>LongCat's class scales both latents and does not look at the flags that say so.</summary>
    private MlaSettings ScaleLatents(ConfigObject config, MlaSettings settings)
    {
        foreach (string flag in new[] { "mla_scale_q_lora", "mla_scale_kv_lora" })
        {
            if (config.Boolean(flag) == false)
            {
                sink.Add(ConfigRules.KeyWithoutEffect, config.Find(flag)!.Span, flag, "false", "the model's class scales the latents in any case");
            }
        }

        return settings with { ScaleQLora = true, ScaleKvLora = true };
    }

    private int? Dimension(string property, ConfigObject config, int least, params string[] names)
    {
        if (config.Find(names) is { } found)
        {
            _places[property] = found.Span;
        }

        return config.Int32(least, names);
    }

    /// <summary>DeepSeek sparse attention: dense attention equals it as long as there are no more keys than it selects.</summary>
    private int? Indexer(ConfigObject config, MlaSettings settings)
    {
        JsonProperty? place = config.FindOn("index_topk");
        JsonProperty? shape = config.FindOn("index_n_heads") ?? config.FindOn("index_head_dim");
        bool isSwitchedOff = place is null && config.Find("index_topk") is not null;
        if ((place ?? shape) is not { } indexer)
        {
            return null;
        }

        // They shape the indexer alone, and no indexer is generated.
        foreach (string key in _indexerKeys)
        {
            _ = config.Find(key);
        }

        if (isSwitchedOff)
        {
            return null;
        }

        if (place is null)
        {
            sink.Add(ConfigRules.WrongValue, indexer.Span, "index_topk", "missing", "a whole number beside the other keys of the indexer");
            return null;
        }

        if (settings.QLoraRank == 0)
        {
            sink.Add(ConfigRules.UnsupportedFeature, place.Span, place.Name, place.Value.ToString(), "the indexer reads the query latent, and there is no q_lora_rank");
        }

        _places[nameof(ConfigModel.IndexTopK)] = place.Span;
        return config.Int32(1, "index_topk");
    }

    /// <summary>What stands around a nested language model: settings of other towers, and at most a copy of its own.</summary>
    private void CheckAround(JsonValue root, JsonValue tower, ModelProfile profile)
    {
        var around = new ConfigObject(sink, root);
        foreach (string name in _towers.Append("model_type").Append("architectures"))
        {
            _ = around.Find(name);
        }

        foreach (JsonProperty property in around.Rest)
        {
            if (property.Value.Kind != JsonKind.Null && AttentionKeys.IsAttention(property.Name, profile))
            {
                if (tower.Find(property.Name) is { } inner)
                {
                    around.Agree(inner, property);
                }
                else
                {
                    AttentionKeys.Check(property, profile, sink);
                }
            }
        }
    }

    private void Remarks(ConfigObject config, ModelProfile profile, MlaSettings settings)
    {
        if (config.Find("rms_norm_eps", "norm_eps") is { } epsilon && config.Double("rms_norm_eps", "norm_eps") is { } value && value != LatentNormEpsilon)
        {
            sink.Add(ConfigRules.LatentEpsilon, epsilon.Span, epsilon.Name, epsilon.Value.ToString());
        }

        if (config.Find("head_dim") is { } headDim
            && settings is { QkRopeHeadDim: { } rope, QkNopeHeadDim: { } nope }
            && headDim.Value.TryGetInt32(out int width)
            && width != rope
            && !(profile.HasMistralScaling && width == nope + rope))
        {
            sink.Add(ConfigRules.HeadDimIgnored, headDim.Span, headDim.Value.ToString(), rope.ToString(CultureInfo.InvariantCulture));
        }

        if (settings is { QkRopeHeadDim: { } r, QkNopeHeadDim: { } n } && r == n && !profile.HasMistralScaling)
        {
            sink.Add(ConfigRules.SuspiciousRopeDim, _places.TryGetValue(nameof(MlaSettings.QkRopeHeadDim), out TextSpan place) ? place : default, r.ToString(CultureInfo.InvariantCulture));
        }
    }
}
