using Xunit.Abstractions;

namespace MlaGen.Tests.Acceptance;

/// <summary>What the suite runs is what it says: bounded, and a case of every grid on every tier.</summary>
public sealed class SuiteTests(ITestOutputHelper output)
{
    public static TheoryData<SimdTier> Tiers => [.. Enum.GetValues<SimdTier>()];

    [Theory]
    [MemberData(nameof(Tiers))]
    public void A_sample_stays_within_its_budget(SimdTier tier)
    {
        foreach (string grid in Grids.All.Keys)
        {
            IReadOnlyList<AttentionCase> sample = Suite.Sample(grid, tier);
            output.WriteLine($"{grid}: {sample.Count} of {Grids.All[grid].Length} cases, {sample.Sum(CaseRun.Flops) / 1e9:F3} GFLOP");
        }

        output.WriteLine($"together {Suite.Flops(tier) / 1e9:F3} GFLOP");
        Assert.InRange(Suite.Flops(tier), Suite.Budget(tier) / 10, Suite.Budget(tier));
    }

    [Theory]
    [MemberData(nameof(Tiers))]
    public void Every_grid_has_cases_on_every_tier(SimdTier tier)
        => Assert.All(Grids.All.Keys, grid => Assert.NotEmpty(Suite.Sample(grid, tier)));

    /// <summary>A shape without a generated class would only show in a full grid.</summary>
    [Fact]
    public void Every_shape_of_a_grid_has_a_class()
        => Assert.All(Grids.All.Values.SelectMany(grid => grid).Select(point => point.Case.Shape).Distinct(), shape => Assert.Equal(shape.Heads, shape.TestLayer.Spec.Heads));

    [Theory]
    [InlineData(128, 64, 1, 4096, 1, 2L * 128 * (128 + 64) * 4096)]
    [InlineData(1, 16, 3, 20, 2, 2L * (128 + 16) * 3 * (19 + 20))]
    [InlineData(1, 16, 1, 2, 5, 2L * (128 + 16) * (1 + 2))]
    [InlineData(1, 16, 4, 0, 2, 0)]
    public void The_cost_of_a_case_counts_what_each_query_sees(int heads, int rope, int batch, int keys, int queries, long flops)
        => Assert.Equal(flops, new AttentionCase("A1", new LatentShape(heads, 64, rope), 16, [.. Enumerable.Repeat((keys, queries), batch)]).Flops);
}
