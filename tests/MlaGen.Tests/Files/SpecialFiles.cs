using System.Diagnostics;
using System.Net.Sockets;

namespace MlaGen.Tests.Files;

/// <summary>What can stand at a path and is no regular file.</summary>
internal static class SpecialFiles
{
    /// <summary>Longer than anything takes here that does not wait for the other end of a pipe.</summary>
    private static readonly TimeSpan _forEver = TimeSpan.FromMinutes(1);

    /// <summary>Its kinds, by the words that messages call them; Windows has directories only.</summary>
    public static TheoryData<string> Kinds => OperatingSystem.IsWindows() ? ["a directory"] : ["a directory", "a pipe", "a socket", "a device"];

    /// <summary>Puts one at a path, or a link to it.</summary>
    public static void Make(string kind, string path, bool behindLink = false)
    {
        string target = behindLink ? path + ".target" : path;
        if (behindLink)
        {
            File.CreateSymbolicLink(path, Path.GetFileName(target));
        }

        switch (kind)
        {
            case "a directory":
                Directory.CreateDirectory(target);
                break;
            case "a pipe":
                MakePipe(target);
                break;
            case "a socket":
                using (var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
                {
                    // .NET takes the name away with the socket, but not another; other programs leave theirs.
                    socket.Bind(new UnixDomainSocketEndPoint(target + "~"));
                    File.Move(target + "~", target);
                }

                break;
            case "a device":
                // The system's own is not for a process that could replace it; another process could not make one.
                if (OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess)
                {
                    Run("mknod", target, "c", "1", "7");
                }
                else
                {
                    File.CreateSymbolicLink(target, OperatingSystem.IsLinux() ? "/dev/full" : "/dev/null");
                }

                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(kind), kind, "No such kind.");
        }
    }

    public static void MakePipe(string path) => Run("mkfifo", path);

    /// <summary>Runs something that fails at once; to wait for ever is what would be wrong.</summary>
    public static async Task<TException> Throws<TException>(Action action)
        where TException : Exception
        => await Assert.ThrowsAsync<TException>(() => Task.Factory.StartNew(action, TaskCreationOptions.LongRunning).WaitAsync(_forEver));

    private static void Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(program, arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
