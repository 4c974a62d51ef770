using System.Buffers;
using MlaGen.Runtime;

namespace MlaGen;

/// <summary>
/// The pages of one cache: [layer][plane][token] each, counted by reference, so that one page id stands for all layers of its tokens.
/// Every member may be called from any thread; a page's bytes belong to whoever holds the page.
/// </summary>
/// <remarks>
/// The page that came back last goes out first: it is the likeliest to be in the processor's caches, and the order depends on nothing but
/// the calls. Memory comes in slabs of whole pages, each rented when the free pages no longer suffice.
/// </remarks>
internal sealed class PagePool : IDisposable
{
    private const int SlabBytes = 64 << 20;

    private readonly Lock _lock = new();

    /// <summary>Threads whose <see cref="OnFull"/> is running.</summary>
    private readonly HashSet<int> _asking = [];

    private readonly MemoryPool<byte> _memory;
    private readonly Action? _fault;
    private readonly int _layerBytes;
    private readonly int _pageBytes;
    private readonly int _pagesPerSlab;

    private IMemoryOwner<byte>[] _owners = [];
    private Memory<byte>[] _slabs = [];
    private int[] _references = [];
    private int[] _free = [];
    private int _freeCount;
    private int _usedPages;
    private int _sharedPages;
    private long _takenBytes;
    private long _tokens;
    private long _returns;
    private int _users;
    private bool _disposed;

    /// <summary>Computes the layout; rents nothing.</summary>
    public PagePool(CacheLayout layout, int layers, long maxTokens, LatentCacheOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(layers);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxTokens);
        ArgumentOutOfRangeException.ThrowIfNegative(options.PageTokens);
        ArgumentOutOfRangeException.ThrowIfNegative(options.MaxBytes);

        if (options.Precision is { } precision && !Enum.IsDefined(precision))
        {
            throw new ArgumentOutOfRangeException(nameof(options), precision, "There is no such precision.");
        }

        Precision = options.Precision ?? layout.Precision;
        _memory = options.Memory ?? AlignedMemoryPool.Instance;
        _fault = options.Fault;
        Layout = layout;
        Layers = layers;
        PageTokens = options.PageTokens == 0 ? layout.PageTokens : options.PageTokens;

        Int128 pageBytes = (Int128)layers * PageTokens * layout.RowBytes;
        if (pageBytes > _memory.MaxBufferSize)
        {
            throw new ArgumentException(FormattableString.Invariant(
                $"A page of {Counted.Of(layers, "layer")} x {Counted.Of(PageTokens, "token")} x {Counted.Of(layout.RowBytes, "byte")} takes {Counted.Of(pageBytes, "byte")}; at most {_memory.MaxBufferSize} can be had in one piece. Choose fewer tokens a page."));
        }

        long pages = ((maxTokens - 1) / PageTokens) + 1;
        if (options.MaxBytes != 0)
        {
            pages = Math.Min(pages, options.MaxBytes / (long)pageBytes);
            if (pages == 0)
            {
                throw new ArgumentOutOfRangeException(nameof(options), options.MaxBytes, FormattableString.Invariant(
                    $"{nameof(options.MaxBytes)} is less than one page of {Counted.Of(layers, "layer")} x {Counted.Of(PageTokens, "token")} x {Counted.Of(layout.RowBytes, "byte")}: {Counted.Of(pageBytes, "byte")}."));
            }
        }

        if (pages > Array.MaxLength)
        {
            throw new ArgumentOutOfRangeException(nameof(maxTokens), maxTokens, FormattableString.Invariant(
                $"{Counted.Of(pages, "page")} of {Counted.Of(PageTokens, "token")} would be needed; at most {Array.MaxLength} can be counted. Choose more tokens a page."));
        }

        PageCount = (int)pages;
        _pageBytes = (int)pageBytes;
        _layerBytes = _pageBytes / layers;
        _pagesPerSlab = Math.Max(1, Math.Min(SlabBytes, _memory.MaxBufferSize) / _pageBytes);
        Attended = new RowPlane(layout.Codec, start: 0, PageTokens);
        Indexed = layout.IndexCodec is { } index ? new RowPlane(index, Attended.Bytes, PageTokens) : null;
        Planes = Indexed is null ? [Attended] : [Attended, Indexed];
    }

    /// <summary>What a row is.</summary>
    public CacheLayout Layout { get; }

    /// <summary>What attention reads: latents and rotary keys.</summary>
    public RowPlane Attended { get; }

    /// <summary>What a sparse indexer reads: index keys; null for a class that has none.</summary>
    public RowPlane? Indexed { get; }

    /// <summary>All that rows consist of.</summary>
    public RowPlane[] Planes { get; }

    /// <summary>How exactly attention multiplies.</summary>
    public MlaPrecision Precision { get; }

    public int Layers { get; }

    public int PageTokens { get; }

    public int PageCount { get; }

    public long MaxTokens => (long)PageCount * PageTokens;

    public long Bytes => (long)PageCount * _pageBytes;

    public int PageBytes => _pageBytes;

    public int UsedPages => Volatile.Read(ref _usedPages);

    public int FreePages => PageCount - UsedPages;

    /// <summary>Pages that are held more than once.</summary>
    public int SharedPages => Volatile.Read(ref _sharedPages);

    /// <summary>Bytes of the slabs rented so far.</summary>
    public long TakenBytes => Volatile.Read(ref _takenBytes);

    /// <summary>Committed tokens of all sequences, shared ones counted in each.</summary>
    public long Tokens => Volatile.Read(ref _tokens);

    /// <summary>
    /// Asked, with the number of pages missing, to free some before <see cref="Allocate"/> gives up; says how many it has freed. What itself
    /// needs pages finds the cache full: asked again in the middle of it, it would not end.
    /// </summary>
    public Func<int, int>? OnFull { get; set; }

    /// <summary>Pages that hold this many tokens.</summary>
    public int PagesFor(int tokens) => (int)(((long)tokens + PageTokens - 1) / PageTokens);

    /// <summary>A plane of a page in one layer: of each of its <see cref="PageTokens"/> rows that part, one after the other.</summary>
    public Span<byte> Rows(RowPlane plane, int page, int layer)
    {
        (int slab, int index) = Math.DivRem(page, _pagesPerSlab);
        return _slabs[slab].Span.Slice((index * _pageBytes) + (layer * _layerBytes) + plane.Start, plane.Bytes);
    }

    /// <summary>All bytes of a page, layer after layer.</summary>
    public Span<byte> Page(int page)
    {
        (int slab, int index) = Math.DivRem(page, _pagesPerSlab);
        return _slabs[slab].Span.Slice(index * _pageBytes, _pageBytes);
    }

    /// <summary>Copies the first rows of a page, in every layer, to another.</summary>
    public void CopyRows(int source, int destination, int tokens)
    {
        for (int layer = 0; layer < Layers; layer++)
        {
            foreach (RowPlane plane in Planes)
            {
                Rows(plane, source, layer)[..(plane.Codec.RowBytes * tokens)].CopyTo(Rows(plane, destination, layer));
            }
        }
    }

    /// <summary>Fills <paramref name="pages"/> with pages held once, or throws and takes none.</summary>
    public void Allocate(Span<int> pages)
    {
        if (!TryAllocate(pages, out int free))
        {
            throw new LatentCacheFullException(pages.Length, free, PageCount, PageTokens);
        }
    }

    /// <summary><see cref="Allocate"/> that says no where there are too few pages.</summary>
    public bool TryAllocate(Span<int> pages, out int free)
    {
        while (!TryTake(pages, out free))
        {
            // Again and again, since other threads may take what it frees.
            if (OnFull is not { } onFull || !Ask(onFull, pages.Length - free))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Asks for pages; says whether there is a point in trying again.</summary>
    private bool Ask(Func<int, int> onFull, int missing)
    {
        int thread = Environment.CurrentManagedThreadId;
        long returns;
        using (EnterLock())
        {
            if (!_asking.Add(thread))
            {
                return false;
            }

            returns = _returns;
        }

        try
        {
            // Outside the lock: what it frees, it frees by way of this pool. What it says that it has freed and has not would be asked for again for ever.
            return onFull(missing) > 0 && Volatile.Read(ref _returns) != returns;
        }
        finally
        {
            using (EnterLock())
            {
                _asking.Remove(thread);
            }
        }
    }

    /// <summary>Holds each page, which the caller knows to be held, once more.</summary>
    public void Hold(ReadOnlySpan<int> pages)
    {
        using (EnterLock())
        {
            ThrowIfDisposed();
            foreach (int page in pages)
            {
                if (++_references[page] == 2)
                {
                    _sharedPages++;
                }
            }
        }
    }

    /// <summary>Whether somebody else holds a page, which the caller knows to be held, too.</summary>
    public bool IsShared(int page)
    {
        using (EnterLock())
        {
            return _references[page] > 1;
        }
    }

    /// <summary>Lets go of each page once; a page that nobody holds any more is free again.</summary>
    /// <returns>Pages that became free.</returns>
    public int Release(ReadOnlySpan<int> pages)
    {
        using (EnterLock())
        {
            if (_disposed)
            {
                return 0;
            }

            int used = _usedPages;

            // Backwards, so that the same pages come out in the same order when they are asked for again.
            for (int i = pages.Length - 1; i >= 0; i--)
            {
                int page = pages[i];
                switch (--_references[page])
                {
                    case 0:
                        _free[_freeCount++] = page;
                        _usedPages--;
                        break;
                    case 1:
                        _sharedPages--;
                        break;
                }
            }

            _returns += used - _usedPages;
            return used - _usedPages;
        }
    }

    /// <summary>Keeps count of the sequences' committed tokens.</summary>
    public void CountTokens(int change) => Interlocked.Add(ref _tokens, change);

    /// <summary>An array for the cache's own bookkeeping.</summary>
    public T[] NewArray<T>(int length)
    {
        MayFail();
        return new T[length];
    }

    /// <summary>Stands before everything that can run out, memory or disk, so that a test can make it fail.</summary>
    public void MayFail() => _fault?.Invoke();

    /// <summary>Keeps the memory from being given back until <see cref="Exit"/>.</summary>
    public void Enter()
    {
        using (EnterLock())
        {
            ThrowIfDisposed();
            _users++;
        }
    }

    /// <summary>Ends one <see cref="Enter"/>.</summary>
    public void Exit()
    {
        using (EnterLock())
        {
            _users--;
        }
    }

    public void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed), typeof(LatentCache<>));

    /// <summary>Refuses what the memory pool does to the cache in the middle of being asked for memory.</summary>
    public void ThrowIfInside()
    {
        if (_lock.IsHeldByCurrentThread)
        {
            throw new InvalidOperationException("The cache is in the middle of taking memory from its MemoryPool, or giving it back: the pool must not use the cache meanwhile.");
        }
    }

    private Lock.Scope EnterLock()
    {
        ThrowIfInside();
        return Uninterrupted.Hold(_lock);
    }

    public void Dispose()
    {
        using (EnterLock())
        {
            if (_disposed)
            {
                return;
            }

            if (_users != 0)
            {
                throw new InvalidOperationException(FormattableString.Invariant(
                    $"The cache has {Counted.Of(_users, "sequence")} in an open batch: commit, roll back or dispose the batch before the cache."));
            }

            _disposed = true;
            _takenBytes = 0;
            _slabs = [];
            foreach (IMemoryOwner<byte> owner in _owners)
            {
                owner.Dispose();
            }
        }
    }

    private bool TryTake(Span<int> pages, out int free)
    {
        using (EnterLock())
        {
            ThrowIfDisposed();
            free = FreePages;
            if (pages.Length > free)
            {
                return false;
            }

            while (_freeCount < pages.Length)
            {
                AddSlab();
            }

            foreach (ref int page in pages)
            {
                page = _free[--_freeCount];
                _references[page] = 1;
            }

            _usedPages += pages.Length;
            return true;
        }
    }

    private void AddSlab()
    {
        int slab = _slabs.Length;
        int firstPage = slab * _pagesPerSlab;
        int pages = Math.Min(_pagesPerSlab, PageCount - firstPage);
        int bytes = pages * _pageBytes;

        // Everything that may fail comes before anything that counts: a refused slab changes nothing.
        MayFail();
        Array.Resize(ref _references, firstPage + pages);
        MayFail();
        Array.Resize(ref _free, firstPage + pages);
        MayFail();
        IMemoryOwner<byte>[] owners = [.. _owners, null!];
        MayFail();
        Memory<byte>[] slabs = [.. _slabs, default];
        MayFail();
        IMemoryOwner<byte> owner = _memory.Rent(bytes);
        Memory<byte> memory = owner.Memory;
        if (memory.Length < bytes)
        {
            int found = memory.Length;
            owner.Dispose();
            throw new InvalidOperationException(FormattableString.Invariant($"The memory pool was asked for {Counted.Of(bytes, "byte")} and gave {found}."));
        }

        owners[slab] = owner;
        slabs[slab] = memory;
        _owners = owners;
        _slabs = slabs;
        _takenBytes += bytes;
        for (int page = firstPage + pages - 1; page >= firstPage; page--)
        {
            _free[_freeCount++] = page;
        }
    }
}
