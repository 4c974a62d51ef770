using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>
/// Finds the highest of many scores in time linear in their number: digit by digit, from the highest, it counts how many scores share what is known of
/// the lowest one that is selected, and so finds it. Nothing is sorted, and nothing depends on chance.
/// </summary>
internal static class TopScores
{
    private const int DigitBits = 11;
    private const int Digits = 1 << DigitBits;

    /// <summary>
    /// The <paramref name="count"/> highest scores by their indices, in ascending order; of equal ones the lower index, and -0 equals 0.
    /// </summary>
    /// <param name="scores">More than <paramref name="count"/> scores, of which none is not a number.</param>
    /// <param name="count">How many to select, at least one.</param>
    /// <param name="selected">Takes their indices.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Select(ReadOnlySpan<float> scores, int count, Span<int> selected)
    {
        Span<int> counts = stackalloc int[Digits];
        uint least = 0;
        uint known = 0;

        // Of those that share the known digits of the lowest selected score, so many are still to be selected.
        int wanted = count;
        for (int shift = 32 - DigitBits; known != uint.MaxValue; shift = Math.Max(0, shift - DigitBits))
        {
            counts.Clear();
            foreach (float score in scores)
            {
                uint ordered = Ordered(score);
                if ((ordered & known) == least)
                {
                    counts[(int)(ordered >> shift) & (Digits - 1)]++;
                }
            }

            int digit = Digits - 1;
            for (; counts[digit] < wanted; digit--)
            {
                wanted -= counts[digit];
            }

            least |= (uint)digit << shift;
            known |= (uint)(Digits - 1) << shift;
        }

        int taken = 0;
        for (int i = 0; taken < count; i++)
        {
            uint ordered = Ordered(scores[i]);
            if (ordered > least || (ordered == least && wanted-- > 0))
            {
                selected[taken++] = i;
            }
        }
    }

    /// <summary>A number that orders as the score does.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Ordered(float score)
    {
        // Adding zero makes +0 of -0.
        uint bits = BitConverter.SingleToUInt32Bits(score + 0f);
        return bits ^ ((uint)((int)bits >> 31) | 0x8000_0000);
    }
}
