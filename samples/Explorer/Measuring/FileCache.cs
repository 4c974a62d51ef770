using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Explorer.Measuring;

/// <summary>What the system keeps of files in memory: what is read from there says nothing of the disk.</summary>
internal static class FileCache
{
    /// <summary>Has the system forget files, which then come from the disk when they are read. Does nothing on other systems than Linux.</summary>
    /// <param name="directory">The directory of the files.</param>
    /// <param name="pattern">Their names.</param>
    public static void Drop(string directory, string pattern)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        const int DontNeed = 4;
        foreach (string path in Directory.EnumerateFiles(directory, pattern))
        {
            using SafeFileHandle file = File.OpenHandle(path);
            _ = Advise(file, 0, 0, DontNeed);
        }
    }

    [DllImport("libc", EntryPoint = "posix_fadvise64")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Advise(SafeFileHandle file, long offset, long length, int advice);
}
