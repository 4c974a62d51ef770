using System.Runtime.InteropServices;
using Iced.Intel;

namespace Explorer.Measuring;

/// <summary>A loop of machine code in memory of its own, written once and then executable.</summary>
internal sealed class MachineLoop : IDisposable
{
    private readonly nint _address;
    private readonly int _bytes;
    private readonly Loop _loop;

    /// <param name="code">Takes the number of turns in rdi, by the convention of Linux.</param>
    /// <exception cref="InvalidOperationException">The system gives no such memory.</exception>
    public MachineLoop(Assembler code)
    {
        const int ReadAndWrite = 1 | 2;
        const int ReadAndExecute = 1 | 4;
        const int PrivateAnonymous = 0x02 | 0x20;
        using MemoryStream stream = new();
        code.Assemble(new StreamCodeWriter(stream), rip: 0);
        _bytes = (int)stream.Length;
        _address = Map(0, _bytes, ReadAndWrite, PrivateAnonymous, file: -1, offset: 0);
        if (_address != -1)
        {
            Marshal.Copy(stream.ToArray(), 0, _address, _bytes);
        }

        if (_address == -1 || Protect(_address, _bytes, ReadAndExecute) != 0)
        {
            throw new InvalidOperationException($"The system gives no executable memory ({Marshal.GetLastPInvokeErrorMessage()}).");
        }

        _loop = Marshal.GetDelegateForFunctionPointer<Loop>(_address);
    }

    private delegate void Loop(long turns);

    /// <summary>Whether there is memory for it here.</summary>
    public static bool IsSupported => OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64;

    public void Run(long turns) => _loop(turns);

    public void Dispose() => _ = Unmap(_address, _bytes);

    [DllImport("libc", EntryPoint = "mmap", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint Map(nint address, nint length, int protection, int flags, int file, nint offset);

    [DllImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Protect(nint address, nint length, int protection);

    [DllImport("libc", EntryPoint = "munmap")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Unmap(nint address, nint length);
}
