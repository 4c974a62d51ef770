using Storyteller;

namespace MlaGen.Tests.Storyteller;

/// <summary>The program as its user sees it.</summary>
internal static class StoryProgram
{
    public static (int ExitCode, string Output, string Error) Run(params string[] arguments)
    {
        StringWriter output = new();
        StringWriter error = new();
        int exitCode = CommandLine.Run(arguments, output, error);
        return (exitCode, output.ToString(), error.ToString());
    }

    /// <summary>Runs the program, which must print a result and nothing else.</summary>
    public static string Tell(params string[] arguments)
    {
        (int exitCode, string output, string error) = Run(["--quiet", .. arguments]);

        Assert.Empty(error);
        Assert.Equal(0, exitCode);
        return output;
    }

    /// <summary>Runs the program, which must print nothing but one line that names the problem.</summary>
    public static void AssertFails(string problem, params string[] arguments)
    {
        (int exitCode, string output, string error) = Run(arguments);

        Assert.Equal(2, exitCode);
        Assert.Empty(output);
        Assert.Contains(problem, error, StringComparison.Ordinal);
        Assert.StartsWith("storyteller: ", error, StringComparison.Ordinal);
        Assert.EndsWith(Environment.NewLine, error, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.AsSpan(0, error.Length - Environment.NewLine.Length).ToString());
    }
}
