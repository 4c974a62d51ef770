using System.Diagnostics;

namespace MlaGen.Package.Tests.Infrastructure;

/// <summary>What a command said and how it ended.</summary>
internal sealed record CommandResult(string Command, int ExitCode, string Output)
{
    public string[] Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    public CommandResult Succeeds()
    {
        Assert.True(ExitCode == 0, $"{Command} ended with {ExitCode}:\n{Output}");
        return this;
    }

    public CommandResult Fails()
    {
        Assert.True(ExitCode != 0, $"{Command} succeeded:\n{Output}");
        return this;
    }

    /// <summary>The one line of the output that has all of these words; MSBuild repeats what it reports in its summary.</summary>
    public string Line(params string[] words)
    {
        string[] lines = [.. Lines.Where(line => words.All(word => line.Contains(word, StringComparison.Ordinal))).Distinct()];
        Assert.True(lines.Length == 1, $"{lines.Length} lines with {string.Join(" and ", words)} in the output of {Command}:\n{Output}");
        return lines[0];
    }
}

/// <summary>Runs commands as a user would in a terminal.</summary>
internal static class Dotnet
{
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(5);

    public static CommandResult Run(string directory, params string[] arguments) => Start("dotnet", directory, arguments);

    public static CommandResult Start(string program, string directory, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        // What the dotnet that runs these tests tells its own children is not what a terminal would.
        foreach (string name in start.Environment.Keys.Where(static name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToArray())
        {
            start.Environment.Remove(name);
        }

        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        start.Environment["DOTNET_CLI_UI_LANGUAGE"] = "en";
        start.Environment["DOTNET_NOLOGO"] = "1";
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(_patience))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{program} {string.Join(' ', arguments)} did not end within {_patience.TotalMinutes} minutes.");
        }

        return new CommandResult($"{program} {string.Join(' ', arguments)}", process.ExitCode, output.GetAwaiter().GetResult() + error.GetAwaiter().GetResult());
    }
}
