using MlaGen.Tests.Acceptance;
using MlaGen.Tests.Execution;
using MlaGen.Tests.Processes;

namespace MlaGen.Tests.Attention;

/// <summary>The kernels of the tiers below this machine's own: the tests of attention and the acceptance suite once more, in child processes.</summary>
[Trait("Category", "Tiers")]
public sealed class TierTests
{
    private static readonly string[] _tests =
    [
        nameof(ForwardTests), nameof(AttendLatentTests), nameof(ShardMergeTests), nameof(NonFiniteTests), "TinyGoldenTests", "BiasHalfSplitGoldenTests", "GatedGoldenTests", nameof(GateAndSinkTests),
        typeof(Sparse.SparseLayerTests).Namespace + ".",
        $"{nameof(WarmupTests)}.{nameof(WarmupTests.Results_are_the_same_bits_before_and_after)}",
        typeof(GridTests).Namespace + ".", nameof(The_process_runs_on_the_tier_it_was_started_for),
    ];

    public static TheoryData<SimdTier> NarrowerTiers => [.. Enum.GetValues<SimdTier>().Where(tier => tier < SimdTiers.Current)];

    [Theory]
    [MemberData(nameof(NarrowerTiers))]
    public async Task A_narrower_tier_passes_the_tests_of_attention(SimdTier tier)
    {
        int passed = await TierProcess.Run(tier, string.Join("|", _tests.Select(name => $"FullyQualifiedName~{name}")));

        Assert.InRange(passed, Suite.Sample(tier).Count() + _tests.Length, int.MaxValue);
    }

    /// <summary>There all tests of attention run on the kernels that are planned for Arm64.</summary>
    [Arm64Fact]
    public void Arm64_runs_the_kernels_that_are_planned_for_it() => Assert.Equal(SimdTier.Vector128, SimdTiers.Current);

    [Fact]
    public void The_process_runs_on_the_tier_it_was_started_for()
        => Assert.Equal(TierProcess.Expected ?? SimdTiers.Current.ToString(), SimdTiers.Current.ToString());
}
