using System.Buffers;

namespace MlaGen.Tests.Caching;

/// <summary>Tells whenever the cache's memory is about to be read or written: a place to interrupt a step at, wherever it is.</summary>
internal sealed class ObservedMemoryPool : MemoryPool<byte>
{
    /// <summary>Called on the thread that uses the memory; may throw.</summary>
    public Action? OnUse { get; set; }

    public override int MaxBufferSize => Array.MaxLength;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1) => new Slab(this, minBufferSize);

    protected override void Dispose(bool disposing)
    {
    }

    private sealed class Slab(ObservedMemoryPool pool, int bytes) : MemoryManager<byte>
    {
        private readonly byte[] _array = new byte[bytes];

        public override Span<byte> GetSpan()
        {
            pool.OnUse?.Invoke();
            return _array;
        }

        public override MemoryHandle Pin(int elementIndex = 0) => throw new NotSupportedException("The cache pins nothing.");

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
