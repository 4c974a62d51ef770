using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>The system's calls about pages: reserved without any access, made writable, then executable.</summary>
internal static partial class ExecutablePages
{
    private const string Posix = "libc";
    private const string Windows = "kernel32.dll";

    /// <summary>Reserves addresses; 0 if there are none. The reason is the last P/Invoke error.</summary>
    public static nint Reserve(nint length)
    {
        if (OperatingSystem.IsWindows())
        {
            const uint Reserve = 0x2000;
            const uint NoAccess = 0x01;
            return VirtualAlloc(0, length, Reserve, NoAccess);
        }

        const int NoProtection = 0;
        const int PrivateAnonymous = 0x02 | 0x20;
        nint address = Map(0, length, NoProtection, PrivateAnonymous, file: -1, offset: 0);
        return address == -1 ? 0 : address;
    }

    public static bool MakeWritable(nint address, nint length)
    {
        if (OperatingSystem.IsWindows())
        {
            const uint Commit = 0x1000;
            const uint ReadWrite = 0x04;
            return VirtualAlloc(address, length, Commit, ReadWrite) != 0;
        }

        const int ReadAndWrite = 1 | 2;
        return Protect(address, length, ReadAndWrite) == 0;
    }

    /// <summary>From here on the pages cannot be written to.</summary>
    public static bool MakeExecutable(nint address, nint length)
    {
        if (OperatingSystem.IsWindows())
        {
            const uint ExecuteRead = 0x20;
            return VirtualProtect(address, length, ExecuteRead, out _) && FlushInstructionCache(CurrentProcess, address, length);
        }

        const int ReadAndExecute = 1 | 4;
        return Protect(address, length, ReadAndExecute) == 0;
    }

    // What GetCurrentProcess gives.
    private static nint CurrentProcess => -1;

    /// <summary>Gives reserved addresses back.</summary>
    public static void Release(nint address, nint length)
    {
        if (OperatingSystem.IsWindows())
        {
            const uint ReleaseAll = 0x8000;
            _ = VirtualFree(address, 0, ReleaseAll);
            return;
        }

        _ = Unmap(address, length);
    }

    [LibraryImport(Posix, EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nint length);

    [LibraryImport(Windows)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool VirtualFree(nint address, nint length, uint type);

    [LibraryImport(Posix, EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nint length, int protection, int flags, int file, nint offset);

    [LibraryImport(Posix, EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(nint address, nint length, int protection);

    [LibraryImport(Windows, SetLastError = true)]
    private static partial nint VirtualAlloc(nint address, nint length, uint type, uint protection);

    [LibraryImport(Windows, SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool VirtualProtect(nint address, nint length, uint protection, out uint previous);

    [LibraryImport(Windows, SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool FlushInstructionCache(nint process, nint address, nint length);
}
