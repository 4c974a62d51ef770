namespace MlaGen.Tests.Caching;

/// <content>What outlives a sequence: known prefixes and files.</content>
internal sealed partial class CacheModel
{
    private void Register(ModelSequence sequence)
    {
        int full = sequence.Tokens.Count / _pageTokens * _pageTokens;
        List<int> tokens = [.. sequence.Tokens.Select(token => token.Content)];
        bool displaced = sequence.Tokens.Take(full).Where((token, i) => token.Position != i).Any();
        Type? refusal = IsOpen(sequence) ? typeof(InvalidOperationException) : displaced ? typeof(ArgumentException) : null;
        int added = 0;
        _faults.Clear(); // Of a registration that fails midway the first pages are known.
        if (Succeeds(() => added = _cache.Prefixes.Register(sequence.Real, tokens.ToArray()), refusal))
        {
            Assert.Equal(_prefixes.Register(sequence.Pages, tokens, _pageTokens), added);
        }
    }

    private void Start(ModelSequence like, int length)
    {
        List<int> prompt = [.. like.Tokens.Take(length).Select(token => token.Content)];
        _faults.Clear(); // A start that fails has still used what it found.
        bool found = _cache.Prefixes.TryStart(prompt.ToArray(), out LatentSequence? real);
        List<ModelPage> pages = (prompt.Count - 1) / _pageTokens > 0 ? _prefixes.Start(prompt, _pageTokens) : [];
        Assert.Equal(pages.Count > 0, found);
        if (found)
        {
            _sequences.Add(new ModelSequence(real!) { Tokens = [.. like.Tokens.Take(pages.Count * _pageTokens)], Pages = pages });
        }
    }

    private void Save(List<ModelSequence> sequences)
    {
        SavedSequence[] saved = [.. sequences.Select((sequence, i) => new SavedSequence(sequence.Real, new int[] { i }))];
        if (Succeeds(() => _cache.Save(_file, saved), sequences.Exists(IsOpen) ? typeof(InvalidOperationException) : null))
        {
            // Reserved pages are not part of a text.
            _saved = [.. sequences.Select(sequence => new ModelSequence(sequence.Real) { Tokens = [.. sequence.Tokens], Pages = [.. sequence.Pages.Take(Pages(sequence.Tokens.Count))] })];
        }
    }

    private void Load(List<ModelSequence> saved)
    {
        // Where sequences shared a page, those that are loaded share another.
        Dictionary<ModelPage, ModelPage> loadedPages = saved.SelectMany(sequence => sequence.Pages).Distinct().ToDictionary(page => page, _ => new ModelPage());
        SavedSequence[] loaded = [];
        if (Succeeds(() => loaded = _cache.Load(_file), take: () => loadedPages.Count > FreePages() ? (loadedPages.Count, FreePages()) : null))
        {
            Assert.Equal(Enumerable.Range(0, saved.Count), loaded.Select(sequence => sequence.Tokens.Span[0]));
            _sequences.AddRange(saved.Select((sequence, i) => new ModelSequence(loaded[i].Sequence) { Tokens = [.. sequence.Tokens], Pages = [.. sequence.Pages.Select(page => loadedPages[page])] }));
        }
    }

    private int EvictBoth(int pages)
    {
        int freed = _cache.Prefixes.Evict(pages);
        Assert.Equal(_prefixes.Evict(pages, HeldBySequence), freed);
        return freed;
    }
}
