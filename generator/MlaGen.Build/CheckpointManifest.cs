using System.Globalization;
using System.Text;
using MlaGen.Runtime;

namespace MlaGen.Build;

/// <summary>
/// The tensors of a checkpoint's attention layers, all that stand under their names, as a few lines of text, whatever the number of layers and experts: name with <c>*</c> for the layer,
/// type, shape, and the layers that have it so.
/// </summary>
internal static class CheckpointManifest
{
    /// <summary>More lines than this are no model: it has a dozen for each kind of layer.</summary>
    private const int MaxLines = 10_000;

    /// <summary>Writes the manifest of a checkpoint, each entry on one line: text from a checkpoint may hold anything.</summary>
    /// <param name="source">What messages call the checkpoint.</param>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <returns>The text, the same for the same tensors whatever their order.</returns>
    /// <exception cref="CheckpointException">The tensors do not make a manifest of reasonable size.</exception>
    public static string Write(string source, Checkpoint checkpoint)
    {
        List<(TensorPath Path, CheckpointTensor Tensor)> tensors = [.. checkpoint.Tensors.Select(static tensor => (TensorPath.Parse(tensor.Name), tensor))];
        HashSet<string> modules = [.. tensors.Where(static entry => entry.Path.IsDistinctive).Select(static entry => entry.Path.Module)];
        List<string> lines =
        [
            .. tensors
                .Where(entry => entry.Path.IsWithin(modules))
                .GroupBy(
                    static entry => $"{entry.Path.Pattern}\t{Unprintable.Escape(entry.Tensor.NameOfType())}\t{TensorTypes.Format(entry.Tensor.Shape.AsSpan())}",
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
        foreach (string line in (IEnumerable<string>)[ManifestFormat.Header, Unprintable.Escape(source), .. lines])
        {
            text.Append(line).Append('\n');
        }

        return text.ToString();
    }

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

    /// <summary>A tensor's name with its layer apart.</summary>
    /// <param name="Pattern">The name, with <c>*</c> for the layer.</param>
    /// <param name="Layer">The first part that is a number.</param>
    private readonly record struct TensorPath(string Pattern, int? Layer)
    {
        /// <summary>All but the last two parts.</summary>
        public string Module => Parts is [.. string[] module, _, _] ? string.Join('.', module) : string.Empty;

        /// <summary>Whether it is of a projection that only latent attention has.</summary>
        public bool IsDistinctive => Parts is [.., string projection, string tensor] && ProjectionNames.Distinctive.Contains(projection) && ProjectionNames.Tensors.Contains(tensor);

        private string[] Parts => Pattern.Split('.');

        public static TensorPath Parse(string name)
        {
            string[] parts = Unprintable.Escape(name).Split('.');
            for (int i = 0; i < parts.Length; i++)
            {
                if (int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out int number))
                {
                    parts[i] = "*";
                    return new TensorPath(string.Join('.', parts), number);
                }
            }

            return new TensorPath(string.Join('.', parts), null);
        }

        /// <summary>Whether one of the modules, or one around it, is among these: then it stands under that module's prefix, read or not.</summary>
        public bool IsWithin(HashSet<string> modules)
        {
            for (int end = Pattern.LastIndexOf('.'); end > 0; end = Pattern.LastIndexOf('.', end - 1))
            {
                if (modules.Contains(Pattern[..end]))
                {
                    return true;
                }
            }

            return modules.Contains(string.Empty);
        }
    }
}
