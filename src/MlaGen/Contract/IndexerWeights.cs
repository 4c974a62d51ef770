using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>The weights of a layer's sparse indexer as the runtime uses them.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class IndexerWeights
{
    /// <summary>The indexer of a layer that may be without one.</summary>
    /// <param name="wqB">Index queries of all index heads.</param>
    /// <param name="wk">The index key.</param>
    /// <param name="kNorm">Norm of the index key.</param>
    /// <param name="weightsProj">Weights of the index heads.</param>
    /// <param name="poolEmbedding">What the place in a pool adds to the weight of a token.</param>
    /// <param name="poolGate">Weights of tokens in their pools.</param>
    /// <returns>The indexer, or null where there are no weights at all.</returns>
    /// <exception cref="ArgumentException">Some of its weights are missing.</exception>
    public static IndexerWeights? Of(Projection? wqB, Projection? wk, LayerNormWeight? kNorm, Projection? weightsProj, TableWeight? poolEmbedding = null, Projection? poolGate = null)
    {
        if (wqB is null && wk is null && kNorm is null && weightsProj is null && poolEmbedding is null && poolGate is null)
        {
            return null;
        }

        return wqB is not null && wk is not null && kNorm is not null && weightsProj is not null && (poolEmbedding is null) == (poolGate is null)
            ? new IndexerWeights { WqB = wqB, Wk = wk, KNorm = kNorm, WeightsProj = weightsProj, PoolEmbedding = poolEmbedding, PoolGate = poolGate }
            : throw new ArgumentException("A layer has all weights of an indexer, or none where it attends to what an earlier layer has selected; some of them are missing.", nameof(wqB));
    }

    /// <summary>Index queries of all index heads from the query latent.</summary>
    public required Projection WqB { get; init; }

    /// <summary>The index key from the hidden state.</summary>
    public required Projection Wk { get; init; }

    /// <summary>Norm of the index key.</summary>
    public required LayerNormWeight KNorm { get; init; }

    /// <summary>Weights of the index heads from the hidden state.</summary>
    public required Projection WeightsProj { get; init; }

    /// <summary>What the place in a pool adds to the logits by which a token's key is weighed, element by element; null where keys are not pooled.</summary>
    public TableWeight? PoolEmbedding { get; init; }

    /// <summary>These logits from the hidden state; null where keys are not pooled.</summary>
    public Projection? PoolGate { get; init; }
}
