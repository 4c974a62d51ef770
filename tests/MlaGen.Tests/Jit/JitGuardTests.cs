using System.Diagnostics;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace MlaGen.Tests.Jit;

/// <summary>
/// What the JIT makes of the emitted kernels of every class in this assembly: full optimisation, and in the loops that multiply and add
/// neither a call nor traffic with the stack. Each is lost silently, and costs most of the speed.
/// </summary>
[Trait("Category", "Jit")]
public sealed class JitGuardTests
{
    private const string Tier = "MLAGEN_JIT_TIER";

    [Theory]
    [InlineData(SimdTier.Vector512, "zmm")]
    [InlineData(SimdTier.Vector256, "ymm")]
    public async Task Kernels_are_optimised_and_their_loops_stay_in_registers(SimdTier tier, string register)
    {
        if (tier > SimdTiers.Current)
        {
            return;
        }

        IReadOnlyList<JitListing> listings = JitListing.Parse(await CompileInChildProcess(tier));

        Assert.True(listings.Count > 100, $"Only {listings.Count} kernels were listed.");
        Assert.All(listings, listing => Assert.Equal("FullOpts", listing.Optimization));
        var wide = listings.Where(listing => listing.FmaLoops().Any(loop => loop.Any(line => line.Contains(register, StringComparison.Ordinal)))).ToList();
        Assert.True(wide.Count > 50, $"Only {wide.Count} kernels have a loop over {register} registers.");
        Assert.All(listings, listing => Assert.All(listing.FmaLoops(), loop => Assert.DoesNotContain(loop, IsLost)));
    }

    /// <summary>Run by the test above in a process of its own, whose JIT writes down what it compiles.</summary>
    [Fact]
    public void Compile_all_kernels_of_a_tier()
    {
        if (Environment.GetEnvironmentVariable(Tier) is not { } tier)
        {
            return;
        }

        Assert.Equal(tier, SimdTiers.Current.ToString());
        foreach (Type kernels in typeof(JitGuardTests).Assembly.GetTypes().Where(type => type.Namespace?.StartsWith("MlaGen.Emitted.", StringComparison.Ordinal) == true && type.Name.EndsWith(tier, StringComparison.Ordinal)))
        {
            foreach (MethodInfo method in kernels.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            {
                RuntimeHelpers.PrepareMethod(method.MethodHandle);
            }
        }
    }

    private static bool IsLost(string instruction) =>
        instruction.StartsWith("call", StringComparison.Ordinal)
        || instruction.Contains("[rsp", StringComparison.Ordinal)
        || instruction.Contains("[rbp", StringComparison.Ordinal);

    private static async Task<string> CompileInChildProcess(SimdTier tier)
    {
        string listing = Path.GetTempFileName();
        try
        {
            var start = new ProcessStartInfo(
                Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
                ["vstest", typeof(JitGuardTests).Assembly.Location, $"--TestCaseFilter:FullyQualifiedName~{nameof(Compile_all_kernels_of_a_tier)}"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            start.Environment[Tier] = tier.ToString();
            start.Environment["DOTNET_TieredCompilation"] = "0";
            start.Environment["DOTNET_JitStdOutFile"] = listing;
            start.Environment["DOTNET_JitDisasm"] = "Scores*Token* Values*Column* Softmax*Column*";
            if (tier == SimdTier.Vector256)
            {
                start.Environment["DOTNET_EnableAVX512"] = "0";
            }

            using Process process = Process.Start(start)!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string output = await process.StandardOutput.ReadToEndAsync() + await errors;
            await process.WaitForExitAsync();
            Assert.True(process.ExitCode == 0, output);
            return await File.ReadAllTextAsync(listing);
        }
        finally
        {
            File.Delete(listing);
        }
    }
}
