using System.Diagnostics;
using System.Globalization;
using System.Text;
using Cluster;
using Cluster.Hosting;
using Cluster.Telling;

namespace MlaGen.Cluster.Tests;

/// <summary>The program as its user sees it.</summary>
public sealed class ProgramTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("mlagen-cluster-test-");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public void A_story_that_was_broken_off_is_told_to_the_same_end()
    {
        string whole = Run("tell", "--silos", "0", "--quiet", "--ignore-end", "--max-tokens", "80", "--directory", _directory.FullName);
        StoryRecord record = StoryRecord.Load(_directory.FullName);
        StoryText text = record.Texts[0];
        int told = text.Draws - 30;
        (record with { Texts = [text with { Tokens = text.Tokens[..^30], Draws = told, Remaining = 30 }] }).Save(_directory.FullName);
        string rest = Run("tell", "--silos", "0", "--quiet", "--ignore-end", "--resume", _directory.FullName);

        Assert.Equal(80, text.Draws);
        Assert.InRange(rest.Length, 10, whole.Length - 10);
        Assert.EndsWith(rest, whole, StringComparison.Ordinal);
    }

    /// <summary>The only silo hangs for good.</summary>
    [Fact]
    public void A_story_whose_silo_hangs_is_broken_off_with_an_error_and_resumed_over_another()
    {
        string whole = Run("tell", "--silos", "0", "--quiet", "--ignore-end", "--max-tokens", "80");
        StringWriter error = new();
        TextWatcher told = new(100, () => Processes.Signal(SiloProcesses(error.ToString()).Single(), "STOP"));
        int exitCode = CommandLine.Run(["tell", "--silos", "1", "--deadline", "1", "--patience", "2", "--ignore-end", "--max-tokens", "80", "--directory", _directory.FullName], told, error);

        Assert.Equal(2, exitCode);
        Assert.Contains("could not be had for 2 s", error.ToString(), StringComparison.Ordinal);
        Assert.Contains($"--resume {_directory.FullName} goes on", error.ToString(), StringComparison.Ordinal);
        string rest = Run("tell", "--silos", "1", "--quiet", "--ignore-end", "--resume", _directory.FullName);
        Assert.Equal(whole, told.ToString()[..^Environment.NewLine.Length] + rest);
    }

    [Fact]
    public void A_run_that_is_killed_leaves_no_process()
    {
        string[] redis = RedisServer.IsInstalled ? ["--use-redis"] : [];
        string[] command = [Path.Combine(AppContext.BaseDirectory, "Cluster.dll"), "tell", "--silos", "2", "--ignore-end", "--max-tokens", "8000", "--directory", _directory.FullName, .. redis];
        using Process run = Process.Start(new ProcessStartInfo("dotnet", command) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        int[] silos = [];
        try
        {
            StringBuilder notes = new();
            while (silos.Length < 2)
            {
                notes.AppendLine(run.StandardError.ReadLine() ?? throw new EndOfStreamException(notes.ToString()));
                silos = SiloProcesses(notes.ToString());
            }

            Assert.All(silos, static silo => Assert.True(Processes.IsRunning(silo)));
            Assert.True(Processes.AnyNames(_directory.FullName));
        }
        finally
        {
            run.Kill();
        }

        Assert.True(SpinWait.SpinUntil(() => !silos.Any(Processes.IsRunning) && !Processes.AnyNames(_directory.FullName), TimeSpan.FromSeconds(20)));
    }

    [Fact]
    public void A_plan_says_where_the_network_binds()
    {
        string plan = Run("plan", "--model", "kimi-k2", "--context", "131072", "--machines", "4");

        Assert.Contains("kimi-k2: 61 layers, 64 heads", plan, StringComparison.Ordinal);
        Assert.Contains("The network binds below", plan, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--silos takes a number from 0 to 64, not '65'", "tell", "--silos", "65")]
    [InlineData("--wire takes one of Float32, BFloat16, not 'half'", "tell", "--wire", "half")]
    [InlineData("--resume and --directory exclude each other", "tell", "--resume", "a", "--directory", "b")]
    [InlineData("holds no stories to go on with", "tell", "--resume", "/nowhere")]
    [InlineData("--model takes one of deepseek-v3,", "plan", "--model", "gpt")]
    public void What_is_wrong_is_said_in_one_line(string problem, params string[] arguments)
    {
        StringWriter output = new();
        StringWriter error = new();
        int exitCode = CommandLine.Run(arguments, output, error);

        Assert.Equal(2, exitCode);
        Assert.Empty(output.ToString());
        Assert.StartsWith("cluster: ", error.ToString(), StringComparison.Ordinal);
        Assert.Contains(problem, error.ToString(), StringComparison.Ordinal);
        Assert.Single(error.ToString().TrimEnd().Split('\n'));
    }

    [Fact]
    public void Stories_of_another_model_are_not_gone_on_with()
    {
        Run("tell", "--silos", "0", "--quiet", "--max-tokens", "3", "--directory", _directory.FullName);
        (StoryRecord.Load(_directory.FullName) with { Model = 1 }).Save(_directory.FullName);
        StringWriter error = new();

        Assert.Equal(2, CommandLine.Run(["tell", "--silos", "0", "--resume", _directory.FullName], TextWriter.Null, error));
        Assert.Contains("stories of another model", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_Redis_server_that_is_not_installed_is_said_to_be_missing()
    {
        string? path = Environment.GetEnvironmentVariable("PATH");
        StringWriter error = new();
        try
        {
            Environment.SetEnvironmentVariable("PATH", _directory.FullName);
            Assert.Equal(2, CommandLine.Run(["tell", "--use-redis"], TextWriter.Null, error));
        }
        finally
        {
            Environment.SetEnvironmentVariable("PATH", path);
        }

        Assert.Contains("redis-server is not installed; Debian has it in the package redis-server", error.ToString(), StringComparison.Ordinal);
    }

    private static int[] SiloProcesses(string notes)
        => [.. notes.Split('\n').Where(static line => line.StartsWith("silo ", StringComparison.Ordinal)).Select(static line => int.Parse(line.Split(": process ")[1], CultureInfo.InvariantCulture))];

    private static string Run(params string[] arguments)
    {
        StringWriter output = new();
        StringWriter error = new();
        Assert.True(CommandLine.Run(arguments, output, error) == 0, error.ToString());
        return output.ToString();
    }

    /// <summary>Takes text, and does something once it has so much.</summary>
    private sealed class TextWatcher(int length, Action action) : StringWriter
    {
        private Action? _action = action;

        public override void Write(char value) => Take(value.ToString());

        public override void Write(string? value) => Take(value ?? string.Empty);

        public override void Write(char[] buffer, int index, int count) => Take(new string(buffer, index, count));

        public override void Write(ReadOnlySpan<char> buffer) => Take(buffer.ToString());

        private void Take(string text)
        {
            GetStringBuilder().Append(text);
            if (GetStringBuilder().Length >= length && Interlocked.Exchange(ref _action, null) is { } once)
            {
                once();
            }
        }
    }
}
