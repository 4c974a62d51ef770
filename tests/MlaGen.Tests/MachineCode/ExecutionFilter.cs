using System.Runtime.InteropServices;

namespace MlaGen.Tests.MachineCode;

/// <summary>
/// What a hardened container does, for the rest of this process: a filter of system calls that lets no memory become executable which was mapped without that.
/// The runtime's own compiler still works where it maps memory that is writable and executable at once (<c>DOTNET_EnableWriteXorExecute=0</c>).
/// </summary>
internal static class ExecutionFilter
{
    private const int RefusedWith = 13;

    public static bool IsSupported => OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>Sets it for all threads; there is no way back.</summary>
    public static void Set()
    {
        const uint X64 = 0xC000003E;
        const uint Protect = 10;
        const uint ReadAndExecute = 1 | 4;
        const uint Refuse = 0x00050000 | RefusedWith;
        const uint Allow = 0x7FFF0000;
        const int NoNewPrivileges = 38;
        const nint SetFilter = 1;
        const nint AllThreads = 1;

        // Words of the call that is judged: its number, the processor, and the third argument.
        const uint Number = 0;
        const uint Processor = 4;
        const uint Protection = 32;
        Step[] steps =
        [
            Load(Processor), UnlessEqual(X64, skip: 5),
            Load(Number), UnlessEqual(Protect, skip: 3),
            Load(Protection), UnlessEqual(ReadAndExecute, skip: 1),
            Return(Refuse),
            Return(Allow),
        ];
        GCHandle pinned = GCHandle.Alloc(steps, GCHandleType.Pinned);
        var program = new Program { Length = (ushort)steps.Length, Steps = pinned.AddrOfPinnedObject() };
        Assert.Equal(0, Control(NoNewPrivileges, 1, 0, 0, 0));
        Assert.Equal(0, Call(number: 317, SetFilter, AllThreads, in program));
        pinned.Free();
    }

    private static Step Load(uint offset) => new() { Code = 0x20, Value = offset };

    private static Step UnlessEqual(uint value, byte skip) => new() { Code = 0x15, Value = value, Unless = skip };

    private static Step Return(uint value) => new() { Code = 0x06, Value = value };

    [DllImport("libc", EntryPoint = "prctl", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Control(int option, nint first, nint second, nint third, nint fourth);

    // The C library has no name for seccomp.
    [DllImport("libc", EntryPoint = "syscall", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint Call(nint number, nint operation, nint flags, in Program program);

    [StructLayout(LayoutKind.Sequential)]
    private struct Step
    {
        public ushort Code;
        public byte If;
        public byte Unless;
        public uint Value;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Program
    {
        public ushort Length;
        public nint Steps;
    }
}
