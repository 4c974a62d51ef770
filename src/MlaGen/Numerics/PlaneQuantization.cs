using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MlaGen.Runtime;

/// <summary>
/// Symmetric quantization of vectors to codes of 16 bits, with a scale for each vector, in two planes of signed bytes: <c>code = 256 · high + low</c>. What products
/// of bytes take, which sum in int32 what high bytes give of each other times 256, and what they give of low ones. Only where there is AVX-512.
/// </summary>
internal static class PlaneQuantization
{
    /// <summary>Columns of a panel.</summary>
    public const int Width = 16;

    /// <summary>Elements of a step of the depth.</summary>
    public const int Step = 64;

    /// <summary>Sums in int32 are a 256th of those of the codes' products: its root is part of a scale, two of which a sum is multiplied by.</summary>
    private const float SumFactor = 16;

    /// <summary>The largest code whose high byte is one.</summary>
    private const float MostElement = (127 * 256) + 127;

    /// <summary>By the inequality of Cauchy and Schwarz, sums of vectors no longer than that stay within int32, what rounding adds included.</summary>
    private const float MostLength = 720_000;

    // Vectors so small that they would need more have smaller codes.
    private const float MostFactor = 1.7014118e38f;

    private const uint Infinity = 0x7F80_0000;

    /// <summary>Quantizes a panel of vectors, <c>[depth][16]</c>, to two planes of <c>[depth / 4][16][4]</c>. A vector that is not finite has a scale that is no number.</summary>
    /// <param name="floats">The panel.</param>
    /// <param name="depth">Whole steps.</param>
    /// <param name="planes">Takes high bytes, and behind them low ones.</param>
    /// <param name="scales">Takes sixteen scales.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void QuantizePanel(ref float floats, int depth, ref uint planes, ref float scales)
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
        Vector512<float> factor = Factor(most, depth);
        var lowBytes = Vector512.Create((ushort)0x00FF);
        for (int d = 0; d < depth; d += 4)
        {
            Vector512<int> first = Rounded(Vector512.LoadUnsafe(ref floats, (nuint)(d * Width)), factor);
            Vector512<int> second = Rounded(Vector512.LoadUnsafe(ref floats, (nuint)((d + 1) * Width)), factor);
            Vector512<int> third = Rounded(Vector512.LoadUnsafe(ref floats, (nuint)((d + 2) * Width)), factor);
            Vector512<int> fourth = Rounded(Vector512.LoadUnsafe(ref floats, (nuint)((d + 3) * Width)), factor);
            Vector512<ushort> even = Pair(first, third);
            Vector512<ushort> odd = Pair(second, fourth);
            Vector512<ushort> low = (even & lowBytes) | (odd << 8);
            Vector512<ushort> high = (Highest(even) >> 8) | Vector512.AndNot(Highest(odd), lowBytes);
            high.AsUInt32().StoreUnsafe(ref planes, (nuint)(d / 4 * Width));
            low.AsUInt32().StoreUnsafe(ref planes, (nuint)((depth + d) / 4 * Width));
        }

        Scales(most, factor).StoreUnsafe(ref scales);
    }

    /// <summary>Quantizes a vector whose elements lie one after the other.</summary>
    /// <param name="floats">Its elements.</param>
    /// <param name="depth">Whole steps.</param>
    /// <param name="planes">Takes high bytes.</param>
    /// <param name="stride">Bytes from a step to the next.</param>
    /// <param name="planeStride">Bytes from a high byte to its low one.</param>
    /// <returns>The scale; no number where the vector is not finite.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Quantize(ref float floats, int depth, ref byte planes, int stride, int planeStride)
    {
        Vector512<uint> most = Vector512<uint>.Zero;
        for (int d = 0; d < depth; d += Width)
        {
            most = Vector512.Max(most, Magnitude(Vector512.LoadUnsafe(ref floats, (nuint)d)));
        }

        most = MostOfAll(most);
        Vector512<float> factor = Factor(most, depth);
        for (int d = 0; d < depth; d += Step)
        {
            Vector512<short> first = Vector512.Narrow(Rounded(Vector512.LoadUnsafe(ref floats, (nuint)d), factor), Rounded(Vector512.LoadUnsafe(ref floats, (nuint)(d + Width)), factor));
            Vector512<short> second = Vector512.Narrow(
                Rounded(Vector512.LoadUnsafe(ref floats, (nuint)(d + (2 * Width))), factor), Rounded(Vector512.LoadUnsafe(ref floats, (nuint)(d + (3 * Width))), factor));
            ref byte target = ref Unsafe.Add(ref planes, d / Step * stride);
            Vector512.Narrow(Highest(first.AsUInt16()) >> 8, Highest(second.AsUInt16()) >> 8).StoreUnsafe(ref target);
            Vector512.Narrow(first.AsUInt16(), second.AsUInt16()).StoreUnsafe(ref target, (nuint)planeStride);
        }

        return Scales(most, factor).ToScalar();
    }

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
    private static Vector512<float> Factor(Vector512<uint> most, int depth)
        => Vector512.Min(Vector512.Create(Math.Min(MostElement, MostLength / MathF.Sqrt(depth))) / most.AsSingle(), Vector512.Create(MostFactor));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Rounded(Vector512<float> elements, Vector512<float> factor) => Avx512F.ConvertToVector512Int32(elements * factor);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ushort> Pair(Vector512<int> first, Vector512<int> second) => ((first & Vector512.Create(0xFFFF)) | (second << 16)).AsUInt16();

    /// <summary>Codes whose upper bytes are the nearest high ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ushort> Highest(Vector512<ushort> codes) => codes + Vector512.Create((ushort)0x80);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Scales(Vector512<uint> most, Vector512<float> factor)
        => Vector512.ConditionalSelect(Vector512.LessThan(most, Vector512.Create(Infinity)).AsSingle(), Vector512.Create(SumFactor) / factor, Vector512.Create(float.NaN));
}
