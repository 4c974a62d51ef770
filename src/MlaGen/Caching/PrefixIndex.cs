using System.Diagnostics.CodeAnalysis;

namespace MlaGen;

/// <summary>
/// Finds pages that already hold the beginning of a prompt, so that only what is new has to be computed: a tree in which every entry is one full
/// page, found by its token ids below the entry of the page before it. A page therefore matches only after its whole prefix has, and token
/// ids are compared, not only their hashes. vLLM's automatic prefix caching and SGLang's radix cache play this part there.
/// </summary>
/// <remarks>
/// <para>Entries hold their pages, also after the sequence that computed them is gone, until <see cref="Evict"/> or <see cref="Clear"/>: see
/// <see cref="LatentCache{TAttention}.OnFull"/>.</para>
/// <para>Thread safety: every member may be called by any number of threads at once.</para>
/// </remarks>
public sealed class PrefixIndex
{
    private readonly Lock _lock = new();
    private readonly PagePool _pool;
    private readonly PageTokensComparer _comparer;
    private readonly Entry _root = new(null, [], page: -1);
    private long _uses;

    internal PrefixIndex(PagePool pool, PageTokensComparer? comparer = null)
    {
        _pool = pool;
        _comparer = comparer ?? new PageTokensComparer();
    }

    /// <summary>Pages that the index holds.</summary>
    public int Pages { get; private set; }

    /// <summary>Makes the full pages of a sequence known. Those whose tokens are known already are not held a second time.</summary>
    /// <param name="sequence">A sequence whose full pages hold tokens at the positions 0, 1, 2, …</param>
    /// <param name="tokens">Token id of each of its tokens.</param>
    /// <returns>Pages that were new.</returns>
    /// <exception cref="ArgumentException">The sequence is another cache's, there are not as many ids as tokens, or a token has another position than its index.</exception>
    /// <exception cref="InvalidOperationException">The sequence is in an open batch.</exception>
    /// <exception cref="ObjectDisposedException">The sequence or the cache is disposed.</exception>
    public int Register(LatentSequence sequence, ReadOnlySpan<int> tokens)
    {
        ArgumentNullException.ThrowIfNull(sequence);
        if (sequence.Pool != _pool)
        {
            throw new ArgumentException("The sequence belongs to another cache than the index.", nameof(sequence));
        }

        sequence.Acquire(sequence);
        try
        {
            if (tokens.Length != sequence.Length)
            {
                throw new ArgumentException(FormattableString.Invariant($"The sequence has {Counted.Of(sequence.Length, "token")}, not {tokens.Length}."), nameof(tokens));
            }

            int pages = tokens.Length / _pool.PageTokens;
            CheckPositions(sequence, pages * _pool.PageTokens);
            using (EnterLock())
            {
                return Add(sequence.Pages[..pages], tokens);
            }
        }
        finally
        {
            sequence.Release();
        }
    }

    /// <summary>Starts a sequence from the longest known prefix of a prompt: full pages, and never the whole prompt, whose last token has to be computed for its logits.</summary>
    /// <param name="tokens">Token ids of the prompt.</param>
    /// <param name="sequence">A new sequence whose <see cref="LatentSequence.Length"/> tokens are those of the prompt; to be disposed by the caller.</param>
    /// <returns>Whether any page was known.</returns>
    /// <exception cref="ObjectDisposedException">The cache is disposed.</exception>
    public bool TryStart(ReadOnlySpan<int> tokens, [NotNullWhen(true)] out LatentSequence? sequence)
    {
        _pool.ThrowIfDisposed();
        sequence = null;
        int most = (tokens.Length - 1) / _pool.PageTokens;
        if (most <= 0)
        {
            return false;
        }

        using (EnterLock())
        {
            int[] pages = _pool.NewArray<int>(most);
            int found = 0;
            long use = ++_uses;
            for (Entry? entry = _root; found < most; found++)
            {
                entry = entry.Find(PageTokens(tokens, found));
                if (entry is null)
                {
                    break;
                }

                entry.LastUse = use;
                pages[found] = entry.Page;
            }

            if (found > 0)
            {
                sequence = new LatentSequence(_pool, pages.AsSpan(0, found), found * _pool.PageTokens);
            }
        }

        return sequence is not null;
    }

    /// <summary>
    /// Forgets pages that no sequence holds, the least recently used first, each with what continues it, until so many are free.
    /// Pages that a sequence holds would not become free and stay known.
    /// </summary>
    /// <param name="pages">Pages to free.</param>
    /// <returns>Pages that became free: fewer, if the index holds no more.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="pages"/> is negative.</exception>
    public int Evict(int pages)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(pages);
        using (EnterLock())
        {
            List<Entry> entries = Subtree(_root);

            // An entry is used whenever one that continues it is: so later ones come before those they continue.
            entries.Sort((a, b) => a.LastUse != b.LastUse ? a.LastUse.CompareTo(b.LastUse) : b.Depth.CompareTo(a.Depth));
            int freed = 0;
            foreach (Entry entry in entries)
            {
                if (freed >= pages)
                {
                    break;
                }

                if (entry.Parent is not null && !_pool.IsShared(entry.Page))
                {
                    freed += Drop(entry);
                }
            }

            return freed;
        }
    }

    /// <summary>Forgets every page.</summary>
    public void Clear()
    {
        using (EnterLock())
        {
            foreach (Entry entry in _root.Continuations.ToArray())
            {
                Drop(entry);
            }
        }
    }

    /// <summary>Refused to the memory pool before it waits for another thread that waits for it.</summary>
    private Lock.Scope EnterLock()
    {
        _pool.ThrowIfInside();
        return Uninterrupted.Hold(_lock);
    }

    private static void CheckPositions(LatentSequence sequence, int length)
    {
        ReadOnlySpan<int> positions = sequence.Positions[..length];
        for (int token = 0; token < length; token++)
        {
            if (positions[token] != token)
            {
                throw new ArgumentException(FormattableString.Invariant(
                    $"Token {token} has position {positions[token]}: only tokens at their default positions can begin another sequence."), nameof(sequence));
            }
        }
    }

    /// <summary>An entry and all that continue it. By hand, since a long text would be as many calls deep as it has pages.</summary>
    private static List<Entry> Subtree(Entry entry)
    {
        List<Entry> entries = [entry];
        for (int i = 0; i < entries.Count; i++)
        {
            entries.AddRange(entries[i].Continuations);
        }

        return entries;
    }

    private int Add(ReadOnlySpan<int> pages, ReadOnlySpan<int> tokens)
    {
        int added = 0;
        long use = ++_uses;
        Entry entry = _root;
        for (int i = 0; i < pages.Length; i++)
        {
            ReadOnlySpan<int> pageTokens = PageTokens(tokens, i);
            Entry? next = entry.Find(pageTokens);
            if (next is null)
            {
                int[] stored = _pool.NewArray<int>(pageTokens.Length);
                pageTokens.CopyTo(stored);
                _pool.MayFail();
                next = new Entry(entry, stored, pages[i]);
                entry.Add(next, _comparer);
                _pool.Hold([next.Page]);
                Pages++;
                added++;
            }

            next.LastUse = use;
            entry = next;
        }

        return added;
    }

    /// <summary>Forgets an entry and what continues it.</summary>
    /// <returns>Pages that became free.</returns>
    private int Drop(Entry dropped)
    {
        List<Entry> entries = Subtree(dropped);
        dropped.Parent!.Remove(dropped);
        int freed = 0;
        foreach (Entry entry in entries)
        {
            entry.Parent = null;
            freed += _pool.Release([entry.Page]);
        }

        Pages -= entries.Count;
        return freed;
    }

    private ReadOnlySpan<int> PageTokens(ReadOnlySpan<int> tokens, int page) => tokens.Slice(page * _pool.PageTokens, _pool.PageTokens);

    /// <summary>A full page whose tokens, and those of all entries up to the root, are known.</summary>
    private sealed class Entry(Entry? parent, int[] tokens, int page)
    {
        private Dictionary<int[], Entry>? _continuations;

        /// <summary>The page before; null at the root and once the entry is forgotten.</summary>
        public Entry? Parent { get; set; } = parent;

        public int Page { get; } = page;

        public int Depth { get; } = parent is null ? 0 : parent.Depth + 1;

        public long LastUse { get; set; }

        public IReadOnlyCollection<Entry> Continuations => _continuations is null ? [] : _continuations.Values;

        private int[] Tokens { get; } = tokens;

        public Entry? Find(ReadOnlySpan<int> pageTokens) =>
            _continuations is not null && _continuations.GetAlternateLookup<ReadOnlySpan<int>>().TryGetValue(pageTokens, out Entry? entry) ? entry : null;

        public void Add(Entry entry, PageTokensComparer comparer)
        {
            _continuations ??= new Dictionary<int[], Entry>(comparer);
            _continuations.Add(entry.Tokens, entry);
        }

        public void Remove(Entry entry) => _continuations!.Remove(entry.Tokens);
    }
}
