using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Cluster.Links;

/// <summary>A network device of Linux whose packets this program reads and writes. It goes with its network namespace.</summary>
internal sealed class TunDevice : IDisposable
{
    /// <summary>Bytes of a device's name, with its end, and of the request that makes one.</summary>
    private const int NameBytes = 16, RequestBytes = 40;

    /// <summary>TUNSETIFF, of IFF_TUN and IFF_NO_PI: packets of the internet protocol, and nothing before them.</summary>
    private const nuint SetInterface = 0x400454CA;

    private const short PlainPackets = 0x0001 | 0x1000;

    private readonly FileStream _file;

    /// <exception cref="IOException">It cannot be made.</exception>
    public TunDevice(string name)
    {
        byte[] request = new byte[RequestBytes];
        BitConverter.TryWriteBytes(request.AsSpan(NameBytes), PlainPackets);
        if (!Encoding.ASCII.TryGetBytes(name, request.AsSpan(0, NameBytes - 1), out _))
        {
            throw new IOException($"a device's name has at most {NameBytes - 1} letters; '{name}' has {name.Length}");
        }

        _file = new FileStream("/dev/net/tun", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
        if (Control(_file.SafeFileHandle, SetInterface, request) < 0)
        {
            string problem = new Win32Exception().Message;
            _file.Dispose();
            throw new IOException($"the device {name} cannot be made: {problem}");
        }
    }

    /// <summary>Its number for <see cref="Waiting"/>.</summary>
    public int Descriptor => (int)_file.SafeFileHandle.DangerousGetHandle();

    /// <summary>Takes one packet that has been sent to the device.</summary>
    public int Read(Span<byte> packet) => _file.Read(packet);

    /// <summary>Lets one packet come out of it.</summary>
    public void Write(ReadOnlySpan<byte> packet) => _file.Write(packet);

    public void Dispose() => _file.Dispose();

    [DllImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Control(SafeFileHandle file, nuint command, byte[] request);
}
