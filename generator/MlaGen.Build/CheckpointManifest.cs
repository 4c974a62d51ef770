using System.Globalization;
using System.Text;
using MlaGen.Generator.Model;
using MlaGen.Runtime;

namespace MlaGen.Build;

/// <summary>
/// The tensors of a checkpoint's attention layers as a few lines of text, whatever the number of layers and experts: name with <c>*</c> for the layer,
/// type, shape, and the layers that have it so.
/// </summary>
internal static class CheckpointManifest
{
    /// <summary>First line of a manifest; the number grows when the format changes.</summary>
    public const string Header = "# MlaGen checkpoint manifest 1";

    /// <summary>More lines than this are no model: it has a dozen for each kind of layer.</summary>
    private const int MaxLines = 10_000;

    /// <summary>Writes the manifest of a checkpoint.</summary>
    /// <param name="source">What messages call the checkpoint.</param>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <returns>The text, the same for the same tensors whatever their order.</returns>
    /// <exception cref="CheckpointException">The tensors do not make a manifest of reasonable size.</exception>
    public static string Write(string source, Checkpoint checkpoint)
    {
        List<(TensorPath Path, CheckpointTensor Tensor)> projections =
        [
            .. checkpoint.Tensors
                .Select(static tensor => (Path: TensorPath.Parse(tensor.Name), Tensor: tensor))
                .Where(static entry => entry.Path.IsProjection),
        ];
        HashSet<string> modules = [.. projections.Where(static entry => entry.Path.IsDistinctive).Select(static entry => entry.Path.Module)];
        List<string> lines =
        [
            .. projections
                .Where(entry => modules.Contains(entry.Path.Module))
                .GroupBy(
                    static entry => $"{entry.Path.Pattern}\t{entry.Tensor.Type.Name()}\t{TensorTypes.Format(entry.Tensor.Shape.AsSpan())}",
                    static entry => entry.Path.Layer,
                    static (tensor, layers) => $"{tensor}\t{Ranges(layers)}",
                    StringComparer.Ordinal)
                .Order(StringComparer.Ordinal),
        ];
        if (lines.Count > MaxLines)
        {
            throw new CheckpointException($"has {lines.Count} distinct attention tensors once layers are counted as one; at most {MaxLines} are compared", checkpoint.Source);
        }

        var text = new StringBuilder();
        foreach (string line in (IEnumerable<string>)[Header, Escape(source), .. lines])
        {
            text.Append(line).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>Keeps one entry on one line: text from a checkpoint may hold anything.</summary>
    public static string Escape(string text)
        => text.Any(CheckpointException.IsUnprintable)
            ? string.Concat(text.Select(static c => CheckpointException.IsUnprintable(c) ? $"\\u{(int)c:x4}" : c.ToString()))
            : text;

    /// <summary>Layers as <c>0-3,5</c>; a dash for a tensor that belongs to no layer.</summary>
    private static string Ranges(IEnumerable<int?> layers)
    {
        List<int> sorted = [.. layers.Where(static layer => layer is not null).Select(static layer => layer!.Value).Distinct().Order()];
        var text = new StringBuilder();
        for (int first = 0, last; first < sorted.Count; first = last + 1)
        {
            last = first;
            while (last + 1 < sorted.Count && sorted[last + 1] == sorted[last] + 1)
            {
                last++;
            }

            text.Append(text.Length == 0 ? string.Empty : ",").Append(sorted[first].ToString(CultureInfo.InvariantCulture));
            _ = last > first ? text.Append('-').Append(sorted[last].ToString(CultureInfo.InvariantCulture)) : text;
        }

        return text.Length == 0 ? "-" : text.ToString();
    }

    /// <summary>A tensor's name in parts: <c>model.layers.3.self_attn</c>, <c>q_a_proj</c>, <c>weight</c>.</summary>
    /// <param name="Module">All but the last two parts, with <c>*</c> for the layer.</param>
    /// <param name="Projection">The last part but one.</param>
    /// <param name="Tensor">The last part.</param>
    /// <param name="Layer">The first part that is a number.</param>
    private readonly record struct TensorPath(string Module, string Projection, string Tensor, int? Layer)
    {
        public string Pattern => Module.Length == 0 ? $"{Projection}.{Tensor}" : $"{Module}.{Projection}.{Tensor}";

        public bool IsDistinctive => ProjectionNames.Distinctive.Contains(Projection);

        public bool IsProjection => (IsDistinctive || ProjectionNames.Common.Contains(Projection)) && ProjectionNames.Tensors.Contains(Tensor);

        public static TensorPath Parse(string name)
        {
            int tensor = name.LastIndexOf('.');
            int projection = tensor <= 0 ? -1 : name.LastIndexOf('.', tensor - 1);
            if (tensor < 0)
            {
                return default(TensorPath) with { Module = string.Empty, Projection = string.Empty, Tensor = string.Empty };
            }

            string[] module = projection < 0 ? [] : name[..projection].Split('.');
            int? layer = null;
            for (int i = 0; i < module.Length && layer is null; i++)
            {
                if (int.TryParse(module[i], NumberStyles.None, CultureInfo.InvariantCulture, out int number))
                {
                    layer = number;
                    module[i] = "*";
                }
            }

            return new TensorPath(Escape(string.Join('.', module)), name[(projection + 1)..tensor], name[(tensor + 1)..], layer);
        }
    }
}
