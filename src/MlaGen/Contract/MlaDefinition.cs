using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>What a generated class is to the runtime: its dimensions, its kernels, and the constants that these are not specialised to. Emitted once a class.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class MlaDefinition
{
    private bool _isChecked;

    /// <summary>The agreement with the runtime that the class was emitted under.</summary>
    public required int Contract { get; init; }

    /// <summary>The layer's dimensions.</summary>
    public required MlaShape Shape { get; init; }

    /// <summary>Kernels of these dimensions.</summary>
    public required MlaKernels Kernels { get; init; }

    /// <summary>How a cache keeps rows unless it is made with another format.</summary>
    public CacheFormat CacheFormat { get; init; }

    /// <summary>How exactly attention multiplies unless a cache is made with another precision.</summary>
    public MlaPrecision Precision { get; init; }

    /// <summary>Factor on the scores.</summary>
    public required float SoftmaxScale { get; init; }

    /// <summary>Epsilon of both latent norms.</summary>
    public required double LatentNormEpsilon { get; init; }

    /// <summary>Factor on the normalised query latent.</summary>
    public required float QLatentScale { get; init; }

    /// <summary>Factor on the normalised key/value latent.</summary>
    public required float KvLatentScale { get; init; }

    /// <summary>Which elements of a rotary part are turned together.</summary>
    public required RopeLayout RopeLayout { get; init; }

    /// <summary>Radians a position, for each pair; empty where nothing is rotated.</summary>
    public required float[] InverseFrequencies { get; init; }

    /// <summary>Factor on cosine and sine.</summary>
    public required float RopeAttentionFactor { get; init; }

    /// <summary>Growth of queries with the position, 0 for none.</summary>
    public double Llama4ScalingBeta { get; init; }

    /// <summary>Positions over which <see cref="Llama4ScalingBeta"/> counts one step.</summary>
    public int OriginalMaxPositionEmbeddings { get; init; } = 1;

    /// <summary>Whether the projections to the latents and that of the output have biases (<c>attention_bias</c>).</summary>
    public bool HasBias { get; init; }

    /// <summary>What the output of a head is multiplied by.</summary>
    public OutputGate OutputGate { get; init; }

    /// <summary>Whether each head has a learned sink in its softmax.</summary>
    public bool HasSinks { get; init; }

    /// <summary>New tokens from which on a long context is cheaper decompressed; 0 if it never is.</summary>
    public required int BreakEvenQueries { get; init; }

    /// <summary>The sparse indexer; null for attention to all keys.</summary>
    public IndexerDefinition? Indexer { get; init; }

    /// <summary>This definition, if it was emitted for this runtime and is whole; whatever uses one asks first.</summary>
    /// <exception cref="InvalidOperationException">It was emitted for another version of the package, or contradicts itself.</exception>
    internal MlaDefinition Checked()
    {
        if (!_isChecked)
        {
            DefinitionCheck.Check(this);
            _isChecked = true;
        }

        return this;
    }
}
