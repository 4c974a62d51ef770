using System.Text.RegularExpressions;
using Storyteller;

namespace MlaGen.Tests.Storyteller;

/// <summary>The program as its user sees it.</summary>
internal static partial class StoryProgram
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

    /// <summary>Runs the program, which must tell several stories, each under a line that says which it is.</summary>
    public static (string Heading, string Text)[] TellSeveral(params string[] arguments)
    {
        string[] parts = Heading().Split(Tell(arguments));
        Assert.Empty(parts[0]);
        (string Heading, string Text)[] stories = [.. parts[1..].Chunk(2).Select(static part => (part[0], part[1]))];

        // What follows a story is the end of its line.
        return [.. stories.Select((story, i) => i == stories.Length - 1 ? story : (story.Heading, story.Text[..^Environment.NewLine.Length]))];
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

    [GeneratedRegex("^(--- [0-9]+ of [0-9]+: .*)\r?\n", RegexOptions.Multiline)]
    private static partial Regex Heading();
}
