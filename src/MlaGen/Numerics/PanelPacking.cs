using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MlaGen.Runtime;

/// <summary>Turns rows into panels <c>[depth][width]</c>, in which the rows lie beside each other.</summary>
internal static class PanelPacking
{
    /// <summary>Writes <c>panel[d][i] = scale · rows[i][d]</c>, and zeros in the lanes beyond the last row.</summary>
    /// <param name="rows">First row.</param>
    /// <param name="stride">Elements from a row to the next.</param>
    /// <param name="count">Rows, at most <paramref name="width"/>.</param>
    /// <param name="depth">Elements of a row.</param>
    /// <param name="scale">Factor on every element.</param>
    /// <param name="panel">Takes <c>depth · width</c> elements.</param>
    /// <param name="width">Lanes of the panel.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(ref readonly float rows, nint stride, int count, int depth, float scale, ref float panel, int width)
    {
        ref float source = ref Unsafe.AsRef(in rows);
        int lane = 0;
        if (Avx512F.IsSupported && depth % WordSquare.Width == 0)
        {
            for (; lane + WordSquare.Width <= count; lane += WordSquare.Width)
            {
                PackSquares(ref Unsafe.Add(ref source, lane * stride), stride, depth, scale, ref Unsafe.Add(ref panel, lane), width);
            }
        }

        if (Vector128.IsHardwareAccelerated)
        {
            Vector128<float> factor = Vector128.Create(scale);
            for (; lane + 4 <= count; lane += 4)
            {
                ref float row0 = ref Unsafe.Add(ref source, lane * stride);
                ref float row1 = ref Unsafe.Add(ref row0, stride);
                ref float row2 = ref Unsafe.Add(ref row1, stride);
                ref float row3 = ref Unsafe.Add(ref row2, stride);
                ref float target = ref Unsafe.Add(ref panel, lane);

                // Rows may lie far apart, where the processor does not foresee them.
                for (int ahead = 4; ahead < 8; ahead++)
                {
                    Prefetch.Range(ref row0, ahead * stride, depth);
                }

                int d = 0;
                for (; d + 4 <= depth; d += 4)
                {
                    Vector128<float> a = Vector128.LoadUnsafe(ref row0, (nuint)d) * factor;
                    Vector128<float> b = Vector128.LoadUnsafe(ref row1, (nuint)d) * factor;
                    Vector128<float> c = Vector128.LoadUnsafe(ref row2, (nuint)d) * factor;
                    Vector128<float> e = Vector128.LoadUnsafe(ref row3, (nuint)d) * factor;
                    Vector128<float> ac0 = InterleaveLower(a, c);
                    Vector128<float> be0 = InterleaveLower(b, e);
                    Vector128<float> ac1 = InterleaveUpper(a, c);
                    Vector128<float> be1 = InterleaveUpper(b, e);
                    InterleaveLower(ac0, be0).StoreUnsafe(ref target, (nuint)(d * width));
                    InterleaveUpper(ac0, be0).StoreUnsafe(ref target, (nuint)((d + 1) * width));
                    InterleaveLower(ac1, be1).StoreUnsafe(ref target, (nuint)((d + 2) * width));
                    InterleaveUpper(ac1, be1).StoreUnsafe(ref target, (nuint)((d + 3) * width));
                }

                for (; d < depth; d++)
                {
                    ref float lanes = ref Unsafe.Add(ref target, d * width);
                    lanes = Unsafe.Add(ref row0, d) * scale;
                    Unsafe.Add(ref lanes, 1) = Unsafe.Add(ref row1, d) * scale;
                    Unsafe.Add(ref lanes, 2) = Unsafe.Add(ref row2, d) * scale;
                    Unsafe.Add(ref lanes, 3) = Unsafe.Add(ref row3, d) * scale;
                }
            }
        }

        for (; lane < width; lane++)
        {
            ref float target = ref Unsafe.Add(ref panel, lane);
            if (lane < count)
            {
                ref float row = ref Unsafe.Add(ref source, lane * stride);
                for (int d = 0; d < depth; d++)
                {
                    Unsafe.Add(ref target, d * width) = Unsafe.Add(ref row, d) * scale;
                }
            }
            else
            {
                for (int d = 0; d < depth; d++)
                {
                    Unsafe.Add(ref target, d * width) = 0;
                }
            }
        }
    }

    /// <summary>Sixteen rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PackSquares(ref float rows, nint stride, int depth, float scale, ref float panel, int width)
    {
        Vector512<float> factor = Vector512.Create(scale);
        for (int first = 0; first < depth; first += WordSquare.Width)
        {
            ref float lanes = ref Unsafe.Add(ref panel, first * width);
            WordSquare.Turn(ref Unsafe.As<float, uint>(ref Unsafe.Add(ref rows, first)), stride, ref Unsafe.As<float, uint>(ref lanes), width);
            for (int d = 0; scale != 1 && d < WordSquare.Width; d++)
            {
                (Vector512.LoadUnsafe(ref lanes, (nuint)(d * width)) * factor).StoreUnsafe(ref lanes, (nuint)(d * width));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<float> InterleaveLower(Vector128<float> left, Vector128<float> right) =>
        System.Runtime.Intrinsics.X86.Sse.IsSupported ? System.Runtime.Intrinsics.X86.Sse.UnpackLow(left, right)
        : System.Runtime.Intrinsics.Arm.AdvSimd.Arm64.IsSupported ? System.Runtime.Intrinsics.Arm.AdvSimd.Arm64.ZipLow(left, right)
        : Vector128.Create(left[0], right[0], left[1], right[1]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<float> InterleaveUpper(Vector128<float> left, Vector128<float> right) =>
        System.Runtime.Intrinsics.X86.Sse.IsSupported ? System.Runtime.Intrinsics.X86.Sse.UnpackHigh(left, right)
        : System.Runtime.Intrinsics.Arm.AdvSimd.Arm64.IsSupported ? System.Runtime.Intrinsics.Arm.AdvSimd.Arm64.ZipHigh(left, right)
        : Vector128.Create(left[2], right[2], left[3], right[3]);
}
