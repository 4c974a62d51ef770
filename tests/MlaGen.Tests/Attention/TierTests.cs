using System.Diagnostics;
using MlaGen.Tests.Execution;

namespace MlaGen.Tests.Attention;

/// <summary>The kernels of the tiers below this machine's own: the same tests once more, in child processes with the wider instructions switched off.</summary>
[Trait("Category", "Tiers")]
public sealed class TierTests
{
    private const string ExpectedTier = "MLAGEN_EXPECTED_TIER";

    [Theory]
    [InlineData(SimdTier.Vector256, "DOTNET_EnableAVX512")]
    [InlineData(SimdTier.Vector128, "DOTNET_EnableAVX2")]
    [InlineData(SimdTier.Scalar, "DOTNET_EnableHWIntrinsic")]
    public async Task A_narrower_tier_passes_the_tests_of_attention(SimdTier tier, string switchedOff)
    {
        if (tier >= SimdTiers.Current)
        {
            return;
        }

        string tests = string.Join("|", new[] { nameof(ForwardTests), nameof(AttendLatentTests), nameof(ShardMergeTests), $"{nameof(WarmupTests)}.{nameof(WarmupTests.Results_are_the_same_bits_before_and_after)}", "TinyGoldenTests", "BiasHalfSplitGoldenTests", nameof(The_process_runs_on_the_tier_it_was_started_for) }
            .Select(name => $"FullyQualifiedName~{name}"));
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", ["vstest", typeof(TierTests).Assembly.Location, $"--TestCaseFilter:{tests}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment[switchedOff] = "0";
        start.Environment[ExpectedTier] = tier.ToString();
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync() + await errors;
        await process.WaitForExitAsync();

        Assert.True(process.ExitCode == 0, output);
        Assert.Matches(@"Passed: +\d\d", output);
    }

    /// <summary>There all tests of attention run on the kernels that are planned for Arm64.</summary>
    [Arm64Fact]
    public void Arm64_runs_the_kernels_that_are_planned_for_it() => Assert.Equal(SimdTier.Vector128, SimdTiers.Current);

    [Fact]
    public void The_process_runs_on_the_tier_it_was_started_for()
    {
        string? expected = Environment.GetEnvironmentVariable(ExpectedTier);
        Assert.Equal(expected ?? SimdTiers.Current.ToString(), SimdTiers.Current.ToString());
    }
}
