using System.Buffers;
using System.Runtime.InteropServices;

namespace MlaGen;

/// <summary>The default source of slabs: pinned arrays that begin at a cache line. Safe for any number of threads.</summary>
internal sealed class AlignedMemoryPool : MemoryPool<byte>
{
    public const int Alignment = 64;

    public static AlignedMemoryPool Instance { get; } = new();

    public override int MaxBufferSize => Array.MaxLength - (Alignment - 1);

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(minBufferSize);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, MaxBufferSize);
        return new Slab(minBufferSize);
    }

    protected override void Dispose(bool disposing)
    {
    }

    private sealed class Slab : IMemoryOwner<byte>
    {
        public Slab(int bytes)
        {
            byte[] array = GC.AllocateUninitializedArray<byte>(bytes + Alignment - 1, pinned: true);
            int misaligned = (int)(Marshal.UnsafeAddrOfPinnedArrayElement(array, 0) & (Alignment - 1));
            Memory = array.AsMemory((Alignment - misaligned) & (Alignment - 1), bytes);
        }

        public Memory<byte> Memory { get; private set; }

        public void Dispose() => Memory = default;
    }
}
