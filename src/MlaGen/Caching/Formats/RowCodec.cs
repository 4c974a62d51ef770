using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>Takes rows of floats to the bytes that the cache keeps and back, segment by segment. No byte outside the rows is touched.</summary>
internal sealed class RowCodec
{
    private readonly SegmentCodec[] _codecs;

    private readonly int _firstElement;

    private RowCodec(CacheFormat format, RowSegment[] segments, SegmentCodec[] codecs, int firstElement)
    {
        Format = format;
        _firstElement = firstElement;
        Segments = segments;
        _codecs = codecs;
        Elements = segments.Sum(static segment => segment.Elements);
        RowBytes = segments.Sum(static segment => segment.Bytes);
        HoldsFloats = codecs.All(static codec => codec.HoldsFloats);
    }

    public CacheFormat Format { get; }

    /// <summary>What a row consists of, in order.</summary>
    public IReadOnlyList<RowSegment> Segments { get; }

    /// <summary>Floats of a row.</summary>
    public int Elements { get; }

    /// <summary>Bytes of a row.</summary>
    public int RowBytes { get; }

    /// <summary>Whether a row is its floats as they are: it can then be read where it lies.</summary>
    public bool HoldsFloats { get; }

    /// <summary>The codec of what attention reads of a row, for this process's tier.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such format.</exception>
    public static RowCodec Create(CacheFormat format, MlaShape shape) => SimdTiers.Current switch
    {
        SimdTier.Vector512 => Create<Lanes512>(format, shape.KvLoraRank, shape.QkRopeHeadDim),
        SimdTier.Vector256 => Create<Lanes256>(format, shape.KvLoraRank, shape.QkRopeHeadDim),
        SimdTier.Vector128 => Create<Lanes128>(format, shape.KvLoraRank, shape.QkRopeHeadDim),
        _ => Create<Lanes1>(format, shape.KvLoraRank, shape.QkRopeHeadDim),
    };

    /// <summary>The codec of what an indexer reads of a row, for this process's tier.</summary>
    /// <param name="format">The cache's format.</param>
    /// <param name="elements">Elements of an index key.</param>
    /// <param name="firstElement">Elements of the row before it, for errors.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such format.</exception>
    public static RowCodec CreateIndex(CacheFormat format, int elements, int firstElement) => SimdTiers.Current switch
    {
        SimdTier.Vector512 => Create<Lanes512>(format, [(CacheFormats.Index, format, elements)], firstElement),
        SimdTier.Vector256 => Create<Lanes256>(format, [(CacheFormats.Index, format, elements)], firstElement),
        SimdTier.Vector128 => Create<Lanes128>(format, [(CacheFormats.Index, format, elements)], firstElement),
        _ => Create<Lanes1>(format, [(CacheFormats.Index, format, elements)], firstElement),
    };

    /// <summary>The codec of latent and rotary key that decodes with vectors of one width.</summary>
    public static RowCodec Create<V>(CacheFormat format, int latent, int rope)
        where V : struct, ILanes<V>
    {
        List<(string Name, CacheFormat Encoding, int Elements)> parts = [(CacheFormats.Latent, format, latent)];
        if (rope > 0)
        {
            parts.Add((CacheFormats.Rope, CacheFormats.RopeEncoding(format), rope));
        }

        return Create<V>(format, parts, firstElement: 0);
    }

    private static RowCodec Create<V>(CacheFormat format, IReadOnlyList<(string Name, CacheFormat Encoding, int Elements)> parts, int firstElement)
        where V : struct, ILanes<V>
    {
        SegmentCodec[] codecs = [.. parts.Select(static part => CacheFormats.Codec<V>(part.Encoding, part.Elements))];
        return new RowCodec(format, [.. parts.Zip(codecs, static (part, codec) => new RowSegment(part.Name, part.Elements, part.Encoding, codec.Bytes))], codecs, firstElement);
    }

    /// <summary>Encodes a row.</summary>
    /// <param name="row"><see cref="Elements"/> values.</param>
    /// <param name="destination">Takes <see cref="RowBytes"/> bytes; what it holds after an error is not a row.</param>
    /// <param name="token">The row's token in its sequence, for errors.</param>
    /// <exception cref="OverflowException">The format cannot hold a value.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void EncodeRow(ReadOnlySpan<float> row, Span<byte> destination, int token)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(row.Length, Elements);
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, RowBytes);
        int element = 0;
        int start = 0;
        foreach (SegmentCodec codec in _codecs)
        {
            int bad = codec.Encode(row.Slice(element, codec.Elements), destination.Slice(start, codec.Bytes));
            if (bad >= 0)
            {
                throw new OverflowException(FormattableString.Invariant(
                    $"Element {_firstElement + element + bad} of token {token}'s cached row is {row[element + bad]:R}, which a cache of {Format} cannot hold. Roll the step back, or choose another CacheFormat."));
            }

            element += codec.Elements;
            start += codec.Bytes;
        }
    }

    /// <summary>Decodes rows that lie one after the other.</summary>
    /// <param name="rows"><see cref="RowBytes"/> bytes a row.</param>
    /// <param name="count">How many rows.</param>
    /// <param name="destination">Takes <see cref="Elements"/> values a row.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void DecodeRows(ReadOnlySpan<byte> rows, int count, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(rows.Length, (long)count * RowBytes);
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, (long)count * Elements);
        ref byte source = ref MemoryMarshal.GetReference(rows);
        ref float target = ref MemoryMarshal.GetReference(destination);
        foreach (SegmentCodec codec in _codecs)
        {
            codec.Decode(ref source, RowBytes, count, ref target, Elements);
            source = ref Unsafe.Add(ref source, codec.Bytes);
            target = ref Unsafe.Add(ref target, codec.Elements);
        }
    }
}
