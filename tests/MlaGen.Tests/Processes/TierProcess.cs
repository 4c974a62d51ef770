using MlaGen.Tests.Acceptance;

namespace MlaGen.Tests.Processes;

/// <summary>A child process that runs some of these tests with the wider instructions switched off.</summary>
internal static class TierProcess
{
    private const string ExpectedTier = "MLAGEN_EXPECTED_TIER";

    /// <summary>The tier that this process was started for, if it is such a child.</summary>
    public static string? Expected => Environment.GetEnvironmentVariable(ExpectedTier);

    /// <summary>Runs the tests of a filter on a tier and gives how many have passed; fails if one fails.</summary>
    public static Task<int> Run(SimdTier tier, string filter)
        => TestProcess.Run(filter, (SwitchedOff(tier), "0"), (ExpectedTier, tier.ToString()), (FullGridTheoryAttribute.Variable, null));

    /// <summary>What stands between the processor and the tier.</summary>
    private static string SwitchedOff(SimdTier tier) => tier switch
    {
        SimdTier.Vector256 => "DOTNET_EnableAVX512",
        SimdTier.Vector128 => "DOTNET_EnableAVX2",
        SimdTier.Scalar => "DOTNET_EnableHWIntrinsic",
        _ => throw new ArgumentOutOfRangeException(nameof(tier), tier, "No switch leads to this tier."),
    };
}
