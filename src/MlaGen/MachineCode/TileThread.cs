using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// What a thread needs before it uses a tile. From its first one on, a signal's frame holds the tiles: some 11 KB, for which the alternate stack that .NET gives
/// its threads has too little room, and the next null reference on the thread would end the process. So tiles run on an executor's own threads alone,
/// each with a larger alternate stack, and the one before it is put back before the thread ends, since .NET frees the one that it finds.
/// </summary>
internal static partial class TileThread
{
    private const int StackBytes = 64 * 1024;

    [ThreadStatic]
    private static bool _isPrepared;

    [ThreadStatic]
    private static SignalStack _before;

    [ThreadStatic]
    private static nint _memory;

    /// <summary>Whether this thread may use tiles.</summary>
    public static bool IsPrepared => _isPrepared;

    /// <summary>Readies this thread, if it is not ready yet.</summary>
    /// <exception cref="InsufficientMemoryException">The system gives no memory for its signals.</exception>
    public static void Prepare()
    {
        if (_isPrepared)
        {
            return;
        }

        // Below the stack a page that nobody may touch.
        int guard = Environment.SystemPageSize;
        nint memory = ExecutablePages.Reserve(StackBytes + guard);
        if (memory == 0 || !ExecutablePages.MakeWritable(memory + guard, StackBytes))
        {
            throw new InsufficientMemoryException("The system gives no memory for the signals of a thread that uses tiles.");
        }

        var stack = new SignalStack { Start = memory + guard, Bytes = StackBytes };
        if (Exchange(in stack, out _before) != 0)
        {
            ExecutablePages.Release(memory, StackBytes + guard);
            throw new InvalidOperationException($"The system gives a thread that uses tiles no other stack for its signals ({Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}).");
        }

        _memory = memory;
        _isPrepared = true;
    }

    /// <summary>Puts back what was before: the last thing that the thread does.</summary>
    public static void Release()
    {
        if (_isPrepared)
        {
            _isPrepared = false;
            if (Exchange(in _before, out _) == 0)
            {
                ExecutablePages.Release(_memory, StackBytes + Environment.SystemPageSize);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "sigaltstack", SetLastError = true)]
    private static partial int Exchange(in SignalStack stack, out SignalStack before);

    [StructLayout(LayoutKind.Sequential)]
    private struct SignalStack
    {
        public nint Start;
        public int Flags;
        public nint Bytes;
    }
}
