namespace MlaGen.Tests.Caching;

/// <summary>A page of the model: nothing but its identity.</summary>
internal sealed class ModelPage;

/// <summary>A sequence of the model: plain lists.</summary>
internal sealed class ModelSequence(LatentSequence real)
{
    public LatentSequence Real { get; } = real;

    public List<(int Position, int Content)> Tokens { get; init; } = [];

    public List<ModelPage> Pages { get; set; } = [];

    public int Reserved { get; set; }

    public int NextPosition => Tokens.Count == 0 ? 0 : Tokens[^1].Position + 1;
}

/// <summary>What a sequence of the model has in the open step.</summary>
/// <param name="Sequence">The sequence.</param>
/// <param name="FirstRow">Its first row.</param>
/// <param name="Positions">Positions of its new tokens.</param>
/// <param name="Parents">Parent of each new token.</param>
/// <param name="PagesBefore">Its pages without the step.</param>
internal sealed record ModelEntry(ModelSequence Sequence, int FirstRow, int[] Positions, int[] Parents, List<ModelPage> PagesBefore)
{
    public bool IsTree => !Parents.SequenceEqual(Enumerable.Range(-1, Parents.Length));

    /// <summary>Indices of the new tokens to be kept; null where that must be said and was not.</summary>
    public int[]? Accepted { get; set; }

    public int[] PathTo(int token) => token < 0 ? [] : [.. PathTo(Parents[token]), token];
}

/// <summary>The prefix index of the model: known pages by all tokens up to their end, the least recently used first.</summary>
internal sealed class ModelPrefixes
{
    private readonly List<(string Prefix, ModelPage Page, int Depth, long Use)> _known = [];
    private long _uses;

    public IEnumerable<ModelPage> Pages => _known.Select(known => known.Page);

    public int Register(List<ModelPage> pages, List<int> tokens, int pageTokens)
    {
        _uses++;
        int added = 0;
        for (int depth = 1; depth * pageTokens <= tokens.Count; depth++)
        {
            string prefix = Prefix(tokens, depth * pageTokens);
            int index = _known.FindIndex(known => known.Prefix == prefix);
            if (index < 0)
            {
                index = _known.Count;
                _known.Add((prefix, pages[depth - 1], depth, 0));
                added++;
            }

            _known[index] = _known[index] with { Use = _uses };
        }

        return added;
    }

    public List<ModelPage> Start(List<int> tokens, int pageTokens)
    {
        _uses++;
        List<ModelPage> pages = [];
        while (((pages.Count + 1) * pageTokens) < tokens.Count)
        {
            string prefix = Prefix(tokens, (pages.Count + 1) * pageTokens);
            int index = _known.FindIndex(known => known.Prefix == prefix);
            if (index < 0)
            {
                break;
            }

            _known[index] = _known[index] with { Use = _uses };
            pages.Add(_known[index].Page);
        }

        return pages;
    }

    public int Evict(int count, Func<ModelPage, bool> heldBySequence)
    {
        int freed = 0;
        foreach ((string prefix, ModelPage page, _, _) in _known.OrderBy(known => known.Use).ThenByDescending(known => known.Depth).ToArray())
        {
            if (freed < count && !heldBySequence(page))
            {
                freed++;
                _known.RemoveAll(known => known.Prefix.StartsWith(prefix, StringComparison.Ordinal));
            }
        }

        return freed;
    }

    private static string Prefix(List<int> tokens, int length) => string.Concat(tokens.Take(length).Select(token => token + ","));
}
