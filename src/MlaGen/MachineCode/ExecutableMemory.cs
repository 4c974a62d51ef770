using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// Where machine code lies that the generator assembled: one mapping for all classes of the process, whose pages are written once, then made
/// executable, and never both. A system or a policy that refuses such memory is no error: managed cores run.
/// </summary>
internal static class ExecutableMemory
{
    /// <summary>The switch that refuses it: for policies, and for tests.</summary>
    public const string Switch = "MlaGen.DisableMachineCode";

    /// <summary>Room for the routines of some fifty classes; what is not written to takes no memory. More is reserved when it is full.</summary>
    private const int ReservedBytes = 1 << 20;

    /// <summary>Before each routine, so that it begins on a cache line of its own.</summary>
    private const int Alignment = 64;

    private static readonly Lock _lock = new();
    private static nint _next;
    private static nint _end;
    private static string? _refusal;

    /// <summary>Whether the application has switched machine code off.</summary>
    public static bool IsSwitchedOff => AppContext.TryGetSwitch(Switch, out bool off) && off;

    /// <summary>Puts routines where they can run. They stay until the process ends.</summary>
    /// <param name="routines">The routines.</param>
    /// <param name="addresses">Takes where each of them begins.</param>
    /// <returns>Why the system refuses, or null if they are there.</returns>
    public static string? TryWrite(ReadOnlySpan<byte[]> routines, Span<nint> addresses)
    {
        if (IsSwitchedOff)
        {
            return $"the application has switched machine code off ({Switch})";
        }

        using (Uninterrupted.Hold(_lock))
        {
            // A system that has refused once is not asked again: every cache would wait for it.
            return _refusal ??= TryWriteHeld(routines, addresses);
        }
    }

    private static string? TryWriteHeld(ReadOnlySpan<byte[]> routines, Span<nint> addresses)
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64 || !(OperatingSystem.IsLinux() || OperatingSystem.IsWindows()))
        {
            return "machine code is assembled for Linux and Windows on x64 alone";
        }

        int length = 0;
        foreach (byte[] routine in routines)
        {
            length = Aligned(length, Alignment) + routine.Length;
        }

        length = Aligned(length, Environment.SystemPageSize);
        if (_end - _next < length)
        {
            int reserved = Math.Max(length, ReservedBytes);
            _next = ExecutablePages.Reserve(reserved);
            _end = _next == 0 ? 0 : _next + reserved;
            if (_next == 0)
            {
                return $"the system gives no memory for machine code ({Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())})";
            }
        }

        if (!ExecutablePages.MakeWritable(_next, length))
        {
            return $"the system gives no memory for machine code ({Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())})";
        }

        int start = 0;
        for (int i = 0; i < routines.Length; i++)
        {
            start = Aligned(start, Alignment);
            addresses[i] = _next + start;
            Marshal.Copy(routines[i], 0, addresses[i], routines[i].Length);
            start += routines[i].Length;
        }

        if (!ExecutablePages.MakeExecutable(_next, length))
        {
            return $"the system lets no memory that was written to be executed ({Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())})";
        }

        _next += length;
        return null;
    }

    private static int Aligned(int length, int to) => (length + to - 1) / to * to;
}
