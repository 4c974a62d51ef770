using System.Diagnostics.CodeAnalysis;
using MlaGen.Runtime;

namespace MlaGen;

/// <summary>
/// The cached tokens of one text: a table of pages and the number of tokens in them, for all layers at once. What the field calls a
/// block table; transformers' <c>DynamicCache</c> plays this part there. Created by <see cref="LatentCache{TAttention}.CreateSequence"/>,
/// <see cref="Fork"/>, <see cref="PrefixIndex.TryStart"/> and <see cref="LatentCache{TAttention}.Load"/>.
/// </summary>
/// <remarks>
/// <para>Pages may be shared between sequences. Full ones never change; the last one, if it is partly filled and shared, is copied by
/// whoever appends to it first, so that no sequence ever sees what another does.</para>
/// <para>Thread safety: any number of sequences may be used at once, whether they share pages or not, each by one thread at a time. While a
/// sequence is in an open <see cref="MlaBatch"/>, only its properties and <see cref="ReadRow"/> may be used, and they show it as it was
/// before the step; everything else is refused.</para>
/// <para>A sequence that is never disposed keeps its pages until the cache is.</para>
/// </remarks>
public sealed class LatentSequence : IDisposable
{
    private const int FirstCapacity = 4;
    private const int NoPage = -1;

    /// <summary>Stands in <see cref="_holder"/> for ever once the sequence is disposed.</summary>
    private static readonly object Disposed = new();

    private int[] _pages = [];
    private int _pageCount;
    private int[] _positions = [];
    private PooledKeys?[] _pooledKeys = [];

    /// <summary>The page that others hold too and that an open step has replaced by a copy; <see cref="NoPage"/> if there is none.</summary>
    private int _sharedTail = NoPage;

    /// <summary>Tokens, committed ones included, whose pages are kept whether a step needs them or not.</summary>
    private int _reserved;

    /// <summary>Who alone may change the sequence now: a batch, the sequence itself, <see cref="Disposed"/>, or nobody.</summary>
    private object? _holder;

    internal LatentSequence(PagePool pool)
    {
        pool.MayFail();
        Pool = pool;
    }

    /// <summary>A sequence that shares pages which the caller knows to be held.</summary>
    /// <param name="pool">The pages' pool.</param>
    /// <param name="pages">Its block table: as many pages as the tokens need.</param>
    /// <param name="length">Its tokens.</param>
    /// <param name="positions">Position of each token; left out, the token's index.</param>
    internal LatentSequence(PagePool pool, ReadOnlySpan<int> pages, int length, ReadOnlySpan<int> positions = default)
        : this(pool)
    {
        EnsureCapacity(pages.Length);
        pages.CopyTo(_pages);
        for (int token = 0; token < length; token++)
        {
            _positions[token] = positions.IsEmpty ? token : positions[token];
        }

        Pool.Hold(pages);
        Pool.CountTokens(length);
        _pageCount = pages.Length;
        Length = length;
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

    /// <summary>
    /// A second sequence with the same tokens, which from then on goes its own way. The pages are shared; it takes none before
    /// either of the two appends. Ends a reservation of <see cref="TryReserve"/>.
    /// </summary>
    /// <exception cref="InvalidOperationException">The sequence is in an open batch.</exception>
    /// <exception cref="ObjectDisposedException">The sequence or its cache is disposed.</exception>
    public LatentSequence Fork()
    {
        Acquire(this);
        try
        {
            LatentSequence fork = new(Pool, Pages[..Pool.PagesFor(Length)], Length, Positions);
            _reserved = 0;
            ReleaseBeyond(Length);
            return fork;
        }
        finally
        {
            Release();
        }
    }

    /// <summary>Forgets every token from index <paramref name="length"/> on and frees the pages that only they used, reserved ones included.</summary>
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
            Forget(length);
        }
        finally
        {
            Release();
        }
    }

    /// <summary>
    /// Takes the pages for so many more tokens now, so that adding them cannot fail for want of pages. Kept until they are used, or until
    /// <see cref="Truncate"/>, <see cref="Fork"/>, or another reservation, which replaces this one.
    /// </summary>
    /// <param name="tokens">Tokens beyond <see cref="Length"/>; 0 ends the reservation.</param>
    /// <returns>Whether they fit; if not, nothing has changed.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="tokens"/> is negative.</exception>
    /// <exception cref="InvalidOperationException">The sequence is in an open batch.</exception>
    /// <exception cref="ObjectDisposedException">The sequence or its cache is disposed.</exception>
    public bool TryReserve(int tokens)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(tokens);
        Acquire(this);
        try
        {
            if (tokens > Array.MaxLength - Length || !TryTakePages(Length + tokens, out _, out _))
            {
                return false;
            }

            LetGoOfSharedTail();
            _reserved = Length + tokens;
            ReleaseBeyond(_reserved);
            return true;
        }
        finally
        {
            Release();
        }
    }

    /// <summary>
    /// Copies what the cache keeps of a token in one layer, decoded: the latent, normalised, then the rotary key, rotated, then, of a class with a
    /// sparse indexer, the index key, zeros in a layer that shares the selection of another.
    /// </summary>
    /// <remarks>
    /// A rotary key lies in halves, whatever its layout: the first elements of all pairs, then the second ones. Where
    /// <see cref="RopeLayout.Interleaved"/> makes pairs of neighbours, that is another order than the projection's: element 2i of it comes to i,
    /// and 2i + 1 to i + QkRopeHeadDim / 2. So the V3 family of transformers caches it. Its DeepSeek-V2, DeepSeek's own code, vLLM and FlashMLA
    /// leave neighbours together: rows from there, or for there, have to be reordered, those of DeepSeek-V2 models too. A key without rotation
    /// (<see cref="RopeLayout.None"/>) stays as it is.
    /// </remarks>
    /// <param name="layer">Layer, below the cache's <see cref="LatentCache{TAttention}.Layers"/>.</param>
    /// <param name="token">Index of a committed token, below <see cref="Length"/>; not its position.</param>
    /// <param name="destination">Takes exactly <see cref="CacheLayout.RowElements"/> values.</param>
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
        if (destination.Length != Pool.Layout.RowElements)
        {
            throw new ArgumentException(FormattableString.Invariant($"A row has {Counted.Of(Pool.Layout.RowElements, "element")}, the destination {destination.Length}."), nameof(destination));
        }

        foreach (RowPlane plane in Pool.Planes)
        {
            plane.Codec.DecodeRows(Row(plane, layer, token), 1, destination[..plane.Codec.Elements]);
            destination = destination[plane.Codec.Elements..];
        }
    }

    /// <summary>Frees the sequence's pages. Further calls do nothing.</summary>
    /// <exception cref="InvalidOperationException">The sequence is in an open batch.</exception>
    public void Dispose()
    {
        Pool.ThrowIfInside();
        object? holder = Interlocked.CompareExchange(ref _holder, Disposed, null);
        if (holder == Disposed)
        {
            return;
        }

        if (holder is not null)
        {
            ThrowHeld(holder, by: null);
        }

        Forget(0);
        _pooledKeys = [];
    }

    /// <summary>Keys of the sequence's pools in one layer, of a class that pools index keys.</summary>
    internal PooledKeys PooledKeys(int layer, IndexerDefinition indexer)
    {
        if (_pooledKeys.Length == 0)
        {
            _pooledKeys = new PooledKeys?[Pool.Layers];
        }

        return _pooledKeys[layer] ??= new PooledKeys(indexer.HeadDim, indexer.PoolTokens);
    }

    /// <summary>The stored bytes of a token's part in one layer, also of one reserved in the current step.</summary>
    internal Span<byte> Row(RowPlane plane, int layer, int token)
    {
        (int page, int index) = Math.DivRem(token, Pool.PageTokens);
        int rowBytes = plane.Codec.RowBytes;
        return Pool.Rows(plane, Pages[page], layer).Slice(index * rowBytes, rowBytes);
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
        if (!TryTakePages(Length + newTokens, out int wanted, out int free))
        {
            throw new LatentCacheFullException(wanted, free, Pool.PageCount, Pool.PageTokens);
        }
    }

    /// <summary>Takes the first reserved tokens into the sequence.</summary>
    internal void Commit(ReadOnlySpan<int> positions)
    {
        if (positions.IsEmpty)
        {
            return;
        }

        LetGoOfSharedTail();
        positions.CopyTo(_positions.AsSpan(Length));
        Length += positions.Length;
        Pool.CountTokens(positions.Length);
    }

    /// <summary>Gives back what <see cref="Reserve"/> took and no commit has used.</summary>
    internal void Rollback()
    {
        ReleaseBeyond(Math.Max(Length, _reserved));
        if (_sharedTail != NoPage)
        {
            ref int tail = ref _pages[_pageCount - 1];
            Pool.Release([tail]);
            tail = _sharedTail;
            _sharedTail = NoPage;
        }
    }

    /// <summary>
    /// Makes the block table cover so many tokens, and its last page, if tokens are to be added to it, this sequence's own;
    /// or changes nothing.
    /// </summary>
    private bool TryTakePages(int tokens, out int wanted, out int free)
    {
        // With a reservation there is no shared last page: what has to be taken is one run at the end of the table.
        int tokensInTail = Length % Pool.PageTokens;
        bool sharedTail = tokens > Length && tokensInTail != 0 && Pool.IsShared(_pages[Length / Pool.PageTokens]);
        int first = sharedTail ? _pageCount - 1 : _pageCount;
        int pageCount = Math.Max(Pool.PagesFor(tokens), _pageCount);
        wanted = pageCount - first;
        free = Pool.FreePages;
        if (wanted == 0)
        {
            return true;
        }

        if (pageCount > Pool.PageCount)
        {
            return false;
        }

        // Room for the positions too: committing must not be able to fail.
        EnsureCapacity(pageCount);
        int tail = sharedTail ? _pages[first] : NoPage;
        if (!Pool.TryAllocate(_pages.AsSpan(first, wanted), out free))
        {
            return false;
        }

        if (sharedTail)
        {
            Pool.CopyRows(tail, _pages[first], tokensInTail);
        }

        _sharedTail = tail;
        _pageCount = pageCount;
        return true;
    }

    /// <summary>Makes the copy of a shared last page final.</summary>
    private void LetGoOfSharedTail()
    {
        if (_sharedTail != NoPage)
        {
            Pool.Release([_sharedTail]);
            _sharedTail = NoPage;
        }
    }

    private void Forget(int length)
    {
        Pool.CountTokens(length - Length);
        Length = length;
        _reserved = 0;
        ReleaseBeyond(length);
        foreach (PooledKeys? keys in _pooledKeys)
        {
            keys?.Truncate(length);
        }
    }

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
            int[] positions = Pool.NewArray<int>((int)Math.Min((long)capacity * Pool.PageTokens, Array.MaxLength));
            int[] table = Pool.NewArray<int>(capacity);
            Positions.CopyTo(positions);
            Pages.CopyTo(table);
            _positions = positions;
            _pages = table;
        }
    }

    [DoesNotReturn]
    private void ThrowHeld(object holder, object? by)
    {
        ObjectDisposedException.ThrowIf(holder == Disposed, this);
        throw new InvalidOperationException(
            holder == by && holder is MlaBatch ? "The sequence is already in this batch." :
            holder == by && holder is CacheFileWriter ? "The sequence is given twice." :
            holder is MlaBatch ? "The sequence is in an open batch: commit, roll back or dispose that batch first." :
            "Something else is being done to the sequence at this moment: it is one thread's at a time.");
    }
}
