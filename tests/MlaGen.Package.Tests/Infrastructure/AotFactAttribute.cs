namespace MlaGen.Package.Tests.Infrastructure;

/// <summary>A test that compiles to native code: skipped, with the reason, where no linker is installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class AotFactAttribute : FactAttribute
{
    private static readonly string[] _linkers = ["clang", "gcc"];

    public AotFactAttribute()
    {
        if (OperatingSystem.IsLinux() && !_linkers.Any(IsInstalled))
        {
            Skip = "NativeAOT links with clang or gcc, and neither is installed.";
        }
    }

    private static bool IsInstalled(string program)
        => (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(Path.PathSeparator).Any(directory => File.Exists(Path.Combine(directory, program)));
}
