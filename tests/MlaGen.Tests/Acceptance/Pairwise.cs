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
        int[][] pairs = PairsOf(points);
        ILookup<int, int> holders = order.SelectMany(point => pairs[point], (point, pair) => (point, pair)).ToLookup(held => held.pair, held => held.point);
        int[] gains = [.. pairs.Select(held => held.Length)];
        var covered = new HashSet<int>();
        var sample = new List<int>();
        while (covered.Count < holders.Count)
        {
            int best = order.MaxBy(point => gains[point] / cost(point));
            sample.Add(best);
            foreach (int holder in pairs[best].Where(covered.Add).SelectMany(pair => holders[pair]))
            {
                gains[holder]--;
            }
        }

        return sample;
    }

    /// <summary>The pairs of each point, numbered.</summary>
    private static int[][] PairsOf(IReadOnlyList<object[]> points)
    {
        var numbers = new Dictionary<(int, object, int, object), int>();
        return [.. points.Select(point => (int[])
        [
            .. from first in Enumerable.Range(0, point.Length)
               from second in Enumerable.Range(first + 1, point.Length - first - 1)
               select Number((first, point[first], second, point[second])),
        ])];

        int Number((int, object, int, object) pair)
        {
            numbers.TryAdd(pair, numbers.Count);
            return numbers[pair];
        }
    }
}
