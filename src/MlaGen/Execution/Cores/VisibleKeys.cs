namespace MlaGen.Runtime;

/// <summary>Which keys the rows of a step see, selection or not; keeps the paths through its trees.</summary>
internal sealed class VisibleKeys(MlaBatch batch)
{
    private int[] _listed = [];
    private int _count;

    /// <summary>Forgets the paths of the last call.</summary>
    public void Clear() => _count = 0;

    /// <summary>The keys of a query of an entry: the tokens up to its own, or, of a tree, the committed tokens and its own path.</summary>
    public KeySource Of(in BatchEntry entry, int query) => entry.IsTree ? Path(entry, query) : KeySource.Range(entry.Sequence, entry.VisibleKeys(query));

    private KeySource Path(in BatchEntry entry, int query)
    {
        long needed = (long)_count + entry.NewTokens;
        if (_listed.Length < needed)
        {
            if (needed > Array.MaxLength)
            {
                throw new InsufficientMemoryException(FormattableString.Invariant(
                    $"The paths through the step's trees are more than {Array.MaxLength} tokens long together. It needs smaller trees."));
            }

            // Sources that were made from it keep the old one.
            Array.Resize(ref _listed, (int)Math.Min(Math.Max(needed, 2L * _listed.Length), Array.MaxLength));
        }

        int first = _count;
        int length = batch.VisibleNewTokens(entry, query, _listed.AsSpan(first));
        foreach (ref int token in _listed.AsSpan(first, length))
        {
            token += entry.CommittedKeys;
        }

        _count += length;
        return KeySource.Path(entry.Sequence, entry.CommittedKeys, _listed, first, length);
    }
}
