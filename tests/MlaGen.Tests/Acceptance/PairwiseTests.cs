namespace MlaGen.Tests.Acceptance;

public sealed class PairwiseTests
{
    private static readonly object[][] _grid =
    [
        .. from letter in new[] { 'a', 'b', 'c' }
           from number in Enumerable.Range(0, 5)
           from flag in (bool[])[false, true]
           from other in Enumerable.Range(0, 5)
           where letter != 'c' || flag
           select new object[] { letter, number, flag, other },
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Every_pair_of_values_of_two_axes_occurs(int seed)
    {
        List<int> sample = Pairwise.Sample(_grid, _ => 1e9, seed);

        Assert.Equal(Pairs(_grid), Pairs(sample.Select(point => _grid[point])));
        Assert.Equal(sample.Distinct(), sample);

        // 5 · 5 are the fewest possible, of 125.
        Assert.InRange(sample.Count, 25, 35);
    }

    [Fact]
    public void The_same_seed_gives_the_same_sample_and_another_another()
    {
        Assert.Equal(Pairwise.Sample(_grid, _ => 1, 1), Pairwise.Sample(_grid, _ => 1, 1));
        Assert.NotEqual(Pairwise.Sample(_grid, _ => 1, 1), Pairwise.Sample(_grid, _ => 1, 2));
    }

    /// <summary>Two pairs need a dear point; one point has both.</summary>
    [Fact]
    public void Pairs_are_had_where_they_cost_least()
    {
        bool IsDear(int point) => _grid[point] is [_, 4, true, _];

        List<int> sample = Pairwise.Sample(_grid, point => IsDear(point) ? 1e12 : 1, 1);

        Assert.Single(sample, IsDear);
    }

    private static HashSet<(int, object, int, object)> Pairs(IEnumerable<object[]> points) =>
    [
        .. from point in points
           from first in Enumerable.Range(0, point.Length)
           from second in Enumerable.Range(first + 1, point.Length - first - 1)
           select (first, point[first], second, point[second]),
    ];
}
