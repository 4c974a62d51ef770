using System.Globalization;

namespace MlaGen.Generator.Checkpoints;

/// <summary>Layers by their numbers, written as <c>0-3,5</c>; a dash is the one layer of a checkpoint that numbers none.</summary>
internal sealed class LayerSet
{
    /// <summary>More layers than any model has: a manifest does not make the compiler count further.</summary>
    private const int MaxLayers = 100_000;

    private const int Unnumbered = -1;

    private readonly SortedSet<int> _layers;

    private LayerSet(IEnumerable<int> layers) => _layers = [.. layers];

    public bool IsEmpty => _layers.Count == 0;

    public static LayerSet Of(IEnumerable<LayerSet> sets) => new(sets.SelectMany(static set => set._layers));

    public static LayerSet Of(IEnumerable<int> layers) => new(layers);

    public static LayerSet? TryParse(string text)
    {
        if (text == "-")
        {
            return new LayerSet([Unnumbered]);
        }

        var layers = new List<int>();
        foreach (string range in text.Split(','))
        {
            string[] ends = range.Split('-');
            if (ends.Length > 2
                || !int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out int first)
                || !int.TryParse(ends[ends.Length - 1], NumberStyles.None, CultureInfo.InvariantCulture, out int last)
                || last < first
                || last - first >= MaxLayers - layers.Count)
            {
                return null;
            }

            layers.AddRange(Enumerable.Range(first, last - first + 1));
        }

        return new LayerSet(layers);
    }

    public LayerSet And(LayerSet other) => new(_layers.Where(other._layers.Contains));

    public LayerSet Except(LayerSet other) => new(_layers.Where(layer => !other._layers.Contains(layer)));

    /// <summary>The layers of a kind; a layer without a number is -1.</summary>
    public LayerSet Where(Func<int, bool> isOfKind) => new(_layers.Where(isOfKind));

    public bool Has(int layer) => _layers.Contains(layer);

    /// <summary>The set as a message shows it, in parentheses; empty when layers are not numbered.</summary>
    public override string ToString()
    {
        int[] layers = [.. _layers.Where(static layer => layer != Unnumbered)];
        if (layers.Length == 0)
        {
            return string.Empty;
        }

        var ranges = new List<string>();
        for (int first = 0, last; first < layers.Length; first = last + 1)
        {
            last = first;
            while (last + 1 < layers.Length && layers[last + 1] == layers[last] + 1)
            {
                last++;
            }

            ranges.Add(last == first ? Text(layers[first]) : Text(layers[first]) + "-" + Text(layers[last]));
        }

        return $" ({(layers.Length == 1 ? "layer" : "layers")} {string.Join(", ", ranges)})";
    }

    private static string Text(int layer) => layer.ToString(CultureInfo.InvariantCulture);
}
