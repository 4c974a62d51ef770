namespace MlaGen.Generator.Checkpoints;

/// <summary>Tensors of several layers that are alike.</summary>
/// <param name="Name">Their name, with * for the layer.</param>
/// <param name="Type">Element type, by its safetensors name.</param>
/// <param name="Shape">Shape as text: <c>[576, 7168]</c>.</param>
/// <param name="Layers">The layers that have it so.</param>
internal sealed record CheckpointTensors(string Name, string Type, string Shape, LayerSet Layers)
{
    /// <summary>Whether it is a single number.</summary>
    public bool IsScalar => Shape.Trim('[', ']').Split(',').All(static dimension => dimension.Trim() is "" or "1");

    /// <summary>Reads one line of a manifest.</summary>
    public static CheckpointTensors? TryParse(string line)
        => line.Split('\t') is [{ Length: > 0 } name, string type, string shape, string layers] && LayerSet.TryParse(layers) is { } set
            ? new CheckpointTensors(name, type, shape, set)
            : null;
}
