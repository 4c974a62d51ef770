namespace MlaGen.Tests.Acceptance;

/// <summary>A case at its place in a grid.</summary>
/// <param name="Coordinates">Its value on each axis of the grid.</param>
/// <param name="Case">The case.</param>
internal sealed record GridPoint(object[] Coordinates, AttentionCase Case);

/// <summary>The part of a grid that stands for all of it: most faults show where two values meet.</summary>
internal static class Pairwise
{
    /// <summary>Points in which every pair of values of two axes occurs that occurs in <paramref name="points"/>, chosen one by one for the most new pairs at the least cost.</summary>
    /// <param name="points">Coordinates, equally many each.</param>
    /// <param name="cost">Cost of a point, not 0.</param>
    /// <param name="seed">Decides between equally good points.</param>
    /// <returns>Indices of the chosen points, in the order in which they were chosen.</returns>
    public static List<int> Sample(IReadOnlyList<object[]> points, Func<int, double> cost, int seed)
    {
        int[] order = [.. Enumerable.Range(0, points.Count)];
        new Random(seed).Shuffle(order);
        HashSet<int>[] pairs = PairsOf(points);
        var missing = pairs.SelectMany(all => all).ToHashSet();
        var sample = new List<int>();
        while (missing.Count > 0)
        {
            foreach (HashSet<int> left in pairs)
            {
                left.IntersectWith(missing);
            }

            int best = order.MaxBy(point => pairs[point].Count / cost(point));
            sample.Add(best);
            missing.ExceptWith(pairs[best]);
        }

        return sample;
    }

    /// <summary>The pairs of each point, numbered.</summary>
    private static HashSet<int>[] PairsOf(IReadOnlyList<object[]> points)
    {
        var numbers = new Dictionary<(int, object, int, object), int>();
        return [.. points.Select(point =>
        {
            var pairs = new HashSet<int>();
            for (int first = 0; first < point.Length; first++)
            {
                for (int second = first + 1; second < point.Length; second++)
                {
                    (int, object, int, object) pair = (first, point[first], second, point[second]);
                    if (!numbers.TryGetValue(pair, out int number))
                    {
                        numbers.Add(pair, number = numbers.Count);
                    }

                    pairs.Add(number);
                }
            }

            return pairs;
        })];
    }
}
