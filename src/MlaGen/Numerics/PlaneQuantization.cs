using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MlaGen.Runtime;

/// <summary>
/// Symmetric quantization of vectors to codes of 16 or 24 bits, with a scale for each vector, in two or three planes of signed bytes: <c>code = 256 · high + low</c>, or
/// <c>65536 · high + 256 · middle + low</c>. What products of bytes take, which sum in int32 what planes give of each other. Only where there is AVX-512.
/// </summary>
internal static class PlaneQuantization
{
    /// <summary>Columns of a panel.</summary>
    public const int Width = 16;

    /// <summary>Elements of a step of the depth.</summary>
    public const int Step = 64;

    // Vectors so small that they would need more have smaller codes.
    private const float MostFactor = 1.7014118e38f;

    private const uint Infinity = 0x7F80_0000;

    /// <summary>Quantizes a panel of vectors, <c>[depth][16]</c>, to planes of <c>[depth / 4][16][4]</c>. A vector that is not finite has a scale that is no number.</summary>
    /// <param name="floats">The panel.</param>
    /// <param name="depth">Whole steps.</param>
    /// <param name="planeCount">Bytes of a code: 2 or 3.</param>
    /// <param name="planes">Takes the highest bytes, and behind them lower ones.</param>
    /// <param name="scales">Takes sixteen scales.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void QuantizePanel(ref float floats, int depth, int planeCount, ref uint planes, ref float scales)
    {
        // Two, since each waits for the one before.
        Vector512<uint> most = Vector512<uint>.Zero;
        Vector512<uint> other = Vector512<uint>.Zero;
        for (int d = 0; d < depth; d += 2)
        {
            most = Vector512.Max(most, Magnitude(Vector512.LoadUnsafe(ref floats, (nuint)(d * Width))));
            other = Vector512.Max(other, Magnitude(Vector512.LoadUnsafe(ref floats, (nuint)((d + 1) * Width))));
        }

        most = Vector512.Max(most, other);
        Vector512<float> factor = Factor(most, depth, planeCount);
        var lowest = Vector512.Create(0xFF);
        for (int d = 0; d < depth; d += 4)
        {
            Vector512<int> first = Rounded(Vector512.LoadUnsafe(ref floats, (nuint)(d * Width)), factor);
            Vector512<int> second = Rounded(Vector512.LoadUnsafe(ref floats, (nuint)((d + 1) * Width)), factor);
            Vector512<int> third = Rounded(Vector512.LoadUnsafe(ref floats, (nuint)((d + 2) * Width)), factor);
            Vector512<int> fourth = Rounded(Vector512.LoadUnsafe(ref floats, (nuint)((d + 3) * Width)), factor);
            ref uint target = ref Unsafe.Add(ref planes, d / 4 * Width);
            for (int plane = 0; plane < planeCount; plane++)
            {
                int shift = Shift(plane, planeCount);
                Vector512<int> two = (Plane(first, shift) & lowest) | ((Plane(second, shift) & lowest) << 8);
                Vector512<int> four = two | ((Plane(third, shift) & lowest) << 16) | (Plane(fourth, shift) << 24);
                four.AsUInt32().StoreUnsafe(ref target, (nuint)(plane * depth / 4 * Width));
            }
        }

        Scales(most, factor, planeCount).StoreUnsafe(ref scales);
    }

    /// <summary>Quantizes a vector whose elements lie one after the other.</summary>
    /// <param name="floats">Its elements.</param>
    /// <param name="depth">Whole steps.</param>
    /// <param name="planeCount">Bytes of a code: 2 or 3.</param>
    /// <param name="planes">Takes the highest bytes.</param>
    /// <param name="stride">Bytes from a step to the next.</param>
    /// <param name="planeStride">Bytes from a byte of a code to the next lower one.</param>
    /// <returns>The scale; no number where the vector is not finite.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Quantize(ref float floats, int depth, int planeCount, ref byte planes, int stride, int planeStride)
    {
        Vector512<uint> most = Vector512<uint>.Zero;
        for (int d = 0; d < depth; d += Width)
        {
            most = Vector512.Max(most, Magnitude(Vector512.LoadUnsafe(ref floats, (nuint)d)));
        }

        most = MostOfAll(most);
        Vector512<float> factor = Factor(most, depth, planeCount);
        for (int d = 0; d < depth; d += Width)
        {
            Vector512<int> codes = Rounded(Vector512.LoadUnsafe(ref floats, (nuint)d), factor);
            ref byte target = ref Unsafe.Add(ref planes, (d / Step * stride) + (d % Step));
            for (int plane = 0; plane < planeCount; plane++)
            {
                Avx512F.ConvertToVector128SByte(Plane(codes, Shift(plane, planeCount))).AsByte().StoreUnsafe(ref target, (nuint)(plane * planeStride));
            }
        }

        return Scales(most, factor, planeCount).ToScalar();
    }

    /// <summary>
    /// The largest element of a code: its highest byte is a signed one, and sums stay within int32. Of two planes what highest bytes give of each other times 256 and what they give of low
    /// ones are, by the inequality of Cauchy and Schwarz, a 256th of a product of lengths, what rounding adds included. Of three what is below highest bytes of each other is a
    /// highest byte by two others at most, and those three by each other; of codes so small that they have no highest byte it is less at any depth of a head.
    /// </summary>
    private static float MostElement(int depth, int planeCount) => planeCount == 2
        ? Math.Min((127 * 256) + 127, 720_000 / MathF.Sqrt(depth))
        : Math.Clamp((int.MaxValue / depth) - 83_000, 32_600, 8_355_000);

    /// <summary>How far a plane lies above the lowest one, in bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Shift(int plane, int planeCount) => 8 * (planeCount - 1 - plane);

    /// <summary>Codes whose lowest bytes are those of a plane: the nearest ones, since those below are signed, too.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Plane(Vector512<int> codes, int shift) => (codes + Vector512.Create(0x8080 >> (16 - shift))) >> shift;

    /// <summary>Bits that grow as the magnitude does: those of infinity are more than those of any number, and those of what is no number are more still.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Magnitude(Vector512<float> elements) => elements.AsUInt32() & Vector512.Create(0x7FFF_FFFFu);

    /// <summary>The largest lane, in every lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> MostOfAll(Vector512<uint> lanes)
    {
        Vector256<uint> eight = Vector256.Max(lanes.GetLower(), lanes.GetUpper());
        Vector128<uint> four = Vector128.Max(eight.GetLower(), eight.GetUpper());
        four = Vector128.Max(four, Vector128.Shuffle(four, Vector128.Create(2u, 3u, 0u, 1u)));
        four = Vector128.Max(four, Vector128.Shuffle(four, Vector128.Create(1u, 0u, 3u, 2u)));
        return Vector512.Create(four.ToScalar());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Factor(Vector512<uint> most, int depth, int planeCount)
        => Vector512.Min(Vector512.Create(MostElement(depth, planeCount)) / most.AsSingle(), Vector512.Create(MostFactor));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Rounded(Vector512<float> elements, Vector512<float> factor) => Avx512F.ConvertToVector512Int32(elements * factor);

    /// <summary>Sums in int32 are what codes give of each other without the lowest byte, or without the two lowest: its root is part of a scale, two of which a sum is multiplied by.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Scales(Vector512<uint> most, Vector512<float> factor, int planeCount)
        => Vector512.ConditionalSelect(Vector512.LessThan(most, Vector512.Create(Infinity)).AsSingle(), Vector512.Create(planeCount == 2 ? 16f : 256f) / factor, Vector512.Create(float.NaN));
}
