using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>Rows as floats, one after the other: where they lie, if one page of floats holds them all, or decoded.</summary>
internal sealed class FloatRowReader(PagePool pool, RowPlane plane, int blockTokens, int prefetchTokens) : RowReader
{
    private const int LineBytes = 64;

    /// <summary>Rows that are on their way while one is copied.</summary>
    private const int RowsAhead = 4;

    private readonly RowCodec _codec = plane.Codec;
    private readonly int _pageTokens = pool.PageTokens;

    public override void Reserve(Workspace gathered, bool onlyRanges)
    {
        if (!onlyRanges || !_codec.HoldsFloats || _pageTokens % blockTokens != 0)
        {
            gathered.Reserve((long)blockTokens * _codec.Elements);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override ref byte Rows(in KeySource keys, int layer, int first, int count, Workspace gathered)
    {
        int elements = _codec.Elements;
        int rowBytes = _codec.RowBytes;
        if (AreInPlace(keys, first, count))
        {
            (int page, int index) = Math.DivRem(keys.Token(first), _pageTokens);
            return ref Page(keys, page, layer)[index * rowBytes];
        }

        ref float start = ref gathered.Reserve((long)blockTokens * elements);
        for (int copied = 0; copied < count;)
        {
            if (keys.IsList)
            {
                // Rows that lie anywhere are not foreseen by the processor: each is asked for while those before it are copied.
                Ask(ref Row(keys, layer, Math.Min(first + copied + RowsAhead, keys.Count - 1)));
            }

            (int page, int index) = Math.DivRem(keys.Token(first + copied), _pageTokens);
            int length = Math.Min(keys.RunLength(first + copied, count - copied), _pageTokens - index);
            _codec.DecodeRows(Page(keys, page, layer).Slice(index * rowBytes, length * rowBytes), length, gathered.Span((long)copied * elements, length * elements));
            copied += length;
        }

        return ref Unsafe.As<float, byte>(ref start);
    }

    /// <summary>
    /// Rows that are used where they lie are asked for a tile ahead of their use: more would crowd the cache. Rows that are decoded first are
    /// asked for a block ahead.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override ref byte Upcoming(in KeySource keys, int layer, int first, int count, out nint distance)
    {
        bool inPlace = AreInPlace(keys, first, count);
        distance = inPlace ? prefetchTokens * _codec.RowBytes : 0;
        return ref Row(keys, layer, inPlace ? first : Math.Min(first + count, keys.Count - 1));
    }

    /// <summary>Where a key's row lies in the cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public ref byte Row(in KeySource keys, int layer, int key)
    {
        (int page, int index) = Math.DivRem(keys.Token(key), _pageTokens);
        return ref Page(keys, page, layer)[index * _codec.RowBytes];
    }

    private void Ask(ref byte row)
    {
        for (int i = 0; i < _codec.RowBytes; i += LineBytes)
        {
            Prefetch.Ahead(ref row, i);
        }
    }

    private bool AreInPlace(in KeySource keys, int first, int count)
        => _codec.HoldsFloats && (keys.Token(first) % _pageTokens) + count <= _pageTokens && keys.RunLength(first, count) == count;

    private Span<byte> Page(in KeySource keys, int page, int layer) => pool.Rows(plane, keys.Sequence.Pages[page], layer);
}
