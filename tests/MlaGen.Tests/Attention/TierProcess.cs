using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using MlaGen.Tests.Acceptance;

namespace MlaGen.Tests.Attention;

/// <summary>A child process that runs some of these tests with the wider instructions switched off.</summary>
internal static partial class TierProcess
{
    private const string ExpectedTier = "MLAGEN_EXPECTED_TIER";

    /// <summary>The tier that this process was started for, if it is such a child.</summary>
    public static string? Expected => Environment.GetEnvironmentVariable(ExpectedTier);

    /// <summary>Runs the tests of a filter on a tier and gives how many have passed; fails if one fails.</summary>
    public static async Task<int> Run(SimdTier tier, string filter)
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", ["vstest", typeof(TierProcess).Assembly.Location, $"--TestCaseFilter:{filter}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment[SwitchedOff(tier)] = "0";
        start.Environment[ExpectedTier] = tier.ToString();
        start.Environment.Remove(FullGridTheoryAttribute.Variable);
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync() + await errors;
        await process.WaitForExitAsync();

        Assert.True(process.ExitCode == 0, output);
        return int.Parse(Passed().Match(output).Groups[1].Value, CultureInfo.InvariantCulture);
    }

    /// <summary>What stands between the processor and the tier.</summary>
    private static string SwitchedOff(SimdTier tier) => tier switch
    {
        SimdTier.Vector256 => "DOTNET_EnableAVX512",
        SimdTier.Vector128 => "DOTNET_EnableAVX2",
        SimdTier.Scalar => "DOTNET_EnableHWIntrinsic",
        _ => throw new ArgumentOutOfRangeException(nameof(tier), tier, "No switch leads to this tier."),
    };

    [GeneratedRegex(@"Passed: +(\d+)")]
    private static partial Regex Passed();
}
