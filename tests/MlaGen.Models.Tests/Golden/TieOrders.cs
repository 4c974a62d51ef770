namespace MlaGen.Models.Tests.Golden;

/// <summary>Selects the highest of some scores; which of equal ones, is what orders differ in.</summary>
/// <param name="scores">The scores, negative infinity for what a query does not see.</param>
/// <param name="count">How many to select; fewer than there are scores.</param>
/// <returns>Their indices.</returns>
internal delegate IEnumerable<int> TieOrder(double[] scores, int count);

/// <summary>Orders of equal scores.</summary>
internal static class TieOrders
{
    /// <summary>Of equal scores the lower index, as it is documented.</summary>
    public static IEnumerable<int> LowerIndex(double[] scores, int count)
        => Enumerable.Range(0, scores.Length).OrderByDescending(index => scores[index]).ThenBy(static index => index).Take(count);

    /// <summary>
    /// What <c>torch.topk</c> leaves in front on a CPU: <c>std::nth_element</c> of libstdc++ over pairs of score and index, of which it compares the scores alone.
    /// </summary>
    public static IEnumerable<int> NthElement(double[] scores, int count)
    {
        // Of this many, torch sorts a part in place.
        Assert.True(count * 64 > scores.Length);
        (double Score, int Index)[] queue = [.. scores.Select(static (score, index) => (score, index))];
        int nth = count - 1;
        int first = 0;
        int last = queue.Length;
        for (int depth = 2 * (int)Math.Log2(queue.Length); last - first > 3; depth--)
        {
            Assert.True(depth > 0, "Here nth_element goes over to a heap.");
            int cut = Partition(first, last);
            (first, last) = cut <= nth ? (cut, last) : (first, cut);
        }

        for (int i = first + 1; i < last; i++)
        {
            for (int place = i; place > first && IsBefore(place, place - 1); place--)
            {
                Swap(place, place - 1);
            }
        }

        return queue.Take(count).Select(static entry => entry.Index);

        bool IsBefore(int a, int b) => queue[a].Score > queue[b].Score;

        void Swap(int a, int b) => (queue[a], queue[b]) = (queue[b], queue[a]);

        // The median of three, moved to the front, is what the others are compared with.
        int Partition(int from, int end)
        {
            (int a, int b, int c) = (from + 1, from + ((end - from) / 2), end - 1);
            Swap(from, IsBefore(a, b) ? (IsBefore(b, c) ? b : IsBefore(a, c) ? c : a) : (IsBefore(a, c) ? a : IsBefore(b, c) ? c : b));
            int low = from + 1;
            int high = end;
            while (true)
            {
                while (IsBefore(low, from))
                {
                    low++;
                }

                high--;
                while (IsBefore(from, high))
                {
                    high--;
                }

                if (low >= high)
                {
                    return low;
                }

                Swap(low, high);
                low++;
            }
        }
    }
}
