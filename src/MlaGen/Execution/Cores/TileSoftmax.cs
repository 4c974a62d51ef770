using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MlaGen.Runtime;

/// <summary>
/// Online softmax down a block, in float32, whose probabilities become tiles <c>[panel][32 tokens][terms][16 columns][32]</c> of bfloat16: turned, so that a
/// column's tokens lie beside each other. The sums are those of the rounded probabilities, so that numerator and denominator carry the same rounding.
/// </summary>
internal static class TileSoftmax
{
    /// <summary>Tokens of a tile.</summary>
    private const int Tokens = 32;

    /// <summary>Columns of a tile, floats of a vector, words of 32 bits of a tile's row.</summary>
    private const int Width = 16;

    /// <summary>Words of 32 bits of a tile.</summary>
    private const int TileWords = Width * Width;

    /// <summary>Turns scores into tiles of probabilities, and leaves the factors by which sums so far shrink.</summary>
    /// <param name="tokens">Tokens.</param>
    /// <param name="paddedTokens">Tokens, those included that weigh nothing: whole tiles.</param>
    /// <param name="columns">Columns: also from the maxima to the sums, and from these to the factors.</param>
    /// <param name="stride">Floats from a token's scores to the next's.</param>
    /// <param name="terms">Terms of a probability: 1 or 2.</param>
    /// <param name="scores">Scores.</param>
    /// <param name="statistics">Maxima, sums, factors.</param>
    /// <param name="weights">Takes the tiles.</param>
    /// <param name="panelWords">Words of 32 bits from a panel's tiles to the next's.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Apply(int tokens, int paddedTokens, int columns, int stride, int terms, ref float scores, ref float statistics, ref uint weights, int panelWords)
    {
        for (int column = 0; column < columns; column += Width)
        {
            Panel(tokens, paddedTokens, columns, stride, terms, ref Unsafe.Add(ref scores, column), ref Unsafe.Add(ref statistics, column), ref Unsafe.Add(ref weights, column / Width * panelWords));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Panel(int tokens, int paddedTokens, int columns, int stride, int terms, ref float scores, ref float statistics, ref uint weights)
    {
        Vector512<float> before = Vector512.LoadUnsafe(ref statistics);
        Vector512<float> maximum = PairSoftmax.Maximum(before, tokens, stride, ref scores);

        // As in the managed cores: a column that has seen no key yet is compared with zero.
        Vector512<float> origin = Vector512.ConditionalSelect(Vector512.Equals(maximum, Vector512.Create(float.NegativeInfinity)), Vector512<float>.Zero, maximum);
        Vector512<float> rescale = VectorMath.Exp(before - origin);
        Vector512<float> sum = Vector512<float>.Zero;
        ref float score = ref scores;
        for (int first = 0; first < paddedTokens; first += Tokens)
        {
            int left = tokens - first;
            if (left >= Tokens)
            {
                for (int pair = 0; pair < Tokens / 2; pair++)
                {
                    Vector512<float> one = VectorMath.Exp(Vector512.LoadUnsafe(ref score) - origin);
                    Vector512<float> two = VectorMath.Exp(Vector512.LoadUnsafe(ref score, (nuint)stride) - origin);
                    sum += Store(one, two, terms, ref Unsafe.Add(ref weights, pair * Width));
                    score = ref Unsafe.Add(ref score, 2 * stride);
                }
            }
            else
            {
                for (int pair = 0; pair < Tokens / 2; pair++)
                {
                    Vector512<float> one = 2 * pair < left ? VectorMath.Exp(Vector512.LoadUnsafe(ref score) - origin) : Vector512<float>.Zero;
                    Vector512<float> two = (2 * pair) + 1 < left ? VectorMath.Exp(Vector512.LoadUnsafe(ref score, (nuint)stride) - origin) : Vector512<float>.Zero;
                    sum += Store(one, two, terms, ref Unsafe.Add(ref weights, pair * Width));
                    score = ref Unsafe.Add(ref score, 2 * stride);
                }
            }

            for (int term = 0; term < terms; term++)
            {
                Turn(ref weights);
                weights = ref Unsafe.Add(ref weights, TileWords);
            }
        }

        maximum.StoreUnsafe(ref statistics);
        Vector512.FusedMultiplyAdd(Vector512.LoadUnsafe(ref statistics, (nuint)columns), rescale, sum).StoreUnsafe(ref statistics, (nuint)columns);
        rescale.StoreUnsafe(ref statistics, (nuint)(2 * columns));
    }

    /// <summary>Writes the terms of a pair of probabilities, and gives the sum of what was written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Store(Vector512<float> one, Vector512<float> two, int terms, ref uint words)
    {
        Vector512<uint> firstOne = BFloat16Lanes.RoundProbabilities(one);
        Vector512<uint> firstTwo = BFloat16Lanes.RoundProbabilities(two);
        BFloat16Lanes.Pair(firstOne, firstTwo).StoreUnsafe(ref words);
        if (terms == 1)
        {
            return firstOne.AsSingle() + firstTwo.AsSingle();
        }

        Vector512<uint> secondOne = BFloat16Lanes.RoundProbabilities(one - firstOne.AsSingle());
        Vector512<uint> secondTwo = BFloat16Lanes.RoundProbabilities(two - firstTwo.AsSingle());
        BFloat16Lanes.Pair(secondOne, secondTwo).StoreUnsafe(ref words, TileWords);
        return (firstOne.AsSingle() + secondOne.AsSingle()) + (firstTwo.AsSingle() + secondTwo.AsSingle());
    }

    /// <summary>Turns a tile of 16 by 16 words where it lies.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Turn(ref uint tile)
    {
        (Vector512<uint> a0, Vector512<uint> a1, Vector512<uint> a2, Vector512<uint> a3) = Turn4(ref tile);
        (Vector512<uint> b0, Vector512<uint> b1, Vector512<uint> b2, Vector512<uint> b3) = Turn4(ref Unsafe.Add(ref tile, 4 * Width));
        (Vector512<uint> c0, Vector512<uint> c1, Vector512<uint> c2, Vector512<uint> c3) = Turn4(ref Unsafe.Add(ref tile, 8 * Width));
        (Vector512<uint> d0, Vector512<uint> d1, Vector512<uint> d2, Vector512<uint> d3) = Turn4(ref Unsafe.Add(ref tile, 12 * Width));
        Store4(a0, b0, c0, d0, ref tile);
        Store4(a1, b1, c1, d1, ref Unsafe.Add(ref tile, Width));
        Store4(a2, b2, c2, d2, ref Unsafe.Add(ref tile, 2 * Width));
        Store4(a3, b3, c3, d3, ref Unsafe.Add(ref tile, 3 * Width));
    }

    /// <summary>Four rows: of vector i the quarter q holds column 4q + i of the four.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<uint>, Vector512<uint>, Vector512<uint>, Vector512<uint>) Turn4(ref uint rows)
    {
        var row0 = Vector512.LoadUnsafe(ref rows);
        var row1 = Vector512.LoadUnsafe(ref rows, Width);
        var row2 = Vector512.LoadUnsafe(ref rows, 2 * Width);
        var row3 = Vector512.LoadUnsafe(ref rows, 3 * Width);
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
    private static void Store4(Vector512<uint> a, Vector512<uint> b, Vector512<uint> c, Vector512<uint> d, ref uint rows)
    {
        Vector512<uint> abEven = Avx512F.Shuffle4x128(a, b, 0b10_00_10_00);
        Vector512<uint> abOdd = Avx512F.Shuffle4x128(a, b, 0b11_01_11_01);
        Vector512<uint> cdEven = Avx512F.Shuffle4x128(c, d, 0b10_00_10_00);
        Vector512<uint> cdOdd = Avx512F.Shuffle4x128(c, d, 0b11_01_11_01);
        Avx512F.Shuffle4x128(abEven, cdEven, 0b10_00_10_00).StoreUnsafe(ref rows);
        Avx512F.Shuffle4x128(abOdd, cdOdd, 0b10_00_10_00).StoreUnsafe(ref rows, 4 * Width);
        Avx512F.Shuffle4x128(abEven, cdEven, 0b11_01_11_01).StoreUnsafe(ref rows, 8 * Width);
        Avx512F.Shuffle4x128(abOdd, cdOdd, 0b11_01_11_01).StoreUnsafe(ref rows, 12 * Width);
    }
}
