using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>Pinned memory that starts on a cache line, so that full vectors never straddle two. An array of lines: one of elements ends at 2³¹ of them.</summary>
/// <typeparam name="T">Type of an element.</typeparam>
internal sealed class AlignedBuffer<T>
    where T : unmanaged
{
    private readonly CacheLine[] _lines;
    private readonly nint _start;

    public AlignedBuffer(long length)
    {
        _lines = GC.AllocateUninitializedArray<CacheLine>(checked((int)LinesFor(length)), pinned: true);
        nint address = Marshal.UnsafeAddrOfPinnedArrayElement(_lines, 0);
        _start = (CacheLine.Bytes - (address % CacheLine.Bytes)) % CacheLine.Bytes;
        Length = length;
    }

    /// <summary>Elements of the largest buffer.</summary>
    public static long MostLength => (Array.MaxLength - 1L) * CacheLine.Bytes / Unsafe.SizeOf<T>();

    public long Length { get; }

    public ref T Start => ref Unsafe.AddByteOffset(ref Unsafe.As<CacheLine, T>(ref MemoryMarshal.GetArrayDataReference(_lines)), _start);

    /// <summary>A part of the memory.</summary>
    public Span<T> Span(long start, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, Length - length);
        return MemoryMarshal.CreateSpan(ref Unsafe.Add(ref Start, (nint)start), length);
    }

    public void Clear()
    {
        for (long start = 0; start < Length; start += Array.MaxLength)
        {
            Span(start, (int)Math.Min(Array.MaxLength, Length - start)).Clear();
        }
    }

    /// <summary>Lines that hold so many elements wherever the first cache line begins.</summary>
    private static long LinesFor(long length) => (((length * Unsafe.SizeOf<T>()) + CacheLine.Bytes - 1) / CacheLine.Bytes) + 1;

    [StructLayout(LayoutKind.Sequential, Size = Bytes)]
    private struct CacheLine
    {
        public const int Bytes = 64;
    }
}
