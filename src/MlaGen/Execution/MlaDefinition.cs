using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>The constants of a generated class that its kernels are not specialised to. Emitted once a class.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class MlaDefinition
{
    /// <summary>The layer's dimensions.</summary>
    public required MlaShape Shape { get; init; }

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

    /// <summary>New tokens from which on a long context is cheaper decompressed; 0 if it never is.</summary>
    public required int BreakEvenQueries { get; init; }
}
