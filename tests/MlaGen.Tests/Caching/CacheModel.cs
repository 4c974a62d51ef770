namespace MlaGen.Tests.Caching;

/// <summary>
/// Carries out operations on a cache and, beside it, on plain lists; expects the same outcome, the same contents and the same pages after
/// each. Whatever a fault interrupts must have changed nothing.
/// </summary>
internal sealed partial class CacheModel : IDisposable
{
    private const int Layers = 2;

    private readonly int _pageTokens;
    private readonly int _pageCount;
    private readonly TestMemoryPool _memory;
    private readonly FaultPlan _faults = new();
    private readonly LatentCache<TinyAttention> _cache;
    private readonly MlaBatch<TinyAttention> _batch;
    private readonly List<ModelSequence> _sequences = [];
    private readonly List<ModelEntry> _open = [];
    private readonly ModelPrefixes _prefixes = new();
    private readonly string _file;
    private List<ModelSequence>? _saved;
    private readonly float[] _row = new float[TinyAttention.Shape.CacheRowElements];
    private int _rows;
    private int _layersRun;
    private int _nextContent;

    /// <param name="pageTokens">Tokens a page.</param>
    /// <param name="pages">Pages of the cache.</param>
    /// <param name="file">Where sequences are saved.</param>
    public CacheModel(int pageTokens, int pages, string file)
    {
        _file = file;
        _pageTokens = pageTokens;
        _pageCount = pages;
        _memory = new TestMemoryPool(Layers * pageTokens * CacheLayout.Of<TinyAttention>().RowBytes * 2);
        _cache = new(Layers, (long)pages * pageTokens, new LatentCacheOptions { PageTokens = pageTokens, Memory = _memory, Fault = _faults.Hit });
        _batch = _cache.CreateBatch();
    }

    /// <summary>Frees everything and expects that no page and no slab is lost.</summary>
    public void Dispose()
    {
        _batch.Dispose();
        _sequences.ForEach(sequence => sequence.Real.Dispose());
        _cache.Prefixes.Clear();
        Assert.Equal((0, 0, 0L, 0), (_cache.UsedPages, _cache.SharedPages, _cache.Tokens, _cache.Prefixes.Pages));
        _cache.Dispose();
        Assert.Equal(0, _memory.Outstanding);
    }

    public void Run(Operation operation)
    {
        switch (operation)
        {
            case Operation.Fault fault:
                _faults.FailAfter(fault.After);
                break;
            case Operation.Create:
                Create();
                break;
            case Operation.RunLayers run:
                RunLayers(run.Count);
                break;
            case Operation.Commit:
                Commit();
                break;
            case Operation.Rollback:
                Rollback();
                break;
            case Operation.Accept accept when _open.Count > 0:
                Accept(_open[accept.Entry % _open.Count], accept.Token);
                break;
            case Operation.Evict evict:
                EvictBoth(evict.Pages);
                break;
            case Operation.EvictWhenFull evict:
                _cache.OnFull = evict.Yes ? EvictBoth : null;
                break;
            case Operation.Save save:
                Save([.. _sequences.Where((_, i) => (save.Except >> (i % 8) & 1) == 0)]);
                break;
            case Operation.Load when _saved is not null:
                Load(_saved);
                break;
            case Operation.Fork fork when _sequences.Count > 0:
                Fork(At(fork.Sequence));
                break;
            case Operation.Add add when _sequences.Count > 0:
                Add(At(add.Sequence), add.Tokens, add.Positions, [.. Enumerable.Range(-1, add.Tokens)]);
                break;
            case Operation.AddTree tree when _sequences.Count > 0:
                Random random = new(tree.Seed);
                Add(At(tree.Sequence), tree.Tokens, firstPosition: -1, [.. Enumerable.Range(0, tree.Tokens).Select(token => random.Next(-1, token))]);
                break;
            case Operation.Ask ask when _sequences.Count > 0:
                Ask(At(ask.Sequence), ask.Queries);
                break;
            case Operation.Truncate truncate when _sequences.Count > 0:
                Truncate(At(truncate.Sequence), truncate.Length);
                break;
            case Operation.Reserve reserve when _sequences.Count > 0:
                Reserve(At(reserve.Sequence), reserve.Tokens);
                break;
            case Operation.Register register when _sequences.Count > 0:
                Register(At(register.Sequence));
                break;
            case Operation.Start start when _sequences.Count > 0:
                Start(At(start.Sequence), start.Length);
                break;
            case Operation.Dispose dispose when _sequences.Count > 0:
                DisposeSequence(At(dispose.Sequence));
                break;
        }

        Check();
    }

    private void Create()
    {
        LatentSequence? real = null;
        if (Succeeds(() => real = _cache.CreateSequence()))
        {
            _sequences.Add(new ModelSequence(real!));
        }
    }

    private void Fork(ModelSequence sequence)
    {
        LatentSequence? real = null;
        if (Succeeds(() => real = sequence.Real.Fork(), IsOpen(sequence) ? typeof(InvalidOperationException) : null))
        {
            sequence.Reserved = 0;
            Shrink(sequence, sequence.Tokens.Count);
            _sequences.Add(new ModelSequence(real!) { Tokens = [.. sequence.Tokens], Pages = [.. sequence.Pages] });
        }
    }

    private void Add(ModelSequence sequence, int tokens, int firstPosition, int[] parents)
    {
        bool explicitly = firstPosition >= 0;
        int[] positions = new int[tokens];
        for (int i = 0; i < tokens; i++)
        {
            positions[i] = parents[i] < 0 ? (explicitly ? firstPosition : sequence.NextPosition) : positions[parents[i]] + 1;
        }

        bool chain = parents.SequenceEqual(Enumerable.Range(-1, tokens));
        bool tooFar = (explicitly ? positions[^1] : sequence.NextPosition + tokens - 1) >= TinyAttention.Shape.MaxPositionEmbeddings;
        Type? refusal =
            explicitly && tooFar ? typeof(ArgumentOutOfRangeException) :
            _layersRun > 0 || IsOpen(sequence) ? typeof(InvalidOperationException) :
            tooFar ? typeof(ArgumentOutOfRangeException) : null;
        List<ModelPage> before = sequence.Pages;
        (int kept, int wanted) = Need(sequence, tokens);
        if (Succeeds(() => _batch.Add(sequence.Real, tokens, explicitly ? positions : default, chain ? default : parents), refusal, () => Take(sequence, kept, wanted)))
        {
            ModelEntry entry = new(sequence, _rows, positions, parents, before);
            entry.Accepted = entry.IsTree ? null : [.. Enumerable.Range(0, tokens)];
            _open.Add(entry);
            _rows += tokens;
        }
    }

    private void Ask(ModelSequence sequence, int queries)
    {
        if (Succeeds(() => _batch.AddQueries(sequence.Real, queries), _layersRun > 0 || IsOpen(sequence) ? typeof(InvalidOperationException) : null))
        {
            _open.Add(new ModelEntry(sequence, _rows, [], [], sequence.Pages) { Accepted = [] });
            _rows += queries;
        }
    }

    private void RunLayers(int count)
    {
        for (int i = 0; i < count && _layersRun < Layers && _open.Count > 0; i++)
        {
            _batch.WriteLayer(_layersRun++, row => _nextContent + row);
        }
    }

    private void Accept(ModelEntry entry, int token)
    {
        // Where the token is out of range, nothing is kept.
        int[] path = entry.PathTo(token < entry.Parents.Length ? token : -1);
        if (entry.IsTree || path.Length % 2 == 0)
        {
            _batch.Accept(entry.Sequence.Real, path);
        }
        else
        {
            _batch.Accept(entry.Sequence.Real, path.Length);
        }

        entry.Accepted = path;
    }

    private void Commit()
    {
        bool appends = _open.Exists(entry => entry.Positions.Length > 0);
        bool refused = _open.Count == 0 || (appends && _layersRun < Layers) || _open.Exists(entry => entry.Accepted is null);
        if (!Succeeds(_batch.Commit, refused ? typeof(InvalidOperationException) : null))
        {
            return;
        }

        foreach (ModelEntry entry in _open)
        {
            ModelSequence sequence = entry.Sequence;
            if (entry.Accepted!.Length == 0)
            {
                sequence.Pages = entry.PagesBefore;
            }

            sequence.Tokens.AddRange(entry.Accepted.Select(i => (entry.Positions[i], _nextContent + entry.FirstRow + i)));
            Shrink(sequence, Math.Max(sequence.Tokens.Count, sequence.Reserved));
        }

        _nextContent += _rows;
        Close();
    }

    private void Rollback()
    {
        _batch.Rollback();
        _open.ForEach(entry => entry.Sequence.Pages = entry.PagesBefore);
        Close();
    }

    private void Truncate(ModelSequence sequence, int length)
    {
        length %= sequence.Tokens.Count + 1;
        if (Succeeds(() => sequence.Real.Truncate(length), IsOpen(sequence) ? typeof(InvalidOperationException) : null))
        {
            sequence.Tokens.RemoveRange(length, sequence.Tokens.Count - length);
            sequence.Reserved = 0;
            Shrink(sequence, length);
        }
    }

    private void Reserve(ModelSequence sequence, int tokens)
    {
        bool? reserved = null;
        (int kept, int wanted) = Need(sequence, tokens);
        if (!Succeeds(() => reserved = sequence.Real.TryReserve(tokens), IsOpen(sequence) ? typeof(InvalidOperationException) : null))
        {
            return;
        }

        Assert.Equal(Take(sequence, kept, wanted) is null, reserved);
        if (reserved == true)
        {
            sequence.Reserved = sequence.Tokens.Count + tokens;
            Shrink(sequence, sequence.Reserved);
        }
    }

    private void DisposeSequence(ModelSequence sequence)
    {
        if (Succeeds(sequence.Real.Dispose, IsOpen(sequence) ? typeof(InvalidOperationException) : null))
        {
            _sequences.Remove(sequence);
        }
    }

    /// <summary>Of a sequence's pages those that stay when tokens are added, and the number of new ones.</summary>
    private (int Kept, int Wanted) Need(ModelSequence sequence, int tokens)
    {
        int length = sequence.Tokens.Count;
        bool copies = tokens > 0 && length % _pageTokens != 0 && IsShared(sequence.Pages[length / _pageTokens]);
        int kept = sequence.Pages.Count - (copies ? 1 : 0);
        return (kept, Math.Max(Pages(length + tokens), sequence.Pages.Count) - kept);
    }

    /// <summary>Gives a sequence of the model new pages, or says how many are wanted and free.</summary>
    private (int Wanted, int Free)? Take(ModelSequence sequence, int kept, int wanted)
    {
        if (wanted > FreePages())
        {
            return (wanted, FreePages());
        }

        sequence.Pages = [.. sequence.Pages.Take(kept), .. Enumerable.Range(0, wanted).Select(_ => new ModelPage())];
        return null;
    }

    private void Shrink(ModelSequence sequence, int tokens) => sequence.Pages = [.. sequence.Pages.Take(Pages(tokens))];

    /// <summary>Runs something that must end as expected, unless a fault is what ended it: then it must be as if it had not been tried.</summary>
    private static bool Succeeds(Action action, Type? refusal = null, Func<(int Wanted, int Free)?>? take = null)
    {
        Exception? e = Record.Exception(action);
        if (e is InjectedFaultException)
        {
            return false;
        }

        if (refusal is not null)
        {
            Assert.IsType(refusal, e);
            return false;
        }

        if (take?.Invoke() is (int wanted, int free))
        {
            LatentCacheFullException full = Assert.IsType<LatentCacheFullException>(e);
            Assert.Equal((wanted, free), (full.WantedPages, full.FreePages));
            return false;
        }

        Assert.Null(e);
        return true;
    }

    private void Check()
    {
        Dictionary<ModelPage, int> realPages = [];
        foreach (ModelSequence sequence in _sequences)
        {
            LatentSequence real = sequence.Real;
            List<(int Position, int Content)> tokens = sequence.Tokens;
            Assert.Equal((tokens.Count, sequence.NextPosition, sequence.Pages.Count), (real.Length, real.NextPosition, real.Pages.Length));
            for (int i = 0; i < sequence.Pages.Count; i++)
            {
                // The same page in the model, the same page in the cache.
                realPages.TryAdd(sequence.Pages[i], real.Pages[i]);
                Assert.Equal(realPages[sequence.Pages[i]], real.Pages[i]);
            }

            for (int token = 0; token < tokens.Count; token++)
            {
                Assert.Equal(tokens[token].Position, real.Positions[token]);
                for (int layer = 0; layer < Layers; layer++)
                {
                    real.ReadRow(layer, token, _row);
                    for (int element = 0; element < _row.Length; element++)
                    {
                        if (_row[element] != Steps.Element(tokens[token].Content, layer, element))
                        {
                            Assert.Fail($"token {token}, layer {layer}, element {element}: {_row[element]} instead of {Steps.Element(tokens[token].Content, layer, element)}");
                        }
                    }
                }
            }
        }

        Assert.Equal(realPages.Count, realPages.Values.Distinct().Count());
        List<ModelPage> holds = [.. Holds()];
        int used = holds.Distinct().Count();
        Assert.Equal((used, _pageCount - used, holds.GroupBy(page => page).Count(page => page.Count() > 1)), (_cache.UsedPages, _cache.FreePages, _cache.SharedPages));
        Assert.Equal((_sequences.Sum(sequence => sequence.Tokens.Count), _prefixes.Pages.Count()), (_cache.Tokens, _cache.Prefixes.Pages));
        Assert.Equal(_rows, _batch.Rows);
        Assert.Equal(_open.Count, _batch.Entries.Length);
        for (int i = 0; i < _open.Count; i++)
        {
            Assert.Equal((_open[i].Sequence.Real, _open[i].FirstRow, _open[i].Positions.Length), (_batch.Entries[i].Sequence, _batch.Entries[i].FirstRow, _batch.Entries[i].NewTokens));
        }
    }

    private void Close()
    {
        _open.Clear();
        _rows = 0;
        _layersRun = 0;
    }

    /// <summary>Every hold on a page: by sequences, by the index, and by an open step on the shared page that it will replace.</summary>
    private IEnumerable<ModelPage> Holds() =>
        _sequences.SelectMany(sequence => sequence.Pages)
            .Concat(_open.SelectMany(entry => entry.PagesBefore.Except(entry.Sequence.Pages)))
            .Concat(_prefixes.Pages);

    private bool IsShared(ModelPage page) => Holds().Count(held => held == page) > 1;

    private bool HeldBySequence(ModelPage page) =>
        _sequences.Exists(sequence => sequence.Pages.Contains(page)) || _open.Exists(entry => entry.PagesBefore.Contains(page));

    private bool IsOpen(ModelSequence sequence) => _open.Exists(entry => entry.Sequence == sequence);

    private int Pages(int tokens) => (tokens + _pageTokens - 1) / _pageTokens;

    private int FreePages() => _pageCount - Holds().Distinct().Count();

    private ModelSequence At(int index) => _sequences[index % _sequences.Count];
}
