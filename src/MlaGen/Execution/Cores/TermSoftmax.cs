using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MlaGen.Runtime;

/// <summary>
/// As <see cref="PairSoftmax"/>, but for probabilities that are sums of two terms of bfloat16: second terms take the places of odd tokens' scores.
/// </summary>
internal static class TermSoftmax
{
    /// <summary>Replaces the scores by pairs of probabilities, and leaves the factors by which sums so far shrink.</summary>
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Column(int tokens, int paddedTokens, int columns, int stride, ref float scores, ref float statistics)
    {
        Vector512<float> before = Vector512.LoadUnsafe(ref statistics);
        Vector512<float> maximum = PairSoftmax.Maximum(before, tokens, stride, ref scores);

        // As in the managed cores: a column that has seen no key yet is compared with zero.
        Vector512<float> origin = Vector512.ConditionalSelect(Vector512.Equals(maximum, Vector512.Create(float.NegativeInfinity)), Vector512<float>.Zero, maximum);
        Vector512<float> rescale = VectorMath.Exp(before - origin);
        Vector512<float> sum = Vector512<float>.Zero;
        ref float score = ref scores;
        for (int pair = 0; pair < tokens / 2; pair++)
        {
            sum += Store(VectorMath.Exp(Vector512.LoadUnsafe(ref score) - origin), VectorMath.Exp(Vector512.LoadUnsafe(ref score, (nuint)stride) - origin), ref score, stride);
            score = ref Unsafe.Add(ref score, 2 * stride);
        }

        if (tokens % 2 != 0)
        {
            sum += Store(VectorMath.Exp(Vector512.LoadUnsafe(ref score) - origin), Vector512<float>.Zero, ref score, stride);
            score = ref Unsafe.Add(ref score, 2 * stride);
        }

        for (int pair = (tokens + 1) / 2; pair < paddedTokens / 2; pair++)
        {
            Vector512<float>.Zero.StoreUnsafe(ref score);
            Vector512<float>.Zero.StoreUnsafe(ref score, (nuint)stride);
            score = ref Unsafe.Add(ref score, 2 * stride);
        }

        maximum.StoreUnsafe(ref statistics);
        Vector512.FusedMultiplyAdd(Vector512.LoadUnsafe(ref statistics, (nuint)columns), rescale, sum).StoreUnsafe(ref statistics, (nuint)columns);
        rescale.StoreUnsafe(ref statistics, (nuint)(2 * columns));
    }

    /// <summary>Writes the terms of a pair of probabilities, and gives the sum of what was written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Store(Vector512<float> one, Vector512<float> two, ref float score, int stride)
    {
        Vector512<uint> firstOne = BFloat16Lanes.RoundProbabilities(one);
        Vector512<uint> firstTwo = BFloat16Lanes.RoundProbabilities(two);
        Vector512<uint> secondOne = BFloat16Lanes.RoundProbabilities(one - firstOne.AsSingle());
        Vector512<uint> secondTwo = BFloat16Lanes.RoundProbabilities(two - firstTwo.AsSingle());
        BFloat16Lanes.Pair(firstOne, firstTwo).AsSingle().StoreUnsafe(ref score);
        BFloat16Lanes.Pair(secondOne, secondTwo).AsSingle().StoreUnsafe(ref score, (nuint)stride);
        return (firstOne.AsSingle() + secondOne.AsSingle()) + (firstTwo.AsSingle() + secondTwo.AsSingle());
    }
}
