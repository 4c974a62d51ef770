namespace MlaGen.Chat.Tests.Infrastructure;

/// <summary>A test that needs one of some programs: skipped, with the reason, where none is installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ProgramFactAttribute : FactAttribute
{
    public ProgramFactAttribute(params string[] programs)
    {
        if (PathOf(programs) is null)
        {
            Skip = $"Needs {string.Join(" or ", programs)}, and none is installed.";
        }
    }

    /// <summary>Where the first of some programs that is installed lies, or <see langword="null"/>.</summary>
    public static string? PathOf(params IEnumerable<string> programs) => programs
        .SelectMany(static program => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Select(directory => Path.Combine(directory, program)))
        .FirstOrDefault(File.Exists);
}
