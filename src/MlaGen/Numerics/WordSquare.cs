using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MlaGen.Runtime;

/// <summary>Sixteen by sixteen words of 32 bits, turned in registers. Only where there is AVX-512.</summary>
internal static class WordSquare
{
    /// <summary>Words of a side.</summary>
    public const int Width = 16;

    /// <summary>Writes rows as columns; both may be the same memory.</summary>
    /// <param name="source">First row.</param>
    /// <param name="sourceStride">Words from a row to the next.</param>
    /// <param name="target">Takes the first column.</param>
    /// <param name="targetStride">Words from where a column goes to where the next goes.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Turn(ref uint source, nint sourceStride, ref uint target, nint targetStride)
    {
        (Vector512<uint> a0, Vector512<uint> a1, Vector512<uint> a2, Vector512<uint> a3) = Turn4(ref source, sourceStride);
        (Vector512<uint> b0, Vector512<uint> b1, Vector512<uint> b2, Vector512<uint> b3) = Turn4(ref Unsafe.Add(ref source, 4 * sourceStride), sourceStride);
        (Vector512<uint> c0, Vector512<uint> c1, Vector512<uint> c2, Vector512<uint> c3) = Turn4(ref Unsafe.Add(ref source, 8 * sourceStride), sourceStride);
        (Vector512<uint> d0, Vector512<uint> d1, Vector512<uint> d2, Vector512<uint> d3) = Turn4(ref Unsafe.Add(ref source, 12 * sourceStride), sourceStride);
        Store4(a0, b0, c0, d0, ref target, targetStride);
        Store4(a1, b1, c1, d1, ref Unsafe.Add(ref target, targetStride), targetStride);
        Store4(a2, b2, c2, d2, ref Unsafe.Add(ref target, 2 * targetStride), targetStride);
        Store4(a3, b3, c3, d3, ref Unsafe.Add(ref target, 3 * targetStride), targetStride);
    }

    /// <summary>Four rows: of vector i the quarter q holds column 4q + i of the four.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<uint>, Vector512<uint>, Vector512<uint>, Vector512<uint>) Turn4(ref uint rows, nint stride)
    {
        var row0 = Vector512.LoadUnsafe(ref rows);
        var row1 = Vector512.LoadUnsafe(ref Unsafe.Add(ref rows, stride));
        var row2 = Vector512.LoadUnsafe(ref Unsafe.Add(ref rows, 2 * stride));
        var row3 = Vector512.LoadUnsafe(ref Unsafe.Add(ref rows, 3 * stride));
        Vector512<ulong> low01 = Avx512F.UnpackLow(row0, row1).AsUInt64();
        Vector512<ulong> high01 = Avx512F.UnpackHigh(row0, row1).AsUInt64();
        Vector512<ulong> low23 = Avx512F.UnpackLow(row2, row3).AsUInt64();
        Vector512<ulong> high23 = Avx512F.UnpackHigh(row2, row3).AsUInt64();
        return (
            Avx512F.UnpackLow(low01, low23).AsUInt32(),
            Avx512F.UnpackHigh(low01, low23).AsUInt32(),
            Avx512F.UnpackLow(high01, high23).AsUInt32(),
            Avx512F.UnpackHigh(high01, high23).AsUInt32());
    }

    /// <summary>Quarters of four vectors, turned: rows 0, 4, 8 and 12 from the first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store4(Vector512<uint> a, Vector512<uint> b, Vector512<uint> c, Vector512<uint> d, ref uint rows, nint stride)
    {
        Vector512<uint> abEven = Avx512F.Shuffle4x128(a, b, 0b10_00_10_00);
        Vector512<uint> abOdd = Avx512F.Shuffle4x128(a, b, 0b11_01_11_01);
        Vector512<uint> cdEven = Avx512F.Shuffle4x128(c, d, 0b10_00_10_00);
        Vector512<uint> cdOdd = Avx512F.Shuffle4x128(c, d, 0b11_01_11_01);
        Avx512F.Shuffle4x128(abEven, cdEven, 0b10_00_10_00).StoreUnsafe(ref rows);
        Avx512F.Shuffle4x128(abOdd, cdOdd, 0b10_00_10_00).StoreUnsafe(ref Unsafe.Add(ref rows, 4 * stride));
        Avx512F.Shuffle4x128(abEven, cdEven, 0b11_01_11_01).StoreUnsafe(ref Unsafe.Add(ref rows, 8 * stride));
        Avx512F.Shuffle4x128(abOdd, cdOdd, 0b11_01_11_01).StoreUnsafe(ref Unsafe.Add(ref rows, 12 * stride));
    }
}
