using System.Buffers;

namespace MlaGen.Tests.Caching;

/// <summary>Counts what is out, limits a piece, and refuses one request when told to.</summary>
internal sealed class TestMemoryPool(int maxBufferSize = int.MaxValue) : MemoryPool<byte>
{
    public int Rented { get; private set; }

    public int Outstanding { get; private set; }

    public List<int> Sizes { get; } = [];

    public bool FailNext { get; set; }

    /// <summary>Bytes a piece is shorter than it should be.</summary>
    public int Shortfall { get; set; }

    public override int MaxBufferSize => maxBufferSize;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        if (FailNext)
        {
            FailNext = false;
            throw new InsufficientMemoryException("refused");
        }

        Rented++;
        Outstanding++;
        Sizes.Add(minBufferSize);
        return new Piece(this, minBufferSize - Shortfall);
    }

    protected override void Dispose(bool disposing)
    {
    }

    private sealed class Piece : IMemoryOwner<byte>
    {
        private readonly TestMemoryPool _pool;

        public Piece(TestMemoryPool pool, int bytes)
        {
            _pool = pool;
            byte[] array = new byte[bytes];
            Array.Fill(array, (byte)0xFF); // NaN in every format: nothing may depend on fresh memory.
            Memory = array;
        }

        public Memory<byte> Memory { get; }

        public void Dispose() => _pool.Outstanding--;
    }
}
