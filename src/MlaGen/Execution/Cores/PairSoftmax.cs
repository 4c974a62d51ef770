using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MlaGen.Runtime;

/// <summary>
/// Online softmax down a block, in float32, whose probabilities are then rounded to bfloat16, two tokens' beside each other: what products of pairs
/// take. The sums are those of the rounded probabilities, so that numerator and denominator carry the same rounding.
/// </summary>
internal static class PairSoftmax
{
    private const float Log2E = 1.44269504f;

    // Least greatest relative error of 1 + x (C1 + C2 x + C3 x² + C4 x³) on [0, 1), of 2^x: 3e-06, a thousandth of what rounding to bfloat16 may add.
    private const float C1 = 0.693044841f;
    private const float C2 = 0.241280198f;
    private const float C3 = 0.0522424728f;
    private const float C4 = 0.0134266838f;

    // What is left of a number above its floor.
    private const byte AboveFloor = 0b0000_1_0_01;

    /// <summary>Replaces the scores by pairs of probabilities, in the places of even tokens, and leaves the factors by which sums so far shrink.</summary>
    /// <param name="tokens">Tokens, whose scores are sixteen columns a vector.</param>
    /// <param name="paddedTokens">Tokens, those included that weigh nothing.</param>
    /// <param name="columns">Columns: also from the maxima to the sums, and from these to the factors.</param>
    /// <param name="stride">Floats from a token's scores to the next's.</param>
    /// <param name="scores">Scores.</param>
    /// <param name="statistics">Maxima, sums, factors.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Apply(int tokens, int paddedTokens, int columns, int stride, ref float scores, ref float statistics)
    {
        for (int column = 0; column < columns; column += Vector512<float>.Count)
        {
            Column(tokens, paddedTokens, columns, stride, ref Unsafe.Add(ref scores, column), ref Unsafe.Add(ref statistics, column));
        }
    }

    /// <summary>Sets to -infinity what a column does not attend to.</summary>
    /// <param name="tokens">Tokens.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="stride">Floats from a token's scores to the next's.</param>
    /// <param name="scores">Scores.</param>
    /// <param name="seen">Of each token a word, whose bit i says whether column i attends to it.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Mask(int tokens, int columns, int stride, ref float scores, ref uint seen)
    {
        for (int column = 0; column < columns; column += Vector512<float>.Count)
        {
            Vector512<uint> bits = Avx512F.ShiftLeftLogicalVariable(Vector512<uint>.One, Vector512<uint>.Indices + Vector512.Create((uint)column));
            ref float score = ref Unsafe.Add(ref scores, column);
            for (int token = 0; token < tokens; token++)
            {
                Vector512<uint> hidden = Vector512.Equals(Vector512.Create(Unsafe.Add(ref seen, token)) & bits, Vector512<uint>.Zero);
                Vector512.ConditionalSelect(hidden.AsSingle(), Vector512.Create(float.NegativeInfinity), Vector512.LoadUnsafe(ref score)).StoreUnsafe(ref score);
                score = ref Unsafe.Add(ref score, stride);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Column(int tokens, int paddedTokens, int columns, int stride, ref float scores, ref float statistics)
    {
        Vector512<float> before = Vector512.LoadUnsafe(ref statistics);
        Vector512<float> maximum = Maximum(before, tokens, stride, ref scores);

        // As in the managed cores: a column that has seen no key yet is compared with zero.
        Vector512<float> origin = Vector512.ConditionalSelect(Vector512.Equals(maximum, Vector512.Create(float.NegativeInfinity)), Vector512<float>.Zero, maximum);
        Vector512<float> rescale = Exp(before - origin);
        Vector512<float> sum = Vector512<float>.Zero;
        ref float score = ref scores;
        int pairs = tokens / 2;
        for (int pair = 0; pair < pairs; pair++)
        {
            Vector512<uint> first = BFloat16Lanes.RoundProbabilities(Exp(Vector512.LoadUnsafe(ref score) - origin));
            Vector512<uint> second = BFloat16Lanes.RoundProbabilities(Exp(Vector512.LoadUnsafe(ref score, (nuint)stride) - origin));
            sum += first.AsSingle() + second.AsSingle();
            BFloat16Lanes.Pair(first, second).AsSingle().StoreUnsafe(ref score);
            score = ref Unsafe.Add(ref score, 2 * stride);
        }

        if (tokens % 2 != 0)
        {
            Vector512<uint> first = BFloat16Lanes.RoundProbabilities(Exp(Vector512.LoadUnsafe(ref score) - origin));
            sum += first.AsSingle();
            BFloat16Lanes.Pair(first, Vector512<uint>.Zero).AsSingle().StoreUnsafe(ref score);
            score = ref Unsafe.Add(ref score, 2 * stride);
        }

        for (int pair = (tokens + 1) / 2; pair < paddedTokens / 2; pair++)
        {
            Vector512<float>.Zero.StoreUnsafe(ref score);
            score = ref Unsafe.Add(ref score, 2 * stride);
        }

        maximum.StoreUnsafe(ref statistics);
        Vector512.FusedMultiplyAdd(Vector512.LoadUnsafe(ref statistics, (nuint)columns), rescale, sum).StoreUnsafe(ref statistics, (nuint)columns);
        rescale.StoreUnsafe(ref statistics, (nuint)(2 * columns));
    }

    /// <summary>e^x of each lane, for x up to 0: exactly 1 at 0, 0 at -infinity; what is not a number stays so.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Exp(Vector512<float> x)
    {
        Vector512<float> power = x * Vector512.Create(Log2E);
        Vector512<float> part = Avx512DQ.Reduce(power, AboveFloor);
        Vector512<float> p = Vector512.FusedMultiplyAdd(Vector512.Create(C4), part, Vector512.Create(C3));
        p = Vector512.FusedMultiplyAdd(p, part, Vector512.Create(C2));
        p = Vector512.FusedMultiplyAdd(p, part, Vector512.Create(C1));
        p = Vector512.FusedMultiplyAdd(p, part, Vector512<float>.One);
        return Avx512F.Scale(p, power);
    }

    /// <summary>The largest score of each column: four tokens at a time, since each comparison waits for the one before. What is no number is passed over: it comes out of the sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Maximum(Vector512<float> before, int tokens, int stride, ref float scores)
    {
        Vector512<float> first = before;
        Vector512<float> second = before;
        Vector512<float> third = before;
        Vector512<float> fourth = before;
        ref float score = ref scores;
        int token = 0;
        for (; token <= tokens - 4; token += 4)
        {
            first = Avx512F.Max(first, Vector512.LoadUnsafe(ref score));
            second = Avx512F.Max(second, Vector512.LoadUnsafe(ref score, (nuint)stride));
            third = Avx512F.Max(third, Vector512.LoadUnsafe(ref score, (nuint)(2 * stride)));
            fourth = Avx512F.Max(fourth, Vector512.LoadUnsafe(ref score, (nuint)(3 * stride)));
            score = ref Unsafe.Add(ref score, 4 * stride);
        }

        for (; token < tokens; token++)
        {
            first = Avx512F.Max(first, Vector512.LoadUnsafe(ref score));
            score = ref Unsafe.Add(ref score, stride);
        }

        return Avx512F.Max(Avx512F.Max(first, second), Avx512F.Max(third, fourth));
    }
}
