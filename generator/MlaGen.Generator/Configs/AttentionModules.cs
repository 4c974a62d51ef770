using System.Globalization;
using MlaGen.Generator.Model;
using MlaGen.Runtime;

namespace MlaGen.Generator.Configs;

/// <summary>The projections of a model's attention layers by the names that lists of modules use.</summary>
/// <param name="Layers">The layers.</param>
/// <param name="Projections">The matrices of one.</param>
/// <param name="Attentions">What a layer calls its attention; LongCat has two of them.</param>
/// <param name="Outer">What may stand before <c>layers</c>: lists name modules as one library or another loads them, and the file does not say which.</param>
internal sealed record AttentionModules(IReadOnlyList<int> Layers, IReadOnlyList<string> Projections, IReadOnlyList<string> Attentions, IReadOnlyList<string> Outer)
{
    /// <summary>More layers than any model has: a number in a file does not make the compiler count further.</summary>
    private const int MaxLayers = 1024;

    public static AttentionModules Of(ConfigObject config, ModelProfile profile, MlaSettings settings, bool isNested)
    {
        JsonProperty? count = LayerCount(config, profile.Attentions.Length);
        int layers = count is not null && count.Value.TryGetInt32(out int number) ? Math.Min(Math.Max(number, 1), MaxLayers) : 1;
        string[] queries = settings.QLoraRank > 0 ? [ProjectionNames.QAProj, ProjectionNames.QBProj] : [ProjectionNames.QProj];
        string[] nested = ["language_model.model.", "model.language_model.", "language_model.", "model."];
        return new AttentionModules(
            LatentLayers(config, layers),
            [.. queries, ProjectionNames.KvAProjWithMqa, ProjectionNames.KvBProj, .. settings.OutputGateName is { } gate ? [gate] : Array.Empty<string>(), ProjectionNames.OProj],
            profile.Attentions,
            isNested ? nested : [.. Enumerable.Reverse(nested)]);
    }

    /// <summary>The names of one projection.</summary>
    public IEnumerable<string> Names(int layer, string attention, string projection)
        => Outer.Select(outer => string.Format(CultureInfo.InvariantCulture, "{0}layers.{1}.{2}.{3}", outer, layer, attention, projection));

    /// <summary>How many layers there are. Where a layer has several attentions, transformers writes beside <c>num_layers</c> how many of those there are.</summary>
    private static JsonProperty? LayerCount(ConfigObject config, int attentions)
    {
        if (attentions == 1)
        {
            return config.Find("num_hidden_layers", "num_layers", "n_layers");
        }

        JsonProperty? layers = config.Find("num_layers");
        JsonProperty? all = config.Find("num_hidden_layers");
        if (layers is not null && all is not null && !(layers.Value.TryGetInt32(out int count) && all.Value.TryGetInt32(out int number) && number == (long)count * attentions))
        {
            config.Agree(all, layers);
        }

        return layers ?? all;
    }

    /// <summary>Kimi's hybrids count their latent layers, from 1; other layers of theirs are no concern.</summary>
    private static int[] LatentLayers(ConfigObject config, int layers)
    {
        IEnumerable<JsonValue> listed = config.Find("linear_attn_config")?.Value.Find("full_attn_layers")?.Value.Items ?? [];
        int[] latent = [.. listed.Select(static item => item.TryGetInt32(out int number) ? number - 1 : -1).Where(layer => layer >= 0 && layer < layers).Distinct()];
        return latent.Length > 0 ? latent : [.. Enumerable.Range(0, layers)];
    }
}
