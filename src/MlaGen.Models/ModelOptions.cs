namespace MlaGen.Models;

/// <summary>How a model is loaded.</summary>
public sealed record ModelOptions
{
    /// <summary>
    /// How experts, dense feed-forward parts, the embedding and the head keep their weights; those of attention, norms and routers stay as they are stored.
    /// Weights are brought into it row by row while they are read.
    /// </summary>
    public WeightFormat Weights { get; init; } = WeightFormat.Stored;

    /// <summary>
    /// Whether to keep packed weights in a file in the model's directory, as long as all of them, and to map them from there the next time; see <see cref="PackedWeights"/>.
    /// </summary>
    public bool KeepWeights { get; init; }

    /// <summary>Told of each layer of the decoder once it is loaded, on the loading thread.</summary>
    public IProgress<LoadProgress>? Progress { get; init; }
}

/// <summary>How far loading has come.</summary>
/// <param name="Layers">Attention layers that are loaded.</param>
/// <param name="AllLayers">Attention layers of the model.</param>
public readonly record struct LoadProgress(int Layers, int AllLayers);
