using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace MlaGen;

/// <summary>
/// The cached tokens of one text: a table of pages and the number of tokens in them, for all layers at once. What the field calls a
/// block table; transformers' <c>DynamicCache</c> plays this part there. Created by <see cref="LatentCache{TAttention}.CreateSequence"/>.
/// </summary>
/// <remarks>
/// Thread safety: any number of sequences may be used at once, each by one thread at a time. While a sequence is in an open
/// <see cref="MlaBatch"/>, only its properties and <see cref="ReadRow"/> may be used, and they show it as it was before the step.
/// A sequence that is never disposed keeps its pages until the cache is.
/// </remarks>
public sealed class LatentSequence : IDisposable
{
    private const int FirstCapacity = 4;

    /// <summary>Stands in <see cref="_holder"/> for ever once the sequence is disposed.</summary>
    private static readonly object Disposed = new();

    private readonly int _rowElements;
    private int[] _pages = [];
    private int _pageCount;
    private int[] _positions = [];

    /// <summary>Who alone may change the sequence now: a batch, the sequence itself, <see cref="Disposed"/>, or nobody.</summary>
    private object? _holder;

    internal LatentSequence(PagePool pool, MlaShape shape)
    {
        Pool = pool;
        _rowElements = shape.CacheRowElements;
    }

    /// <summary>Committed tokens.</summary>
    public int Length { get; private set; }

    /// <summary>The position that the next token takes unless another is given: one past that of the last token, 0 at the start.</summary>
    public int NextPosition => Length == 0 ? 0 : _positions[Length - 1] + 1;

    internal PagePool Pool { get; }

    /// <summary>Page of tokens 0..PageTokens-1, of the next PageTokens, and so on; within a step including the reserved ones.</summary>
    internal ReadOnlySpan<int> Pages => _pages.AsSpan(0, _pageCount);

    /// <summary>Positions of the committed tokens.</summary>
    internal ReadOnlySpan<int> Positions => _positions.AsSpan(0, Length);

    /// <summary>Forgets every token from index <paramref name="length"/> on and frees the pages that only they used.</summary>
    /// <param name="length">Tokens to keep, 0 up to <see cref="Length"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is negative or exceeds <see cref="Length"/>.</exception>
    /// <exception cref="InvalidOperationException">The sequence is in an open batch.</exception>
    /// <exception cref="ObjectDisposedException">The sequence or its cache is disposed.</exception>
    public void Truncate(int length)
    {
        Acquire(this);
        try
        {
            ArgumentOutOfRangeException.ThrowIfNegative(length);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
            Length = length;
            ReleaseBeyond(length);
        }
        finally
        {
            Release();
        }
    }

    /// <summary>Copies what the cache keeps of a token in one layer, decoded: the latent as the cache holds it, then the rotary key.</summary>
    /// <param name="layer">Layer, below the cache's <see cref="LatentCache{TAttention}.Layers"/>.</param>
    /// <param name="token">Index of a committed token, below <see cref="Length"/>; not its position.</param>
    /// <param name="destination">Takes exactly <see cref="MlaShape.CacheRowElements"/> values.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such layer or token.</exception>
    /// <exception cref="ArgumentException"><paramref name="destination"/> has another length.</exception>
    /// <exception cref="ObjectDisposedException">The sequence or its cache is disposed.</exception>
    public void ReadRow(int layer, int token, Span<float> destination)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _holder) == Disposed, this);
        Pool.ThrowIfDisposed();
        ArgumentOutOfRangeException.ThrowIfNegative(layer);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(layer, Pool.Layers);
        ArgumentOutOfRangeException.ThrowIfNegative(token);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(token, Length);
        if (destination.Length != _rowElements)
        {
            throw new ArgumentException(FormattableString.Invariant($"A row has {_rowElements} elements, the destination {destination.Length}."), nameof(destination));
        }

        MemoryMarshal.Cast<byte, float>(Row(layer, token)).CopyTo(destination);
    }

    /// <summary>Frees the sequence's pages. Further calls do nothing.</summary>
    /// <exception cref="InvalidOperationException">The sequence is in an open batch.</exception>
    public void Dispose()
    {
        object? holder = Interlocked.CompareExchange(ref _holder, Disposed, null);
        if (holder == Disposed)
        {
            return;
        }

        if (holder is not null)
        {
            ThrowHeld(holder, by: null);
        }

        Length = 0;
        ReleaseBeyond(0);
    }

    /// <summary>The stored bytes of a token in one layer, also of one reserved in the current step.</summary>
    internal Span<byte> Row(int layer, int token)
    {
        (int page, int index) = Math.DivRem(token, Pool.PageTokens);
        Span<byte> rows = Pool.Rows(Pages[page], layer);
        int rowBytes = rows.Length / Pool.PageTokens;
        return rows.Slice(index * rowBytes, rowBytes);
    }

    /// <summary>Makes <paramref name="holder"/> the only one to change the sequence, and keeps the cache's memory in place.</summary>
    internal void Acquire(object holder)
    {
        if (Interlocked.CompareExchange(ref _holder, holder, null) is object other)
        {
            ThrowHeld(other, holder);
        }

        try
        {
            Pool.Enter();
        }
        catch
        {
            Volatile.Write(ref _holder, null);
            throw;
        }
    }

    /// <summary>Ends <see cref="Acquire"/>.</summary>
    internal void Release()
    {
        Pool.Exit();
        Volatile.Write(ref _holder, null);
    }

    /// <summary>Extends the block table, not the length, by room for more tokens; or throws and changes nothing.</summary>
    internal void Reserve(int newTokens)
    {
        int tokens = Length + newTokens;
        int pageCount = Pool.PagesFor(tokens);
        if (pageCount > _pageCount)
        {
            // Room for the positions too: committing must not be able to fail.
            EnsureCapacity(pageCount);
            Pool.Allocate(_pages.AsSpan(_pageCount, pageCount - _pageCount));
            _pageCount = pageCount;
        }
    }

    /// <summary>Takes the first reserved tokens into the sequence.</summary>
    internal void Commit(ReadOnlySpan<int> positions)
    {
        positions.CopyTo(_positions.AsSpan(Length));
        Length += positions.Length;
    }

    /// <summary>Gives back what <see cref="Reserve"/> took.</summary>
    internal void Rollback() => ReleaseBeyond(Length);

    private void ReleaseBeyond(int tokens)
    {
        int keep = Pool.PagesFor(tokens);
        Pool.Release(_pages.AsSpan(keep, _pageCount - keep));
        _pageCount = keep;
    }

    private void EnsureCapacity(int pages)
    {
        if (pages > _pages.Length)
        {
            int doubled = (int)Math.Min(2L * _pages.Length, Pool.PageCount);
            int capacity = Math.Max(Math.Max(FirstCapacity, doubled), pages);
            int[] positions = new int[Math.Min((long)capacity * Pool.PageTokens, Array.MaxLength)];
            Positions.CopyTo(positions);
            Array.Resize(ref _pages, capacity);
            _positions = positions;
        }
    }

    [DoesNotReturn]
    private void ThrowHeld(object holder, object? by)
    {
        ObjectDisposedException.ThrowIf(holder == Disposed, this);
        throw new InvalidOperationException(
            holder == this ? "Another thread is truncating the sequence." :
            holder == by ? "The sequence is already in this batch." :
            "The sequence is in an open batch: commit, roll back or dispose that batch first.");
    }
}
