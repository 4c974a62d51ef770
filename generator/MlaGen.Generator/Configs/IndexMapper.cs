using System.Collections.Immutable;
using System.Globalization;
using Microsoft.CodeAnalysis.Text;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Configs;

/// <summary>Reads the sparse indexer: its dimensions, its rotary part, and which layers have one.</summary>
internal sealed class IndexMapper(ProblemSink sink, ImmutableDictionary<string, TextSpan>.Builder places, ModelProfile profile)
{
    /// <summary>More layers than any model has: a number in a file does not make the compiler write further.</summary>
    private const int MostLayers = 1024;

    // They concern drafts, or name what the other keys say.
    private static readonly string[] _otherKeys = ["index_share_for_mtp_iteration", "dsa_layers"];

    private static readonly string[] _keys =
        ["index_n_heads", "index_head_dim", "indexer_rope_interleave", "indexer_types", "index_topk_freq", "index_skip_topk_offset", "index_topk_pattern", .. _otherKeys];

    /// <summary>Completes settings whose other dimensions are known.</summary>
    /// <param name="config">The file.</param>
    /// <param name="settings">The settings.</param>
    /// <param name="topK">Keys that a query selects; null where there is no indexer.</param>
    public MlaSettings Map(ConfigObject config, MlaSettings settings, out int? topK)
    {
        topK = null;
        JsonProperty? place = config.FindOn("index_topk");
        JsonProperty? shape = config.FindOn("index_n_heads") ?? config.FindOn("index_head_dim");
        bool isSwitchedOff = place is null && config.Find("index_topk") is not null;
        if ((place ?? shape) is not { } indexer)
        {
            return settings;
        }

        foreach (string key in _keys)
        {
            _ = config.Find(key);
        }

        if (isSwitchedOff)
        {
            return settings;
        }

        if (place is null)
        {
            sink.Add(ConfigRules.WrongValue, indexer.Span, "index_topk", "missing", "a whole number beside the other keys of the indexer");
            return settings;
        }

        if (settings.QLoraRank == 0)
        {
            sink.Add(ConfigRules.UnsupportedFeature, place.Span, place.Name, place.Value.ToString(), "the indexer reads the query latent, and there is no q_lora_rank");
        }

        places[nameof(ConfigModel.IndexTopK)] = place.Span;
        topK = config.Int32(1, "index_topk");
        return profile.Indexer is { } rule && topK is not null ? Indexer(config, settings, rule, topK.Value) : settings;
    }

    private MlaSettings Indexer(ConfigObject config, MlaSettings settings, IndexerRule rule, int topK) => settings with
    {
        IndexTopK = topK,
        IndexHeads = Dimension(nameof(MlaSettings.IndexHeads), config, "index_n_heads"),
        IndexHeadDim = Dimension(nameof(MlaSettings.IndexHeadDim), config, "index_head_dim"),
        IndexRopeLayout = settings.QkRopeHeadDim == 0 ? null : config.Boolean("indexer_rope_interleave") switch
        {
            true => RopeLayout.Interleaved,
            false => RopeLayout.HalfSplit,
            null => rule.Layout,
        },
        IndexRopeLast = rule.RotatesLast ? true : null,
        IndexNormEpsilon = rule.HasModelEpsilon ? Epsilon(config) : null,
        IndexPoolTokens = rule.HasPools ? Pools(config) : null,
        IndexPattern = Pattern(config, rule),
    };

    private int? Pools(ConfigObject config)
    {
        if (config.Find("index_kpool_always_select_tail") is { Value.IsOff: true } tail)
        {
            sink.Add(ConfigRules.UnsupportedFeature, tail.Span, tail.Name, tail.Value.ToString(), "without the tail, the first tokens of a text attend to nothing, not even to themselves, until they make a whole pool; no published model does so, and what comes of it is defined nowhere");
        }

        return config.FindOn("index_kpool") is null ? null : Dimension(nameof(MlaSettings.IndexPoolTokens), config, "index_kpool");
    }

    private int? Dimension(string property, ConfigObject config, string key)
    {
        if (config.Find(key) is { } found)
        {
            places[property] = found.Span;
        }

        return config.Int32(1, key);
    }

    private double? Epsilon(ConfigObject config)
    {
        if (config.Find("rms_norm_eps") is null)
        {
            sink.Add(ConfigRules.WrongValue, config.Place, "rms_norm_eps", "missing", "the epsilon that the norm of the index key takes from it");
        }

        return config.Double("rms_norm_eps");
    }

    /// <summary>Which layers have an indexer, as transformers finds it: listed one by one, as a pattern, or every so many.</summary>
    private string? Pattern(ConfigObject config, IndexerRule rule)
    {
        string? pattern = config.FindOn("indexer_types") is { } types ? Listed(types, "full", "shared")
            : config.FindOn("index_topk_pattern") is { } list ? Listed(list, "F", "S")
            : Periodic(config, rule);
        if (pattern is { Length: > MostLayers })
        {
            pattern = pattern.Substring(0, MostLayers);
        }

        return pattern is null || pattern.All(static layer => layer == IndexerSpec.Full) ? null : pattern;
    }

    private string? Listed(JsonProperty property, string full, string shared)
    {
        if (property.Value.Kind == JsonKind.String)
        {
            // What a text means is judged where a class makes use of it: one that accepts dense attention does not.
            places[nameof(MlaSettings.IndexPattern)] = property.Span;
            return property.Value.Text;
        }

        if (property.Value.Kind != JsonKind.Array || property.Value.Items.Any(item => item.Text != full && item.Text != shared))
        {
            sink.Add(ConfigRules.WrongValue, property.Span, property.Name, property.Value.ToString(), $"an array of '{full}' and '{shared}', one for each layer");
            return null;
        }

        return Checked(property, string.Concat(property.Value.Items.Select(item => item.Text == full ? IndexerSpec.Full : IndexerSpec.Shared)));
    }

    private string? Checked(JsonProperty property, string pattern)
    {
        places[nameof(MlaSettings.IndexPattern)] = property.Span;
        if (pattern.Length > 0 && pattern[0] == IndexerSpec.Full && pattern.All(static layer => layer is IndexerSpec.Full or IndexerSpec.Shared))
        {
            return pattern;
        }

        sink.Add(ConfigRules.WrongValue, property.Span, property.Name, property.Value.ToString(), "a layer with an indexer (full, F) first, then such layers and those that share (shared, S)");
        return null;
    }

    private string? Periodic(ConfigObject config, IndexerRule rule)
    {
        int frequency = config.Int32(1, "index_topk_freq") ?? rule.Frequency;
        int offset = config.Int32(0, "index_skip_topk_offset") ?? 2;
        if (frequency == 1)
        {
            return null;
        }

        if (config.Find("num_hidden_layers") is not { } count || !count.Value.TryGetInt32(out int layers) || layers < 1)
        {
            sink.Add(ConfigRules.WrongValue, config.Place, "num_hidden_layers", "missing", $"the number of layers, of which one in {frequency.ToString(CultureInfo.InvariantCulture)} has an indexer");
            return null;
        }

        return string.Concat(Enumerable.Range(0, Math.Min(layers, MostLayers)).Select(layer => Math.Max(layer - (long)offset + 1, 0) % frequency == 0 ? IndexerSpec.Full : IndexerSpec.Shared));
    }
}

/// <summary>What a model type fixes of its sparse indexer in its code.</summary>
/// <param name="Layout">Which elements of the rotary part are turned together, unless <c>indexer_rope_interleave</c> says it.</param>
/// <param name="RotatesLast">Whether the rotary part is the last one; else the first.</param>
/// <param name="HasModelEpsilon">Whether the norm of the index key takes <c>rms_norm_eps</c>; else 1e-6.</param>
/// <param name="HasPools">Whether it pools keys where <c>index_kpool</c> says so.</param>
/// <param name="Frequency">Every which layer has an indexer, unless <c>index_topk_freq</c> says it.</param>
internal sealed record IndexerRule(RopeLayout Layout = RopeLayout.HalfSplit, bool RotatesLast = false, bool HasModelEpsilon = false, bool HasPools = false, int Frequency = 1);
