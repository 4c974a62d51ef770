using System.Collections.Immutable;

namespace MlaGen;

/// <summary>One tensor of a checkpoint: what it is, where it stands, and its bytes on request.</summary>
public abstract class CheckpointTensor
{
    /// <summary>Full name within the checkpoint.</summary>
    public required string Name { get; init; }

    /// <summary>Type of one element.</summary>
    public required TensorType Type { get; init; }

    /// <summary>The type's name in the file, where <see cref="Type"/> is <see cref="TensorType.Other"/>; for messages.</summary>
    internal string? TypeName { get; init; }

    /// <summary>Dimensions, outermost first.</summary>
    public required ImmutableArray<long> Shape { get; init; }

    /// <summary>The file it comes from, for messages.</summary>
    public required string Source { get; init; }

    /// <summary>Copies <paramref name="destination"/>.Length bytes of the row-major, little-endian data, starting at <paramref name="offset"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the tensor.</exception>
    public abstract void Read(long offset, Span<byte> destination);
}
