using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// Takes rows of floats, latent then rotary key, to the bytes that the cache keeps and back. An element's value depends on the row's bytes
/// alone: not on the tier, nor on where the row lies. No byte outside the rows is touched.
/// </summary>
internal abstract class RowCodec
{
    private protected RowCodec(CacheFormat format, int latent, int rope, int rowBytes)
    {
        Format = format;
        Latent = latent;
        Rope = rope;
        RowBytes = rowBytes;
    }

    public CacheFormat Format { get; }

    /// <summary>Elements of the latent.</summary>
    public int Latent { get; }

    /// <summary>Elements of the rotary key.</summary>
    public int Rope { get; }

    /// <summary>Floats of a row.</summary>
    public int Elements => Latent + Rope;

    /// <summary>Bytes of a row.</summary>
    public int RowBytes { get; }

    /// <summary>The codec of a layer's cache, for this process's tier.</summary>
    public static RowCodec Create(MlaShape shape)
    {
        RowCodec codec = SimdTiers.Current switch
        {
            SimdTier.Vector512 => Create<Lanes512>(shape.CacheFormat, shape.KvLoraRank, shape.QkRopeHeadDim),
            SimdTier.Vector256 => Create<Lanes256>(shape.CacheFormat, shape.KvLoraRank, shape.QkRopeHeadDim),
            SimdTier.Vector128 => Create<Lanes128>(shape.CacheFormat, shape.KvLoraRank, shape.QkRopeHeadDim),
            _ => Create<Lanes1>(shape.CacheFormat, shape.KvLoraRank, shape.QkRopeHeadDim),
        };
        return codec.RowBytes == shape.CacheRowBytes
            ? codec
            : throw new ArgumentException(FormattableString.Invariant(
                $"A {shape.CacheFormat} row of {shape.KvLoraRank} + {shape.QkRopeHeadDim} elements takes {Counted.Of(codec.RowBytes, "byte")}; the shape says {shape.CacheRowBytes}."));
    }

    /// <summary>The codec that decodes with vectors of one width.</summary>
    public static RowCodec Create<V>(CacheFormat format, int latent, int rope)
        where V : struct, ILanes<V> => format switch
        {
            CacheFormat.Float32 => new Float32RowCodec(latent, rope),
            CacheFormat.BFloat16 => new BFloat16RowCodec<V>(latent, rope),
            CacheFormat.Float16 => new Float16RowCodec<V>(latent, rope),
            CacheFormat.Float8 => new Float8RowCodec<V>(latent, rope),
            CacheFormat.Int8 => new Int8RowCodec<V>(latent, rope),
            _ => throw new ArgumentOutOfRangeException(nameof(format), format, "There is no such cache format."),
        };

    /// <summary>Encodes a row.</summary>
    /// <param name="row"><see cref="Elements"/> values.</param>
    /// <param name="destination">Takes <see cref="RowBytes"/> bytes; what it holds after an error is not a row.</param>
    /// <param name="token">The row's token in its sequence, for errors.</param>
    /// <exception cref="OverflowException">The format cannot hold a value.</exception>
    public void EncodeRow(ReadOnlySpan<float> row, Span<byte> destination, int token)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(row.Length, Elements);
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, RowBytes);
        Encode(row, destination, token);
    }

    /// <summary>Decodes rows that lie one after the other.</summary>
    /// <param name="rows"><see cref="RowBytes"/> bytes a row.</param>
    /// <param name="count">How many rows.</param>
    /// <param name="destination">Takes <see cref="Elements"/> values a row.</param>
    public void DecodeRows(ReadOnlySpan<byte> rows, int count, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(rows.Length, (long)count * RowBytes);
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, (long)count * Elements);
        Decode(ref MemoryMarshal.GetReference(rows), count, ref MemoryMarshal.GetReference(destination));
    }

    /// <summary><see cref="EncodeRow"/>; lengths are checked.</summary>
    protected abstract void Encode(ReadOnlySpan<float> row, Span<byte> destination, int token);

    /// <summary><see cref="DecodeRows"/>; lengths are checked.</summary>
    protected abstract void Decode(ref byte rows, int count, ref float destination);

    /// <summary>Says that a row has a value which the format cannot hold.</summary>
    [DoesNotReturn]
    protected void ThrowOverflow(ReadOnlySpan<float> row, int element, int token) => throw new OverflowException(FormattableString.Invariant(
        $"Element {element} of token {token}'s cached row is {row[element]:R}, which a cache of {Format} cannot hold. Roll the step back, or choose another CacheFormat."));
}
