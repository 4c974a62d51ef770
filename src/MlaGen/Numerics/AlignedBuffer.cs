using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>Pinned memory that starts on a cache line, so that full vectors never straddle two.</summary>
/// <typeparam name="T">Type of an element.</typeparam>
internal sealed class AlignedBuffer<T>
    where T : unmanaged
{
    private const int CacheLine = 64;

    /// <summary>Elements that are taken beyond those asked for.</summary>
    public static readonly int Slack = CacheLine / Unsafe.SizeOf<T>();

    private readonly T[] _array;
    private readonly int _start;

    public AlignedBuffer(int length)
    {
        _array = GC.AllocateUninitializedArray<T>(checked(length + Slack), pinned: true);
        nint address = Marshal.UnsafeAddrOfPinnedArrayElement(_array, 0);
        _start = (int)(((CacheLine - (address % CacheLine)) % CacheLine) / Unsafe.SizeOf<T>());
        Length = length;
    }

    public int Length { get; }

    public Span<T> Span => _array.AsSpan(_start, Length);

    public ref T Start => ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_array), _start);
}
