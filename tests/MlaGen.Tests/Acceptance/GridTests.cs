namespace MlaGen.Tests.Acceptance;

/// <summary>Attention on latents against the oracle, over the sample of every grid; the full grids where they are asked for.</summary>
public sealed class GridTests
{
    public static TheoryData<string> Cases => [.. Suite.Sample(SimdTiers.Current).Select(test => test.ToString())];

    public static TheoryData<string> GridNames => [.. Grids.All.Keys];

    public static TheoryData<string> PoisonedCases => [.. Suite.Sample(Suite.PoisonedGrid, SimdTiers.Current).Select(test => test.ToString())];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Attention_equals_the_oracle(string name) => CaseRun.AssertOracle(Suite.Get(name));

    [Theory]
    [MemberData(nameof(PoisonedCases))]
    public void What_no_token_wrote_changes_no_bit(string name) => CaseRun.AssertSurroundingsDoNotMatter(Suite.Get(name));

    [FullGridTheory]
    [MemberData(nameof(GridNames))]
    [Trait("Category", "FullGrids")]
    public void Attention_equals_the_oracle_over_a_full_grid(string name)
    {
        foreach (GridPoint point in Grids.All[name])
        {
            try
            {
                CaseRun.AssertOracle(point.Case);
            }
            catch (Exception error)
            {
                throw new InvalidOperationException(point.Case.ToString(), error);
            }
        }
    }
}
