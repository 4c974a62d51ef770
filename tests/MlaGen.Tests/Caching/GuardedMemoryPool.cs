using System.Buffers;
using MlaGen.Tests.Caching.Formats;

namespace MlaGen.Tests.Caching;

/// <summary>Slabs with nothing behind them, filled with one byte: whatever reads beyond one ends the process, and whatever reads what nobody wrote shows.</summary>
/// <param name="maxBufferSize">Bytes of the largest slab: the smaller, the more pages lie before an end.</param>
/// <param name="fill">What fresh memory is full of.</param>
internal sealed class GuardedMemoryPool(int maxBufferSize, byte fill) : MemoryPool<byte>
{
    public override int MaxBufferSize => maxBufferSize;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        var memory = new GuardedMemory(minBufferSize);
        memory.GetSpan().Fill(fill);
        return memory;
    }

    protected override void Dispose(bool disposing)
    {
    }
}
