namespace MlaGen.Models;

/// <summary>How a model is loaded.</summary>
public sealed record ModelOptions
{
    /// <summary>Told of each layer of the decoder once it is loaded, on the loading thread.</summary>
    public IProgress<LoadProgress>? Progress { get; init; }
}

/// <summary>How far loading has come.</summary>
/// <param name="Layers">Attention layers that are loaded.</param>
/// <param name="AllLayers">Attention layers of the model.</param>
public readonly record struct LoadProgress(int Layers, int AllLayers);
