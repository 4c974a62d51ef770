using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Tests.Caching.Formats;

/// <summary>Memory whose last byte is the last of a page, with nothing behind it: to touch that ends the process. An array elsewhere than on Linux.</summary>
internal sealed class GuardedMemory : MemoryManager<byte>
{
    private const int None = 0;
    private const int ReadWrite = 3;
    private const int PrivateAnonymous = 0x22;

    private readonly byte[] _array = [];
    private readonly int _mapped;
    private readonly int _bytes;
    private nint _mapping;

    public GuardedMemory(int bytes)
    {
        _bytes = bytes;
        if (!OperatingSystem.IsLinux())
        {
            _array = new byte[bytes];
            return;
        }

        int page = Environment.SystemPageSize;
        int usable = (bytes + page - 1) / page * page;
        _mapped = usable + page;
        _mapping = Map(0, _mapped, ReadWrite, PrivateAnonymous, -1, 0);
        Assert.NotEqual(-1, _mapping);
        Assert.Equal(0, Protect(_mapping + usable, page, None));
    }

    public override Span<byte> GetSpan() => _mapped == 0
        ? _array
        : MemoryMarshal.CreateSpan(ref Unsafe.AddByteOffset(ref Unsafe.NullRef<byte>(), _mapping + _mapped - Environment.SystemPageSize - _bytes), _bytes);

    public override MemoryHandle Pin(int elementIndex = 0) => throw new NotSupportedException("The memory does not move: there is nothing to pin.");

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
        if (_mapping != 0)
        {
            Assert.Equal(0, Unmap(_mapping, _mapped));
            _mapping = 0;
        }
    }

    [DllImport("libc", EntryPoint = "mmap", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint Map(nint address, nint length, int protection, int flags, int file, nint offset);

    [DllImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Protect(nint address, nint length, int protection);

    [DllImport("libc", EntryPoint = "munmap", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Unmap(nint address, nint length);
}
