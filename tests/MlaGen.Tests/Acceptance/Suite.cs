namespace MlaGen.Tests.Acceptance;

/// <summary>What of the grids runs every time, on which tier.</summary>
internal static class Suite
{
    /// <summary>The grid whose cases run twice more, to see that their surroundings change no bit.</summary>
    public const string PoisonedGrid = "A9";

    /// <summary>Operations of the dearest case that is sampled; dearer ones run with the full grids alone.</summary>
    private const long CaseBudget = 1_200_000_000;

    /// <summary>The part of a tier's budget that is the grids'; the rest is for the suite's other tests.</summary>
    private const double GridShare = 0.8;

    private const int Seed = 20;

    private static readonly Dictionary<string, AttentionCase[]> _samples = Grids.All.ToDictionary(grid => grid.Key, grid => SampleOf(grid.Value));

    private static readonly Dictionary<string, AttentionCase> _names = _samples.Values.SelectMany(sample => sample).ToDictionary(test => test.ToString());

    /// <summary>Operations that a tier has for the suite.</summary>
    public static long Budget(SimdTier tier) => tier == SimdTier.Scalar ? 1_000_000_000 : 20_000_000_000;

    /// <summary>The cases of a grid that a tier runs: a pairwise sample, of which the scalar tier takes the cheapest, as many as fit in the grid's part of its budget.</summary>
    public static IReadOnlyList<AttentionCase> Sample(string grid, SimdTier tier)
    {
        AttentionCase[] sample = _samples[grid];
        if (tier != SimdTier.Scalar)
        {
            return sample;
        }

        double left = GridShare * Budget(tier) / (_samples.Count + 2);
        return [.. sample.OrderBy(CaseRun.Flops).TakeWhile(test => (left -= CaseRun.Flops(test)) >= 0)];
    }

    /// <summary>All cases that a tier runs.</summary>
    public static IEnumerable<AttentionCase> Sample(SimdTier tier) => _samples.Keys.SelectMany(grid => Sample(grid, tier));

    /// <summary>Operations of everything that a tier runs of the grids.</summary>
    public static long Flops(SimdTier tier) => Sample(tier).Concat(Sample(PoisonedGrid, tier)).Concat(Sample(PoisonedGrid, tier)).Sum(CaseRun.Flops);

    /// <summary>The case of a sample that prints as <paramref name="name"/>.</summary>
    public static AttentionCase Get(string name) => _names[name];

    private static AttentionCase[] SampleOf(GridPoint[] grid)
    {
        GridPoint[] affordable = [.. grid.Where(point => CaseRun.Flops(point.Case) <= CaseBudget)];
        List<int> sample = Pairwise.Sample([.. affordable.Select(point => point.Coordinates)], point => CaseRun.Flops(affordable[point].Case), Seed);
        return [.. sample.Select(point => affordable[point].Case)];
    }
}
