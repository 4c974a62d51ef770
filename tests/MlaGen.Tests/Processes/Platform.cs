using System.Runtime.InteropServices;
using MlaGen.Runtime;

namespace MlaGen.Tests.Processes;

/// <summary>What a test may need of the system that it runs on.</summary>
public enum Platform
{
    /// <summary>Permissions, pipes and links as Unix has them.</summary>
    Unix,

    /// <summary>The system calls of <see cref="Posix"/>.</summary>
    Posix,

    /// <summary>Linux with what it shows below /proc.</summary>
    Linux,
}

/// <summary>Reasons not to run a test here.</summary>
internal static class Platforms
{
    /// <summary>Why a test is skipped on this system, if it is.</summary>
    public static string? Objection(Platform platform)
    {
        bool has = platform switch
        {
            Platform.Unix => !OperatingSystem.IsWindows(),
            Platform.Posix => Posix.IsSupported,
            _ => OperatingSystem.IsLinux(),
        };
        return has ? null : $"Not run: it is about {platform}, and this is {RuntimeInformation.OSDescription}.";
    }
}
