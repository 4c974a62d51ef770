using System.Runtime.InteropServices;

namespace Explorer.Measuring;

/// <summary>
/// Threads that may use AMX's tiles: their signals' frames are larger than .NET's stacks for signals, so each has one of its own until it ends.
/// That the process may use tiles is what the library has asked the system for.
/// </summary>
internal static class TileThreads
{
    private const int StackBytes = 64 * 1024;

    /// <summary>Runs the work once on each of so many new threads, and returns when all have ended.</summary>
    public static void Run(int threads, Action work)
    {
        Thread[] started = [.. Enumerable.Range(0, threads).Select(_ => new Thread(() => RunOnStack(work)))];
        foreach (Thread thread in started)
        {
            thread.Start();
        }

        foreach (Thread thread in started)
        {
            thread.Join();
        }
    }

    private static void RunOnStack(Action work)
    {
        SignalStack stack = new() { Start = Marshal.AllocHGlobal(StackBytes), Bytes = StackBytes };
        if (Exchange(in stack, out SignalStack before) != 0)
        {
            throw new InvalidOperationException($"The system gives a thread no other stack for its signals ({Marshal.GetLastPInvokeErrorMessage()}).");
        }

        work();

        // .NET frees the one that it finds when a thread ends.
        _ = Exchange(in before, out _);
        Marshal.FreeHGlobal(stack.Start);
    }

    [DllImport("libc", EntryPoint = "sigaltstack", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Exchange(in SignalStack stack, out SignalStack before);

    [StructLayout(LayoutKind.Sequential)]
    private struct SignalStack
    {
        public nint Start;
        public int Flags;
        public nint Bytes;
    }
}
