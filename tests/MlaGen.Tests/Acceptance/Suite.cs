namespace MlaGen.Tests.Acceptance;

/// <summary>What of the grids runs every time, on which tier.</summary>
internal static class Suite
{
    /// <summary>Operations that a dearer case stands only in its full grid for.</summary>
    public const long CaseBudget = 1_000_000_000;

    private const int Seed = 20;

    private static readonly Dictionary<string, AttentionCase[]> _samples = Grids.All.ToDictionary(grid => grid.Key, grid => SampleOf(grid.Value));

    private static readonly Dictionary<string, AttentionCase> _names = _samples.Values.SelectMany(sample => sample).ToDictionary(test => test.ToString());

    /// <summary>Operations that a tier has for the suite.</summary>
    public static long Budget(SimdTier tier) => tier == SimdTier.Scalar ? 1_000_000_000 : 20_000_000_000;

    /// <summary>The cases of a grid that a tier runs: a pairwise sample, of which the scalar tier takes the cheapest, as many as fit in the grid's share of its budget.</summary>
    public static IReadOnlyList<AttentionCase> Sample(string grid, SimdTier tier)
    {
        AttentionCase[] sample = _samples[grid];
        if (tier != SimdTier.Scalar)
        {
            return sample;
        }

        long left = Budget(tier) / _samples.Count;
        return [.. sample.OrderBy(test => test.Flops).TakeWhile(test => (left -= test.Flops) >= 0)];
    }

    /// <summary>All cases that a tier runs.</summary>
    public static IEnumerable<AttentionCase> Sample(SimdTier tier) => _samples.Keys.SelectMany(grid => Sample(grid, tier));

    /// <summary>The case of a sample that prints as <paramref name="name"/>.</summary>
    public static AttentionCase Get(string name) => _names[name];

    private static AttentionCase[] SampleOf(GridPoint[] grid)
    {
        GridPoint[] affordable = [.. grid.Where(point => point.Case.Flops <= CaseBudget)];
        List<int> sample = Pairwise.Sample([.. affordable.Select(point => point.Coordinates)], point => affordable[point].Case.Flops, Seed);
        return [.. sample.Select(point => affordable[point].Case)];
    }
}
