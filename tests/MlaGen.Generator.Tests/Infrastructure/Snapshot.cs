using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;

namespace MlaGen.Generator.Tests.Infrastructure;

/// <summary>
/// Compares emitted files with the ones in Snapshots, by the file conventions of Verify.SourceGenerators: <c>Class.Method#Hint.g.verified.cs</c>,
/// whose first line is the hint name, and <c>.received.cs</c> for what differs. Moving to Verify is a change of this file alone.
/// </summary>
internal static partial class Snapshot
{
    /// <summary>Set to 1 to take what is emitted as verified.</summary>
    public const string AcceptVariable = "MLAGEN_ACCEPT_SNAPSHOTS";

    private const string Verified = ".verified.cs";
    private const string Received = ".received.cs";

    /// <param name="result">What was emitted.</param>
    /// <param name="only">Hint names of the files to compare; null for all.</param>
    /// <param name="file">The test's file.</param>
    /// <param name="method">The test.</param>
    public static void Verify(GeneratorRunResult result, Func<string, bool>? only = null, [CallerFilePath] string file = "", [CallerMemberName] string method = "")
        => Verify(
            Path.Combine(TestProject.Directory, "Snapshots"),
            $"{Path.GetFileNameWithoutExtension(file)}.{method}",
            result.GeneratedSources.Where(source => only?.Invoke(source.HintName) ?? true).Select(static source => (source.HintName, source.SourceText.ToString())),
            Environment.GetEnvironmentVariable(AcceptVariable) == "1");

    internal static void Verify(string directory, string test, IEnumerable<(string HintName, string Text)> emitted, bool accept)
    {
        Directory.CreateDirectory(directory);
        HashSet<string> stale = [.. Directory.EnumerateFiles(directory, test + "#*" + Verified)];
        foreach (string leftover in Directory.EnumerateFiles(directory, test + "#*" + Received))
        {
            File.Delete(leftover);
        }

        StringBuilder differences = new();
        foreach ((string hintName, string text) in emitted)
        {
            string path = Path.Combine(directory, $"{test}#{Path.GetFileNameWithoutExtension(hintName)}");
            string actual = $"//HintName: {hintName}\n{VersionOfThePackage().Replace(text, "GeneratedCode(\"MlaGen\", \"{Version}\")")}";
            stale.Remove(path + Verified);
            if (accept)
            {
                File.WriteAllText(path + Verified, actual);
            }
            else if (!File.Exists(path + Verified))
            {
                File.WriteAllText(path + Received, actual);
                differences.AppendLine($"{path + Verified} does not exist.");
            }
            else if (File.ReadAllText(path + Verified) is string expected && expected != actual)
            {
                File.WriteAllText(path + Received, actual);
                differences.AppendLine($"{path + Verified} differs{FirstDifference(expected, actual)}");
            }
        }

        foreach (string path in stale)
        {
            if (accept)
            {
                File.Delete(path);
            }
            else
            {
                differences.AppendLine($"{path} is no longer emitted.");
            }
        }

        if (differences.Length > 0)
        {
            Assert.Fail($"{differences}If this is as it should be, accept it: {AcceptVariable}=1 dotnet test tests/MlaGen.Generator.Tests");
        }
    }

    /// <summary>A release changes it in every file, and no reviewer wants to see it.</summary>
    [GeneratedRegex(@"GeneratedCode\(""MlaGen"", ""[0-9.]+""\)")]
    private static partial Regex VersionOfThePackage();

    private static string FirstDifference(string expected, string actual)
    {
        string[] before = expected.Split('\n');
        string[] after = actual.Split('\n');
        int line = before.Zip(after).TakeWhile(static pair => pair.First == pair.Second).Count();
        return $" from line {line + 1} on:\n{Excerpt('-', before)}{Excerpt('+', after)}";

        string Excerpt(char sign, string[] lines) => string.Concat(lines.Skip(line).Take(5).Select(text => $"{sign} {text}\n"));
    }
}
