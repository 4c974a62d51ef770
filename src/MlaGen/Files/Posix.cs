using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace MlaGen.Runtime;

/// <summary>
/// The few calls of Linux and macOS for which .NET 10 has no counterpart: to ask what a file is, to open one without waiting, to give one away and
/// to flush a directory. Nothing here changes a layout or a flag that the system's binary interface could still change.
/// </summary>
internal static partial class Posix
{
    private const string Library = "libc";

    // Of 64-bit processes alone: in others "open" refuses large files.
    private static readonly bool _isLinux = OperatingSystem.IsLinux() && Environment.Is64BitProcess;
    private static readonly bool _isMacOS = OperatingSystem.IsMacOS();

    /// <summary>Whether these calls can be made here.</summary>
    public static bool IsSupported => _isLinux || _isMacOS;

    /// <summary>Asks what a path leads to.</summary>
    /// <returns>Whether there is an answer; if not, there is no file or no way to it, or the system lets nobody ask.</returns>
    public static bool TryGetStatus(string path, out ushort mode, out uint owner, out uint group)
    {
        // The largest struct of these is 256 bytes long. Offsets of struct statx are the same on every processor, those of struct stat are macOS's.
        Span<byte> status = stackalloc byte[512];
        (int found, int modeAt, int ownerAt) = (-1, 0, 0);
        path = Path.GetFullPath(path);
        try
        {
            if (_isLinux)
            {
                const int WorkingDirectory = -100;
                const uint TypeModeOwnerGroup = 0x1 | 0x2 | 0x8 | 0x10;
                (found, modeAt, ownerAt) = (StatX(WorkingDirectory, path, 0, TypeModeOwnerGroup, ref MemoryMarshal.GetReference(status)), 28, 20);
            }
            else if (_isMacOS)
            {
                ref byte start = ref MemoryMarshal.GetReference(status);
                (found, modeAt, ownerAt) = (RuntimeInformation.ProcessArchitecture == Architecture.X64 ? StatX64(path, ref start) : Stat(path, ref start), 4, 16);
            }
        }
        catch (EntryPointNotFoundException)
        {
            // A C library older than the call.
        }

        mode = BinaryPrimitives.ReadUInt16LittleEndian(status[modeAt..]);
        owner = BinaryPrimitives.ReadUInt32LittleEndian(status[ownerAt..]);
        group = BinaryPrimitives.ReadUInt32LittleEndian(status[(ownerAt + sizeof(uint))..]);
        return found == 0;
    }

    /// <summary>Opens a file for reading. Does not wait where the file turns out to be a pipe.</summary>
    public static SafeFileHandle OpenForReading(string path)
    {
        const int LinuxNonblockCloseNoTerminal = 0x800 | 0x80000 | 0x100;
        const int MacNonblockCloseNoTerminal = 0x4 | 0x1000000 | 0x20000;
        const int Missing = 2;
        const int Interrupted = 4;
        const int Denied = 13;

        // The path that .NET means: it takes ".." by name, and refuses a zero, at which C's strings end.
        path = Path.GetFullPath(path);
        while (true)
        {
            SafeFileHandle handle = Open(path, _isLinux ? LinuxNonblockCloseNoTerminal : MacNonblockCloseNoTerminal);
            if (!handle.IsInvalid)
            {
                return handle;
            }

            int error = Marshal.GetLastPInvokeError();
            handle.Dispose();
            if (error != Interrupted)
            {
                string problem = $"{path}: {Marshal.GetPInvokeErrorMessage(error)}";
                throw error switch
                {
                    Missing => new FileNotFoundException(problem, path),
                    Denied => new UnauthorizedAccessException(problem),
                    _ => new IOException(problem),
                };
            }
        }
    }

    /// <summary>Writes the names in a directory to the disk. Does nothing where the directory may not be read, or on other systems.</summary>
    public static void FlushDirectory(string path)
    {
        if (IsSupported)
        {
            try
            {
                using SafeFileHandle directory = OpenForReading(path);
                RandomAccess.FlushToDisk(directory);
            }
            catch (UnauthorizedAccessException)
            {
                // Names may be written to it, but not read.
            }
        }
    }

    /// <summary>Gives a file to a user and a group, or at least to the group.</summary>
    /// <returns>Whether it is the group's now.</returns>
    public static bool Give(SafeFileHandle file, uint owner, uint group)
    {
        const uint Unchanged = uint.MaxValue;
        return ChangeOwner(file, owner, group) == 0 || ChangeOwner(file, Unchanged, group) == 0;
    }

    // Variadic, but nothing is passed beyond what is declared.
    [LibraryImport(Library, EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial SafeFileHandle Open(string path, int flags);

    [LibraryImport(Library, EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int directory, string path, int flags, uint mask, ref byte status);

    [LibraryImport(Library, EntryPoint = "stat", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Stat(string path, ref byte status);

    [LibraryImport(Library, EntryPoint = "stat$INODE64", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX64(string path, ref byte status);

    [LibraryImport(Library, EntryPoint = "fchown")]
    private static partial int ChangeOwner(SafeFileHandle file, uint owner, uint group);
}
