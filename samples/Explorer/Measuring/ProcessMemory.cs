using System.Diagnostics;
using System.Globalization;

namespace Explorer.Measuring;

/// <summary>What the system says of this process's memory, in bytes.</summary>
/// <param name="Peak">The most that was resident at a time, pages of mapped files among them; not what the system keeps of files that are read.</param>
/// <param name="Anonymous">What is resident now beside files.</param>
/// <param name="File">What is resident now of mapped files.</param>
internal readonly record struct ProcessMemory(long Peak, long? Anonymous, long? File)
{
    public static ProcessMemory Now
    {
        get
        {
            const string Status = "/proc/self/status";
            if (!OperatingSystem.IsLinux())
            {
                return new ProcessMemory(Process.GetCurrentProcess().PeakWorkingSet64, null, null);
            }

            string[] lines = System.IO.File.ReadAllLines(Status);
            return new ProcessMemory(Kilobytes("VmHWM:"), Kilobytes("RssAnon:"), Kilobytes("RssFile:"));

            long Kilobytes(string key) => 1024 * long.Parse(lines.Single(line => line.StartsWith(key, StringComparison.Ordinal))[key.Length..^2].Trim(), CultureInfo.InvariantCulture);
        }
    }
}
