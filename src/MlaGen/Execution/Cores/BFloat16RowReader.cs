using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>Rows as bfloat16, one after the other: where they lie, if one page of bfloat16 holds them all, copied together, or decoded and rounded.</summary>
internal sealed class BFloat16RowReader(PagePool pool, RowPlane plane, int blockTokens) : RowReader
{
    /// <summary>Rows that are decoded at a time: their floats stay in the first-level cache.</summary>
    private const int DecodedRows = 8;

    private readonly RowCodec _codec = plane.Codec;
    private readonly int _pageTokens = pool.PageTokens;
    private readonly int _rowBytes = sizeof(ushort) * plane.Codec.Elements;
    private readonly bool _isStored = plane.Codec.Format == CacheFormat.BFloat16;

    public override void Reserve(Workspace gathered, bool onlyRanges)
    {
        if (!onlyRanges || !_isStored || _pageTokens % blockTokens != 0)
        {
            gathered.Reserve(GatheredLength);
        }
    }

    // Decoded rows lie behind those that were rounded.
    private long GatheredLength => DecodedStart + ((long)DecodedRows * _codec.Elements);

    private long DecodedStart => ((long)blockTokens * _rowBytes) / sizeof(float);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override ref byte Rows(in KeySource keys, int layer, int first, int count, Workspace gathered)
    {
        if (AreInPlace(keys, first, count))
        {
            (int page, int index) = Math.DivRem(keys.Token(first), _pageTokens);
            return ref Page(keys, page, layer)[index * _rowBytes];
        }

        ref byte start = ref Unsafe.As<float, byte>(ref gathered.Reserve(GatheredLength));
        for (int copied = 0; copied < count;)
        {
            (int page, int index) = Math.DivRem(keys.Token(first + copied), _pageTokens);
            int length = Math.Min(keys.RunLength(first + copied, count - copied), _pageTokens - index);
            ref byte destination = ref Unsafe.Add(ref start, copied * _rowBytes);
            if (_isStored)
            {
                Page(keys, page, layer).Slice(index * _rowBytes, length * _rowBytes).CopyTo(MemoryMarshal.CreateSpan(ref destination, length * _rowBytes));
            }
            else
            {
                length = Math.Min(length, DecodedRows);
                Span<float> decoded = gathered.Span(DecodedStart, length * _codec.Elements);
                _codec.DecodeRows(Page(keys, page, layer).Slice(index * _codec.RowBytes, length * _codec.RowBytes), length, decoded);
                BFloat16Lanes.Round(decoded, ref Unsafe.As<byte, ushort>(ref destination));
            }

            copied += length;
        }

        return ref start;
    }

    /// <summary>The rows behind the block: those within it a routine asks for by itself.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override ref byte Upcoming(in KeySource keys, int layer, int first, int count, out nint distance)
    {
        distance = 0;
        (int page, int index) = Math.DivRem(keys.Token(Math.Min(first + count, keys.Count - 1)), _pageTokens);
        return ref Page(keys, page, layer)[index * _codec.RowBytes];
    }

    private bool AreInPlace(in KeySource keys, int first, int count)
        => _isStored && (keys.Token(first) % _pageTokens) + count <= _pageTokens && keys.RunLength(first, count) == count;

    private Span<byte> Page(in KeySource keys, int page, int layer) => pool.Rows(plane, keys.Sequence.Pages[page], layer);
}
