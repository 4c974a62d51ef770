using System.Globalization;
using Microsoft.CodeAnalysis.Text;
using MlaGen.Generator.Checkpoints;
using MlaGen.Generator.Diagnostics;

namespace MlaGen.Generator.Configs;

/// <summary>Projections that are quantized in a way that is not read.</summary>
/// <param name="Text">Which, and how.</param>
/// <param name="Place">Where the file says so.</param>
internal sealed record QuantizationProblem(string Text, TextSpan Place);

/// <summary>
/// Whether the attention weights come in a form that can be loaded. A word in good time and no safeguard: what is loaded is judged by its own types. So where
/// a list may be read in two ways, the one that leaves attention alone is taken.
/// </summary>
internal static class QuantizationCheck
{
    private const int MaxSteps = 20_000_000;

    /// <summary>Steps, and so instructions, into which all expressions of a section together are compiled: some thousands of them.</summary>
    private const int MaxCompileSteps = 1_000_000;

    private static readonly string[] _sections = ["quantization_config", "compression_config", "quantization"];

    /// <summary>Judges the quantization that an object speaks of; one file says the same in several places, and is wrong once.</summary>
    /// <returns>Whether it speaks of one.</returns>
    public static bool Find(ConfigObject config, AttentionModules modules, out QuantizationProblem? problem)
    {
        problem = null;
        bool isThere = false;
        foreach (string name in _sections)
        {
            if (config.Object(name) is not { } section)
            {
                continue;
            }

            isThere = true;
            if (problem is null && Judge(section, modules) is { } text)
            {
                JsonProperty place = section.Find("quant_method") ?? section.Find("quant_algo") ?? config.Find(name)!;
                problem = new QuantizationProblem(text, place.Value.Kind == JsonKind.Object ? place.NameSpan : place.Span);
            }
        }

        return isThere;
    }

    private static string? Judge(JsonValue section, AttentionModules modules)
    {
        var budget = new MatchBudget(MaxSteps);
        QuantizationScheme scheme = QuantizationScheme.Of(section, new MatchBudget(MaxCompileSteps));
        var found = new List<(string Projection, int Layer, string How)>();
        foreach (int layer in modules.Layers)
        {
            foreach (string projection in modules.Projections)
            {
                string? how = modules.Attentions.Select(attention => scheme.Obstacle([.. modules.Names(layer, attention, projection)], budget)).FirstOrDefault(static obstacle => obstacle is not null);
                if (how is not null)
                {
                    found.Add((projection, layer, how));
                }

                if (budget.IsSpent)
                {
                    return "its lists of modules are too long to be judged";
                }
            }
        }

        if (found.Count == 0)
        {
            return null;
        }

        string projections = string.Join(", ", found.Select(static entry => entry.Projection).Distinct());
        int[] layers = [.. found.Select(static entry => entry.Layer).Distinct()];
        string where = layers.Length == modules.Layers.Count ? string.Empty : LayerSet.Of(layers).ToString();
        string unknown = scheme.NotUnderstood is { } entry ? string.Format(CultureInfo.InvariantCulture, ", as far as can be told without the entry '{0}', which is not understood", Unprintable.Escape(entry, 60)) : string.Empty;
        return $"{projections}{where} {(projections.Contains(',') ? "are" : "is")} quantized ({string.Join("; ", found.Select(static entry => entry.How).Distinct())}){unknown}";
    }
}
