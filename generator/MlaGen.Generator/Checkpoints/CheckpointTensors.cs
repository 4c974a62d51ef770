namespace MlaGen.Generator.Checkpoints;

/// <summary>Tensors of several layers that are alike.</summary>
/// <param name="module">All of the name but its last two parts, with * for the layer.</param>
/// <param name="projection">The last part but one: <c>q_a_proj</c>.</param>
/// <param name="tensor">The last part: <c>weight</c>.</param>
/// <param name="type">Element type, by its safetensors name.</param>
/// <param name="shape">Shape as text: <c>[576, 7168]</c>.</param>
/// <param name="layers">The layers that have it so.</param>
internal sealed class CheckpointTensors(string module, string projection, string tensor, string type, string shape, LayerSet layers)
{
    public string Module { get; } = module;

    public string Projection { get; } = projection;

    public string Tensor { get; } = tensor;

    public string Type { get; } = type;

    public string Shape { get; } = shape;

    public LayerSet Layers { get; } = layers;

    /// <summary>Reads one line of a manifest.</summary>
    public static CheckpointTensors? TryParse(string line)
    {
        if (line.Split('\t') is not [string name, string type, string shape, string layers] || LayerSet.TryParse(layers) is not { } set)
        {
            return null;
        }

        int tensor = name.LastIndexOf('.');
        int projection = tensor <= 0 ? -1 : name.LastIndexOf('.', tensor - 1);
        return tensor < 0
            ? null
            : new CheckpointTensors(
                projection < 0 ? string.Empty : name.Substring(0, projection),
                name.Substring(projection + 1, tensor - projection - 1),
                name.Substring(tensor + 1),
                type,
                shape,
                set);
    }
}
