using System.Diagnostics;

namespace MlaGen.Cluster.Tests;

/// <summary>Processes of the system that tests stop, let go on, and look for.</summary>
internal static class Processes
{
    public static void Signal(int process, string signal)
    {
        using Process kill = Process.Start("sh", ["-c", FormattableString.Invariant($"kill -{signal} {process}")]);
        kill.WaitForExit();
        Assert.Equal(0, kill.ExitCode);
    }

    public static bool IsRunning(int process)
    {
        try
        {
            using Process found = Process.GetProcessById(process);
            return !found.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    /// <summary>Whether the command of any process has a text in it.</summary>
    public static bool AnyNames(string text) => Directory.EnumerateDirectories("/proc").Any(process =>
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline")).Contains(text, StringComparison.Ordinal);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    });
}
