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

    // Of vectors whose largest elements lie between these, squares are summed as they are.
    private const float MostPlain = 1 << 30;
    private const float LeastPlain = 1 / MostPlain;

    /// <summary>Quantizes a panel of vectors, <c>[depth][16]</c>, to pairs, <c>[depth / 2][16][2]</c>. A vector that is not finite has a scale that is no number.</summary>
    /// <param name="floats">The panel.</param>
    /// <param name="depth">An even number.</param>
    /// <param name="pairs">Takes the codes; may not be the same memory.</param>
    /// <param name="scales">Takes sixteen scales.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void QuantizePanel(ref float floats, int depth, ref uint pairs, ref float scales)
    {
        // Two of each, since each waits for the one before.
        Vector512<float> firstMost = Vector512<float>.Zero;
        Vector512<float> secondMost = Vector512<float>.Zero;
        Vector512<float> firstSquares = Vector512<float>.Zero;
        Vector512<float> secondSquares = Vector512<float>.Zero;
        for (int d = 0; d < depth; d += 2)
        {
            var first = Vector512.LoadUnsafe(ref floats, (nuint)(d * Width));
            var second = Vector512.LoadUnsafe(ref floats, (nuint)((d + 1) * Width));
            firstMost = Vector512.MaxNative(firstMost, Vector512.Abs(first));
            secondMost = Vector512.MaxNative(secondMost, Vector512.Abs(second));
            firstSquares = Vector512.FusedMultiplyAdd(first, first, firstSquares);
            secondSquares = Vector512.FusedMultiplyAdd(second, second, secondSquares);
        }

        Vector512<float> most = Vector512.MaxNative(firstMost, secondMost);
        Vector512<float> down = Down(most);
        Vector512<float> squares = Avx512F.Scale(firstSquares + secondSquares, down + down);
        Vector512<float> extreme = IsExtreme(most);
        if (Vector512.AnyWhereAllBitsSet(extreme.AsInt32()))
        {
            Vector512<float> scaled = Vector512<float>.Zero;
            for (int d = 0; d < depth; d++)
            {
                scaled = AddSquare(scaled, Vector512.LoadUnsafe(ref floats, (nuint)(d * Width)), down);
            }

            squares = Vector512.ConditionalSelect(extreme, scaled, squares);
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
        // Sixteen vectors at a time, whose largest elements and squares, turned, need no reduction of their own.
        Span<float> maxima = stackalloc float[Width * Width];
        Span<float> sums = stackalloc float[Width * Width];
        Span<float> downs = stackalloc float[Width];
        Span<float> factors = stackalloc float[Width];
        Span<float> ownScales = stackalloc float[Width];
        for (int first = 0; first < count; first += Width)
        {
            int rows = Math.Min(Width, count - first);
            ref float source = ref Unsafe.Add(ref floats, first * stride);
            for (int row = 0; row < rows; row++)
            {
                ref float elements = ref Unsafe.Add(ref source, row * stride);
                Vector512<float> rowMost = Vector512<float>.Zero;
                Vector512<float> rowSquares = Vector512<float>.Zero;
                for (int d = 0; d < depth; d += Width)
                {
                    var element = Vector512.LoadUnsafe(ref elements, (nuint)d);
                    rowMost = Vector512.MaxNative(rowMost, Vector512.Abs(element));
                    rowSquares = Vector512.FusedMultiplyAdd(element, element, rowSquares);
                }

                rowMost.StoreUnsafe(ref maxima[row * Width]);
                rowSquares.StoreUnsafe(ref sums[row * Width]);
            }

            Vector512<float> most = Vector512<float>.Zero;
            Vector512<float> squares = Vector512<float>.Zero;
            WordSquare.Turn(ref Unsafe.As<float, uint>(ref maxima[0]), Width, ref Unsafe.As<float, uint>(ref maxima[0]), Width);
            WordSquare.Turn(ref Unsafe.As<float, uint>(ref sums[0]), Width, ref Unsafe.As<float, uint>(ref sums[0]), Width);
            for (int lane = 0; lane < Width; lane++)
            {
                most = Vector512.MaxNative(most, Vector512.LoadUnsafe(ref maxima[lane * Width]));
                squares += Vector512.LoadUnsafe(ref sums[lane * Width]);
            }

            Vector512<float> down = Down(most);
            down.StoreUnsafe(ref downs[0]);
            squares = Avx512F.Scale(squares, down + down);
            Vector512<float> extreme = IsExtreme(most);
            if (Vector512.AnyWhereAllBitsSet(extreme.AsInt32()))
            {
                for (int row = 0; row < rows; row++)
                {
                    Vector512<float> scaled = Vector512<float>.Zero;
                    for (int d = 0; d < depth; d += Width)
                    {
                        scaled = AddSquare(scaled, Vector512.LoadUnsafe(ref source, (nuint)((row * stride) + d)), Vector512.Create(downs[row]));
                    }

                    factors[row] = Vector512.Sum(scaled);
                }

                squares = Vector512.ConditionalSelect(extreme, Vector512.LoadUnsafe(ref factors[0]), squares);
            }

            Vector512<float> factor = Factor(most, down, squares, depth);
            factor.StoreUnsafe(ref factors[0]);
            for (int row = 0; row < rows; row++)
            {
                ref float elements = ref Unsafe.Add(ref source, row * stride);
                ref ushort target = ref Unsafe.Add(ref codes, (first + row) * codesStride);
                var rowDown = Vector512.Create(downs[row]);
                var rowFactor = Vector512.Create(factors[row]);
                for (int d = 0; d < depth; d += Width)
                {
                    Avx512F.ConvertToVector256Int16(Rounded(Vector512.LoadUnsafe(ref elements, (nuint)d), rowDown, rowFactor)).AsUInt16().StoreUnsafe(ref target, (nuint)d);
                }
            }

            Scales(down, factor).StoreUnsafe(ref ownScales[0]);
            ownScales[..rows].CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.Add(ref scales, first), rows));
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

    /// <summary>Where squares might be lost or too large unless elements are scaled before: that these are then scaled changes no bit of the others.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> IsExtreme(Vector512<float> most)
        => Vector512.GreaterThan(most, Vector512.Create(MostPlain)) | Vector512.AndNot(Vector512.LessThan(most, Vector512.Create(LeastPlain)), Vector512.Equals(most, Vector512<float>.Zero));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> AddSquare(Vector512<float> squares, Vector512<float> element, Vector512<float> down)
    {
        Vector512<float> scaled = Avx512F.Scale(element, down);
        return Vector512.FusedMultiplyAdd(scaled, scaled, squares);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Rounded(Vector512<float> element, Vector512<float> down, Vector512<float> factor)
        => Avx512F.ConvertToVector512Int32(Avx512F.Scale(element, down) * factor);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Scales(Vector512<float> down, Vector512<float> factor) => Avx512F.Scale(Vector512<float>.One / factor, -down);
}
