namespace MlaGen;

/// <content>Speculative decoding: what a step's new tokens see of each other, and which of them are kept.</content>
public abstract partial class MlaBatch
{
    /// <summary>
    /// Keeps, when the step is committed, only the first of a sequence's new tokens: those of a draft that the model agrees with. May be
    /// called again until then; the last call counts.
    /// </summary>
    /// <param name="sequence">A sequence that was added with new tokens.</param>
    /// <param name="tokens">New tokens to keep, 0 up to those that were added.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="tokens"/> is negative or more than were added.</exception>
    /// <exception cref="ArgumentException">The sequence is not in the batch, or the new tokens are a tree in which the first ones do not continue each other: give the path.</exception>
    /// <exception cref="ObjectDisposedException">The batch is disposed.</exception>
    public void Accept(LatentSequence sequence, int tokens)
    {
        using Use use = Begin("Accept");
        ref BatchEntry entry = ref Find(sequence);
        ArgumentOutOfRangeException.ThrowIfNegative(tokens);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(tokens, entry.NewTokens);
        if (entry.IsTree && !TokenTree.IsChain(Parents(entry)[..tokens]))
        {
            throw new ArgumentException(FormattableString.Invariant($"This tree does not begin with a path of {Counted.Of(tokens, "token")}: give the path itself."), nameof(tokens));
        }

        for (int i = 0; i < tokens; i++)
        {
            _paths[entry.FirstRow + i] = i;
        }

        entry = entry with { Accepted = tokens };
    }

    /// <summary>
    /// Keeps, when the step is committed, only one path through a tree of new tokens: their rows move together, in all layers, and the
    /// others are forgotten. May be called again until then; the last call counts.
    /// </summary>
    /// <param name="sequence">A sequence that was added with new tokens.</param>
    /// <param name="path">Indices among its new tokens: the first continues the cached tokens, each other one the one before. Empty to keep none.</param>
    /// <exception cref="ArgumentException">The sequence is not in the batch, or <paramref name="path"/> is no path from the root.</exception>
    /// <exception cref="ObjectDisposedException">The batch is disposed.</exception>
    public void Accept(LatentSequence sequence, ReadOnlySpan<int> path)
    {
        using Use use = Begin("Accept");
        ref BatchEntry entry = ref Find(sequence);
        TokenTree.CheckPath(Parents(entry), path);
        path.CopyTo(_paths.AsSpan(entry.FirstRow));
        entry = entry with { Accepted = path.Length };
    }

    /// <summary>For each new token of an entry the index of the one it continues, <see cref="TokenTree.Root"/> for the cached tokens.</summary>
    internal ReadOnlySpan<int> Parents(in BatchEntry entry) => _parents.AsSpan(entry.FirstRow, entry.NewTokens);

    /// <summary>
    /// The new tokens that a query of a tree sees, itself the last, in ascending order. Its keys are, one after the other as in a run of their
    /// own, the committed tokens and these, the rows of which lie at <see cref="BatchEntry.CommittedKeys"/> + index.
    /// </summary>
    /// <param name="entry">An entry of the batch that is a tree.</param>
    /// <param name="query">Index among its new tokens.</param>
    /// <param name="destination">Takes the indices; at most as many as the entry has new tokens.</param>
    /// <returns>How many there are.</returns>
    internal int VisibleNewTokens(in BatchEntry entry, int query, Span<int> destination)
    {
        ReadOnlySpan<int> parents = Parents(entry);
        int count = TokenTree.PathLength(parents, query);
        TokenTree.FillPath(parents, query, destination[..count]);
        return count;
    }

    private ref BatchEntry Find(LatentSequence sequence)
    {
        ArgumentNullException.ThrowIfNull(sequence);
        for (int i = 0; i < _entryCount; i++)
        {
            if (_entries[i].Sequence == sequence)
            {
                return ref _entries[i];
            }
        }

        throw new ArgumentException("The sequence is not in this batch.", nameof(sequence));
    }

    private void CheckTreesChosen()
    {
        for (int i = 0; i < _entryCount; i++)
        {
            if (_entries[i].Accepted == BatchEntry.NothingChosen)
            {
                throw new InvalidOperationException(FormattableString.Invariant(
                    $"Entry {i} of the batch added a tree of {Counted.Of(_entries[i].NewTokens, "token")}: say with Accept which path of it is kept."));
            }
        }
    }

    /// <summary>Moves what is kept of each tree together. Where the cache's memory fails in the middle of it, the step can only be rolled back.</summary>
    private void CompactTrees()
    {
        try
        {
            foreach (BatchEntry entry in Entries)
            {
                if (entry.IsTree)
                {
                    Compact(entry);
                }
            }
        }
        catch
        {
            Array.Clear(_writtenLayers);
            throw;
        }
    }

    /// <summary>Moves the rows and positions of the accepted path to the front of the entry's new ones.</summary>
    private void Compact(in BatchEntry entry)
    {
        // A path ascends, so that nothing is overwritten before it has moved.
        ReadOnlySpan<int> path = _paths.AsSpan(entry.FirstRow, entry.Accepted);
        for (int i = 0; i < path.Length; i++)
        {
            if (path[i] == i)
            {
                continue;
            }

            _positions[entry.FirstRow + i] = _positions[entry.FirstRow + path[i]];
            for (int layer = 0; layer < Pool.Layers; layer++)
            {
                foreach (RowPlane plane in Pool.Planes)
                {
                    entry.Sequence.Row(plane, layer, entry.CommittedKeys + path[i]).CopyTo(entry.Sequence.Row(plane, layer, entry.CommittedKeys + i));
                }
            }
        }
    }
}
