namespace MlaGen.Runtime;

/// <summary>
/// Takes the floats of one segment of a row to the bytes that the cache keeps and back. An element's value depends on the segment's bytes
/// alone: not on the tier, nor on where the row lies. No byte outside the segment is touched.
/// </summary>
/// <param name="elements">Floats of the segment.</param>
/// <param name="bytes">Bytes that they become.</param>
internal abstract class SegmentCodec(int elements, int bytes)
{
    /// <summary>Floats of the segment.</summary>
    public int Elements { get; } = elements;

    /// <summary>Bytes that they become.</summary>
    public int Bytes { get; } = bytes;

    /// <summary>Whether the bytes are the floats as they are: they can then be read where they lie.</summary>
    public virtual bool HoldsFloats => false;

    /// <summary>Encodes a segment to its end, or to a value that the encoding cannot hold.</summary>
    /// <param name="values"><see cref="Elements"/> values.</param>
    /// <param name="destination">Takes <see cref="Bytes"/> bytes; what it holds after an error is no segment.</param>
    /// <returns>Index of a value that the encoding cannot hold, or -1.</returns>
    public abstract int Encode(ReadOnlySpan<float> values, Span<byte> destination);

    /// <summary>Decodes the segment of several rows.</summary>
    /// <param name="source">The first row's segment.</param>
    /// <param name="sourceStride">Bytes from a row's segment to the next's.</param>
    /// <param name="count">Rows.</param>
    /// <param name="destination">Takes the first row's values.</param>
    /// <param name="destinationStride">Floats from a row's values to the next's.</param>
    public abstract void Decode(ref byte source, nint sourceStride, int count, ref float destination, nint destinationStride);
}
