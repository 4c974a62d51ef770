using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MlaGen.Runtime;

/// <summary>Sixteen by sixteen words of 16 bits that lie together, turned in registers. Only where there is AVX512-BW.</summary>
internal static class HalfWordSquare
{
    /// <summary>Words of a square.</summary>
    public const int Words = 256;

    private const int VectorWords = 32;

    // A vector of some rows holds them column by column. Each pass joins two of the same columns, whose rows follow each other, and parts the columns in two.
    private static readonly Vector512<ushort> _first2 = Places(rows: 2, half: 0);
    private static readonly Vector512<ushort> _last2 = Places(rows: 2, half: 1);
    private static readonly Vector512<ushort> _first4 = Places(rows: 4, half: 0);
    private static readonly Vector512<ushort> _last4 = Places(rows: 4, half: 1);
    private static readonly Vector512<ushort> _first8 = Places(rows: 8, half: 0);
    private static readonly Vector512<ushort> _last8 = Places(rows: 8, half: 1);

    /// <summary>Writes the rows of squares as columns.</summary>
    /// <param name="source">First row of the first square; all others follow.</param>
    /// <param name="squares">How many.</param>
    /// <param name="target">Takes the first column of the first one; its others follow.</param>
    /// <param name="stride">Words from where a square goes to where the next goes.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Turn(ref ushort source, int squares, ref ushort target, nint stride)
    {
        Vector512<ushort> first2 = _first2, last2 = _last2, first4 = _first4, last4 = _last4, first8 = _first8, last8 = _last8;
        for (; squares > 0; squares--)
        {
            var a = Vector512.LoadUnsafe(ref source);
            var b = Vector512.LoadUnsafe(ref source, VectorWords);
            var c = Vector512.LoadUnsafe(ref source, 2 * VectorWords);
            var d = Vector512.LoadUnsafe(ref source, 3 * VectorWords);
            var e = Vector512.LoadUnsafe(ref source, 4 * VectorWords);
            var f = Vector512.LoadUnsafe(ref source, 5 * VectorWords);
            var g = Vector512.LoadUnsafe(ref source, 6 * VectorWords);
            var h = Vector512.LoadUnsafe(ref source, 7 * VectorWords);
            StoreHalf(Join(a, b, first2), Join(c, d, first2), Join(e, f, first2), Join(g, h, first2), first4, last4, first8, last8, ref target);
            StoreHalf(Join(a, b, last2), Join(c, d, last2), Join(e, f, last2), Join(g, h, last2), first4, last4, first8, last8, ref Unsafe.Add(ref target, Words / 2));
            source = ref Unsafe.Add(ref source, Words);
            target = ref Unsafe.Add(ref target, stride);
        }
    }

    /// <summary>Eight columns, of which each vector has four rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreHalf(
        Vector512<ushort> a,
        Vector512<ushort> b,
        Vector512<ushort> c,
        Vector512<ushort> d,
        Vector512<ushort> first4,
        Vector512<ushort> last4,
        Vector512<ushort> first8,
        Vector512<ushort> last8,
        ref ushort target)
    {
        Vector512<ushort> ab = Join(a, b, first4);
        Vector512<ushort> cd = Join(c, d, first4);
        Join(ab, cd, first8).StoreUnsafe(ref target);
        Join(ab, cd, last8).StoreUnsafe(ref target, VectorWords);
        ab = Join(a, b, last4);
        cd = Join(c, d, last4);
        Join(ab, cd, first8).StoreUnsafe(ref target, 2 * VectorWords);
        Join(ab, cd, last8).StoreUnsafe(ref target, 3 * VectorWords);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ushort> Join(Vector512<ushort> upper, Vector512<ushort> lower, Vector512<ushort> places) => Avx512BW.PermuteVar32x16x2(upper, places, lower);

    /// <summary>Where the words of half of the columns come from, of two vectors of so many rows each.</summary>
    private static Vector512<ushort> Places(int rows, int half)
    {
        int columns = VectorWords / rows;
        Span<ushort> places = stackalloc ushort[VectorWords];
        for (int i = 0; i < VectorWords; i++)
        {
            (int column, int row) = Math.DivRem(i, 2 * rows);
            column += half * columns / 2;
            (int vector, row) = Math.DivRem(row, rows);

            // Two rows are as they were loaded, one behind the other.
            places[i] = (ushort)((vector * VectorWords) + (rows == 2 ? (row * columns) + column : (column * rows) + row));
        }

        return Vector512.Create<ushort>(places);
    }
}
