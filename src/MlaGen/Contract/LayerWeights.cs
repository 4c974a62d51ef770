using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>The weights of one layer as the runtime uses them, whatever types the generated class gives them.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class LayerWeights
{
    /// <summary>The query latent from the hidden state; null where queries come from the hidden state itself.</summary>
    public Projection? QAProj { get; init; }

    /// <summary>Norm of the query latent.</summary>
    public NormWeight? QALayernorm { get; init; }

    /// <summary>Queries of all heads, from the query latent or the hidden state; with <see cref="OutputGate.Query"/> of each head the query, then the gate.</summary>
    public required Projection QProj { get; init; }

    /// <summary>Latent and rotary key from the hidden state.</summary>
    public required Projection KvAProjWithMqa { get; init; }

    /// <summary>Norm of the latent.</summary>
    public required NormWeight KvALayernorm { get; init; }

    /// <summary>Keys and values of all heads from the latent.</summary>
    public required Projection KvBProj { get; init; }

    /// <summary>Output gates from the hidden state, of each head or of each of its elements; null where there are none, or the query projection makes them.</summary>
    public Projection? GateProj { get; init; }

    /// <summary>Logits that join the softmax of each head; null where there are none.</summary>
    public SinkWeight? Sinks { get; init; }

    /// <summary>The layer's output from the values of all heads.</summary>
    public required Projection OProj { get; init; }

    /// <summary>Refuses a checkpoint that has more under a layer's prefix than the layer reads: it would be left out of the arithmetic in silence.</summary>
    /// <param name="checkpoint">Where the tensors are.</param>
    /// <param name="prefix">What the names of the layer's tensors begin with.</param>
    /// <param name="allowDense">Whether an indexer's tensors may be there.</param>
    /// <param name="projections">What is read.</param>
    public static void RefuseUnread(ICheckpoint checkpoint, string prefix, bool allowDense, params string[] projections) => WeightReader.RefuseUnread(checkpoint, prefix, allowDense, projections);
}
