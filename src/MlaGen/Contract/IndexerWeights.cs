using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>The weights of a layer's sparse indexer as the runtime uses them.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class IndexerWeights
{
    /// <summary>Index queries of all index heads from the query latent.</summary>
    public required Projection WqB { get; init; }

    /// <summary>The index key from the hidden state.</summary>
    public required Projection Wk { get; init; }

    /// <summary>Norm of the index key.</summary>
    public required LayerNormWeight KNorm { get; init; }

    /// <summary>Weights of the index heads from the hidden state.</summary>
    public required Projection WeightsProj { get; init; }
}
