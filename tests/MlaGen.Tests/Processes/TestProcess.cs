using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace MlaGen.Tests.Processes;

/// <summary>A child process that runs some of these tests: with other instructions, or where nothing has run before.</summary>
internal static partial class TestProcess
{
    /// <summary>Runs the tests of a filter and gives how many have passed; fails if one fails.</summary>
    /// <param name="filter">As <c>dotnet test --filter</c> takes it.</param>
    /// <param name="environment">What the child sees beside this process's environment; what is null it does not see.</param>
    public static async Task<int> Run(string filter, params (string Name, string? Value)[] environment)
    {
        using Process process = Start(filter, environment);
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync() + await errors;
        await process.WaitForExitAsync();

        Assert.True(process.ExitCode == 0, output);
        return int.Parse(Passed().Match(output).Groups[1].Value, CultureInfo.InvariantCulture);
    }

    /// <summary>Starts the tests of a filter; what they print waits to be read.</summary>
    /// <param name="filter">As <c>dotnet test --filter</c> takes it.</param>
    /// <param name="environment">As for <see cref="Run"/>.</param>
    public static Process Start(string filter, params (string Name, string? Value)[] environment)
    {
        // To list every row of every theory takes longer than the few tests that most children run.
        string[] arguments = ["vstest", typeof(TestProcess).Assembly.Location, $"--TestCaseFilter:{filter}", "--", "xUnit.PreEnumerateTheories=false"];
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach ((string name, string? value) in environment)
        {
            if (value is null)
            {
                start.Environment.Remove(name);
            }
            else
            {
                start.Environment[name] = value;
            }
        }

        return Process.Start(start)!;
    }

    [GeneratedRegex(@"Passed: +(\d+)")]
    private static partial Regex Passed();
}
