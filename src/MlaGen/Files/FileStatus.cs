namespace MlaGen.Runtime;

/// <summary>What stands at a path.</summary>
internal enum FileKind
{
    /// <summary>Nothing, or nothing that can be seen from here.</summary>
    Missing,

    /// <summary>Bytes on a disk.</summary>
    Regular,

    /// <summary>A directory.</summary>
    Directory,

    /// <summary>A named pipe: to open it waits for its other end.</summary>
    Pipe,

    /// <summary>A socket.</summary>
    Socket,

    /// <summary>A device: to open it may do anything, and it may never end.</summary>
    Device,

    /// <summary>No bytes: an empty file, or none of those above, where the system does not say which.</summary>
    EmptyOrSpecial,
}

/// <summary>What stands at a path, and whose it is; links are followed. Found without opening anything.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Rights">Who may read and write it, if the system says so.</param>
/// <param name="Owner">User who owns it, if the system says so.</param>
/// <param name="Group">Group that owns it, if the system says so.</param>
internal readonly record struct FileStatus(FileKind Kind, UnixFileMode? Rights = null, uint? Owner = null, uint? Group = null)
{
    /// <summary>Looks at a path.</summary>
    public static FileStatus Of(string path)
    {
        // Mode bits of POSIX, the same on every Unix.
        const int TypeBits = 0xF000;
        const int RightBits = 0x1FF;
        if (!Posix.TryGetStatus(path, out ushort mode, out uint owner, out uint group))
        {
            FileKind guess = Guess(path);
            return new FileStatus(guess, OperatingSystem.IsWindows() || guess != FileKind.Regular ? null : File.GetUnixFileMode(path));
        }

        FileKind kind = (mode & TypeBits) switch
        {
            0x8000 => FileKind.Regular,
            0x4000 => FileKind.Directory,
            0x1000 => FileKind.Pipe,
            0xC000 => FileKind.Socket,
            _ => FileKind.Device,
        };
        return new FileStatus(kind, (UnixFileMode)(mode & RightBits), owner, group);
    }

    /// <summary>How messages call what is no regular file.</summary>
    public string Describe() => Kind switch
    {
        FileKind.Directory => "a directory",
        FileKind.Pipe => "a pipe",
        FileKind.Socket => "a socket",
        FileKind.Device => "a device",
        _ => "empty or no regular file",
    };

    /// <summary>What .NET can tell, which does not know pipes and devices: they have no length.</summary>
    private static FileKind Guess(string path)
    {
        if (Directory.Exists(path))
        {
            return FileKind.Directory;
        }

        var file = new FileInfo(path);
        FileSystemInfo target;
        try
        {
            target = file.LinkTarget is null ? file : file.ResolveLinkTarget(returnFinalTarget: true) ?? file;
        }
        catch (IOException)
        {
            // Links in a circle lead nowhere; whoever opens them is told so.
            return FileKind.Missing;
        }

        return !target.Exists ? FileKind.Missing
            : OperatingSystem.IsWindows() || new FileInfo(target.FullName).Length > 0 ? FileKind.Regular
            : FileKind.EmptyOrSpecial;
    }
}
