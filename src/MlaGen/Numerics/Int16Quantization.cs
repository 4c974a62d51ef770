using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MlaGen.Runtime;

/// <summary>
/// Symmetric quantization of vectors to int16, with a scale for each vector: what products of pairs of them take, which sum in int32. A vector's length is
/// brought to the root of 2^31, so that no sum of products with another can exceed them, by the inequality of Cauchy and Schwarz; its elements then keep
/// some twelve bits. Only where there is AVX-512.
/// </summary>
internal static class Int16Quantization
{
    /// <summary>Columns of a panel.</summary>
    public const int Width = 16;

    private const float MostElement = short.MaxValue;

    /// <summary>The floor of the root of 2^31.</summary>
    private const float MostLength = 46340;

    private const byte OtherHalf = 0b01_00_11_10;
    private const byte OtherQuarter = 0b10_11_00_01;

    /// <summary>Quantizes a panel of vectors, <c>[depth][16]</c>, to pairs, <c>[depth / 2][16][2]</c>. A vector that is not finite has a scale that is no number.</summary>
    /// <param name="floats">The panel.</param>
    /// <param name="depth">An even number.</param>
    /// <param name="pairs">Takes the codes; may not be the same memory.</param>
    /// <param name="scales">Takes sixteen scales.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void QuantizePanel(ref float floats, int depth, ref uint pairs, ref float scales)
    {
        Vector512<float> most = Vector512<float>.Zero;
        for (int d = 0; d < depth; d++)
        {
            most = Vector512.MaxNative(most, Vector512.Abs(Vector512.LoadUnsafe(ref floats, (nuint)(d * Width))));
        }

        Vector512<float> down = Down(most);
        Vector512<float> squares = Vector512<float>.Zero;
        for (int d = 0; d < depth; d++)
        {
            Vector512<float> element = Avx512F.Scale(Vector512.LoadUnsafe(ref floats, (nuint)(d * Width)), down);
            squares = Vector512.FusedMultiplyAdd(element, element, squares);
        }

        Vector512<float> factor = Factor(most, down, squares, depth);
        for (int d = 0; d < depth; d += 2)
        {
            Vector512<int> first = Rounded(Vector512.LoadUnsafe(ref floats, (nuint)(d * Width)), down, factor);
            Vector512<int> second = Rounded(Vector512.LoadUnsafe(ref floats, (nuint)((d + 1) * Width)), down, factor);
            ((first & Vector512.Create(0xFFFF)) | (second << 16)).AsUInt32().StoreUnsafe(ref pairs, (nuint)(d / 2 * Width));
        }

        Scales(down, factor).StoreUnsafe(ref scales);
    }

    /// <summary>Quantizes vectors whose elements lie one after the other, whole sixteens of elements.</summary>
    /// <param name="floats">The first vector; zeros stand where it has no element.</param>
    /// <param name="stride">Floats from a vector to the next.</param>
    /// <param name="count">How many.</param>
    /// <param name="depth">Elements of a vector: a multiple of 16.</param>
    /// <param name="codes">Takes the codes.</param>
    /// <param name="codesStride">Codes from a vector to the next.</param>
    /// <param name="scales">Takes a scale for each vector.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void QuantizeRows(ref float floats, nint stride, int count, int depth, ref ushort codes, nint codesStride, ref float scales)
    {
        for (int row = 0; row < count; row++)
        {
            ref float source = ref Unsafe.Add(ref floats, row * stride);
            ref ushort target = ref Unsafe.Add(ref codes, row * codesStride);
            Vector512<float> most = Vector512<float>.Zero;
            for (int d = 0; d < depth; d += Width)
            {
                most = Vector512.MaxNative(most, Vector512.Abs(Vector512.LoadUnsafe(ref source, (nuint)d)));
            }

            most = Vector512.MaxNative(most, Avx512F.Shuffle4x128(most, most, OtherHalf));
            most = Vector512.MaxNative(most, Avx512F.Shuffle4x128(most, most, OtherQuarter));
            most = Vector512.MaxNative(most, Avx512F.Permute4x32(most, OtherHalf));
            most = Vector512.MaxNative(most, Avx512F.Permute4x32(most, OtherQuarter));
            Vector512<float> down = Down(most);
            Vector512<float> squares = Vector512<float>.Zero;
            for (int d = 0; d < depth; d += Width)
            {
                Vector512<float> element = Avx512F.Scale(Vector512.LoadUnsafe(ref source, (nuint)d), down);
                squares = Vector512.FusedMultiplyAdd(element, element, squares);
            }

            squares += Avx512F.Shuffle4x128(squares, squares, OtherHalf);
            squares += Avx512F.Shuffle4x128(squares, squares, OtherQuarter);
            squares += Avx512F.Permute4x32(squares, OtherHalf);
            squares += Avx512F.Permute4x32(squares, OtherQuarter);
            Vector512<float> factor = Factor(most, down, squares, depth);
            for (int d = 0; d < depth; d += Width)
            {
                Avx512F.ConvertToVector256Int16(Rounded(Vector512.LoadUnsafe(ref source, (nuint)d), down, factor)).AsUInt16().StoreUnsafe(ref target, (nuint)d);
            }

            Unsafe.Add(ref scales, row) = Scales(down, factor).ToScalar();
        }
    }

    /// <summary>Elements of so many with those that fill up the last vector.</summary>
    public static int WholeVectors(int elements) => (elements + Width - 1) / Width * Width;

    /// <summary>The length that vectors are brought to: rounding moves each element by a half at most.</summary>
    private static float Length(int depth) => MostLength - 1 - MathF.Ceiling(MathF.Sqrt(depth) / 2);

    /// <summary>The exponents that bring the largest elements to between 1 and 2, so that no square is lost or too large; no number where one is infinite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Down(Vector512<float> most)
    {
        Vector512<float> down = Vector512.ConditionalSelect(Vector512.Equals(most, Vector512<float>.Zero), Vector512<float>.Zero, -Avx512F.GetExponent(most));
        return Vector512.ConditionalSelect(Vector512.Equals(most, Vector512.Create(float.PositiveInfinity)), Vector512.Create(float.NaN), down);
    }

    /// <summary>What an element is multiplied by to become a code; no number where an element is none or infinite, since squares then are none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Factor(Vector512<float> most, Vector512<float> down, Vector512<float> squares, int depth)
    {
        Vector512<float> byLength = Vector512.Create(Length(depth)) / Vector512.Sqrt(squares);
        Vector512<float> byElement = Vector512.Create(MostElement) / Avx512F.Scale(most, down);
        return Vector512.ConditionalSelect(Vector512.Equals(squares, Vector512<float>.Zero), Vector512<float>.One, Vector512.Min(byLength, byElement));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Rounded(Vector512<float> element, Vector512<float> down, Vector512<float> factor)
        => Avx512F.ConvertToVector512Int32(Avx512F.Scale(element, down) * factor);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Scales(Vector512<float> down, Vector512<float> factor) => Avx512F.Scale(Vector512<float>.One / factor, -down);
}
