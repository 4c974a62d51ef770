namespace MlaGen.Tests.Caching;

/// <summary>One thing done to a cache. Numbers are taken modulo what there is, so that every list of operations means something.</summary>
internal abstract record Operation
{
    public sealed record Create : Operation;

    public sealed record Add(int Sequence, int Tokens, int Positions) : Operation;

    public sealed record Ask(int Sequence, int Queries) : Operation;

    public sealed record RunLayers(int Count) : Operation;

    public sealed record Commit : Operation;

    public sealed record Rollback : Operation;

    public sealed record Truncate(int Sequence, int Length) : Operation;

    public sealed record Dispose(int Sequence) : Operation;

    public sealed record RefuseMemory : Operation;
}

/// <summary>
/// Carries out operations on a cache and, beside it, on plain lists; expects the same outcome, the same contents and the same page count
/// after each.
/// </summary>
internal sealed class CacheModel : IDisposable
{
    private const int Layers = 2;

    private readonly int _pageTokens;
    private readonly TestMemoryPool _memory;
    private readonly LatentCache<TinyAttention> _cache;
    private readonly MlaBatch<TinyAttention> _batch;
    private readonly List<(LatentSequence Real, List<(int Position, int Content)> Tokens)> _sequences = [];
    private readonly List<(int Sequence, int FirstRow, int[] Positions)> _open = [];
    private int _rows;
    private int _layersRun;
    private int _nextContent;

    public CacheModel(int pageTokens, int pages)
    {
        _pageTokens = pageTokens;
        _memory = new TestMemoryPool(Layers * pageTokens * TinyAttention.Shape.CacheRowBytes * 2);
        _cache = new(Layers, (long)pages * pageTokens, new LatentCacheOptions { PageTokens = pageTokens, Memory = _memory });
        _batch = _cache.CreateBatch();
    }

    /// <summary>Frees everything and expects that no page and no slab is lost.</summary>
    public void Dispose()
    {
        _batch.Dispose();
        foreach ((LatentSequence real, _) in _sequences)
        {
            real.Dispose();
        }

        Assert.Equal(0, _cache.UsedPages);
        _cache.Dispose();
        Assert.Equal(0, _memory.Outstanding);
    }

    public void Run(Operation operation)
    {
        switch (operation)
        {
            case Operation.Create:
                _sequences.Add((_cache.CreateSequence(), []));
                break;
            case Operation.RefuseMemory:
                _memory.FailNext = true;
                break;
            case Operation.RunLayers run:
                RunLayers(run.Count);
                break;
            case Operation.Commit:
                Commit();
                break;
            case Operation.Rollback:
                _batch.Rollback();
                Close();
                break;
            case Operation.Add add when _sequences.Count > 0:
                Add(add.Sequence % _sequences.Count, add.Tokens, add.Positions);
                break;
            case Operation.Ask ask when _sequences.Count > 0:
                Ask(ask.Sequence % _sequences.Count, ask.Queries);
                break;
            case Operation.Truncate truncate when _sequences.Count > 0:
                Truncate(truncate.Sequence % _sequences.Count, truncate.Length);
                break;
            case Operation.Dispose dispose when _sequences.Count > 0:
                DisposeSequence(dispose.Sequence % _sequences.Count);
                break;
        }

        Check();
    }

    private void Add(int index, int tokens, int firstPosition)
    {
        (LatentSequence real, List<(int Position, int Content)> model) = _sequences[index];
        bool explicitly = firstPosition >= 0;
        int first = explicitly ? firstPosition : NextPosition(model);
        int[] positions = [.. Enumerable.Range(first, tokens)];
        int wanted = Pages(model.Count + tokens) - Pages(model.Count);
        bool refusesMemory = _memory.FailNext;

        Exception? e = Record.Exception(() => _batch.Add(real, tokens, explicitly ? positions : default));
        if (explicitly && positions[^1] >= TinyAttention.Shape.MaxPositionEmbeddings)
        {
            Assert.IsType<ArgumentOutOfRangeException>(e);
        }
        else if (_layersRun > 0 || IsOpen(index))
        {
            Assert.IsType<InvalidOperationException>(e);
        }
        else if (positions[^1] >= TinyAttention.Shape.MaxPositionEmbeddings)
        {
            Assert.IsType<ArgumentOutOfRangeException>(e);
        }
        else if (wanted > FreePages())
        {
            LatentCacheFullException full = Assert.IsType<LatentCacheFullException>(e);
            Assert.Equal((wanted, FreePages()), (full.WantedPages, full.FreePages));
        }
        else if (refusesMemory && !_memory.FailNext)
        {
            Assert.IsType<InsufficientMemoryException>(e);
        }
        else
        {
            Assert.Null(e);
            _open.Add((index, _rows, positions));
            _rows += tokens;
        }
    }

    private void Ask(int index, int queries)
    {
        Exception? e = Record.Exception(() => _batch.AddQueries(_sequences[index].Real, queries));
        if (_layersRun > 0 || IsOpen(index))
        {
            Assert.IsType<InvalidOperationException>(e);
        }
        else
        {
            Assert.Null(e);
            _open.Add((index, _rows, []));
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

    private void Commit()
    {
        Exception? e = Record.Exception(_batch.Commit);
        bool appends = _open.Exists(entry => entry.Positions.Length > 0);
        if (_open.Count == 0 || (appends && _layersRun < Layers))
        {
            Assert.IsType<InvalidOperationException>(e);
            return;
        }

        Assert.Null(e);
        foreach ((int sequence, int firstRow, int[] positions) in _open)
        {
            _sequences[sequence].Tokens.AddRange(positions.Select((position, i) => (position, _nextContent + firstRow + i)));
        }

        _nextContent += _rows;
        Close();
    }

    private void Truncate(int index, int length)
    {
        (LatentSequence real, List<(int Position, int Content)> model) = _sequences[index];
        length %= model.Count + 1;
        Exception? e = Record.Exception(() => real.Truncate(length));
        if (IsOpen(index))
        {
            Assert.IsType<InvalidOperationException>(e);
        }
        else
        {
            Assert.Null(e);
            model.RemoveRange(length, model.Count - length);
        }
    }

    private void DisposeSequence(int index)
    {
        if (IsOpen(index))
        {
            Assert.Throws<InvalidOperationException>(_sequences[index].Real.Dispose);
        }
        else
        {
            _sequences[index].Real.Dispose();
            _sequences.RemoveAt(index);
            for (int i = 0; i < _open.Count; i++)
            {
                _open[i] = _open[i] with { Sequence = _open[i].Sequence - (_open[i].Sequence > index ? 1 : 0) };
            }
        }
    }

    private void Check()
    {
        HashSet<int> pages = [];
        for (int index = 0; index < _sequences.Count; index++)
        {
            (LatentSequence real, List<(int Position, int Content)> model) = _sequences[index];
            Assert.Equal((model.Count, NextPosition(model)), (real.Length, real.NextPosition));
            Assert.Equal(model.Select(token => token.Position), real.Positions.ToArray());
            Assert.Equal(Pages(model.Count + Reserved(index)), real.Pages.Length);
            Assert.All(real.Pages.ToArray(), page => Assert.True(pages.Add(page), $"page {page} is held twice"));
            for (int token = 0; token < model.Count; token++)
            {
                for (int layer = 0; layer < Layers; layer++)
                {
                    real.AssertHolds(token, layer, model[token].Content);
                }
            }
        }

        Assert.Equal(pages.Count, _cache.UsedPages);
        Assert.Equal(FreePages(), _cache.FreePages);
        Assert.Equal(_rows, _batch.Rows);
        Assert.Equal(_open.Select(entry => (_sequences[entry.Sequence].Real, entry.FirstRow, entry.Positions.Length)), _batch.Entries.ToArray().Select(entry => (entry.Sequence, entry.FirstRow, entry.NewTokens)));
    }

    private void Close()
    {
        _open.Clear();
        _rows = 0;
        _layersRun = 0;
    }

    private bool IsOpen(int index) => _open.Exists(entry => entry.Sequence == index);

    private int Reserved(int index) => _open.Where(entry => entry.Sequence == index).Sum(entry => entry.Positions.Length);

    private int Pages(int tokens) => (tokens + _pageTokens - 1) / _pageTokens;

    private int FreePages()
    {
        int used = 0;
        for (int index = 0; index < _sequences.Count; index++)
        {
            used += Pages(_sequences[index].Tokens.Count + Reserved(index));
        }

        return (int)(_cache.MaxTokens / _pageTokens) - used;
    }

    private static int NextPosition(List<(int Position, int Content)> model) => model.Count == 0 ? 0 : model[^1].Position + 1;
}
