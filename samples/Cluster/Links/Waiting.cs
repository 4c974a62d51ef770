using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Cluster.Links;

/// <summary>Waits for packets, or for a moment that is closer than a thread's sleep can be told.</summary>
internal sealed class Waiting(IReadOnlyList<TunDevice> devices)
{
    private const short Readable = 0x0001;
    private const int Interrupted = 4;

    private readonly Wanted[] _wanted = [.. devices.Select(static device => new Wanted { Descriptor = device.Descriptor, Events = Readable })];

    /// <summary>Whether a device has a packet to read, or is gone, since <see cref="For"/>.</summary>
    public bool Has(int device) => _wanted[device].Found != 0;

    /// <param name="time">The longest wait.</param>
    public void For(TimeSpan time)
    {
        Moment limit = new() { Seconds = (nint)(time.Ticks / TimeSpan.TicksPerSecond), Nanoseconds = (nint)(time.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick) };
        if (Poll(_wanted, (nuint)_wanted.Length, limit, 0) < 0 && Marshal.GetLastPInvokeError() != Interrupted)
        {
            throw new IOException($"devices cannot be waited for: {new Win32Exception().Message}");
        }
    }

    [DllImport("libc", EntryPoint = "ppoll", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Poll([In][Out] Wanted[] wanted, nuint count, in Moment limit, nint signals);

    [StructLayout(LayoutKind.Sequential)]
    private struct Wanted
    {
        public int Descriptor;
        public short Events;
        public short Found;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Moment
    {
        public nint Seconds;
        public nint Nanoseconds;
    }
}
