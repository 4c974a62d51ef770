namespace MlaGen.Tests.Caching;

public sealed class ForkTests : IDisposable
{
    private const int Layers = 2;

    private readonly FaultPlan _faults = new();
    private readonly LatentCache<TinyAttention> _cache;
    private readonly LatentSequence _sequence;
    private readonly MlaBatch<TinyAttention> _batch;

    public ForkTests()
    {
        _cache = new(Layers, maxTokens: 40, new LatentCacheOptions { Fault = _faults.Hit, Memory = new TestMemoryPool(Layers * 4 * 24) });
        _sequence = _cache.CreateSequence();
        _batch = _cache.CreateBatch();
    }

    public void Dispose()
    {
        _batch.Dispose();
        _sequence.Dispose();
        Assert.Equal((0, 0, 0L), (_cache.UsedPages, _cache.SharedPages, _cache.Tokens));
        _cache.Dispose();
    }

    [Fact]
    public void A_fork_has_the_same_tokens_and_takes_no_page()
    {
        _batch.Add(_sequence, 6, [3, 1, 4, 1, 5, 9]);
        _batch.WriteAllLayers();
        _batch.Commit();
        using LatentSequence fork = _sequence.Fork();
        Assert.Equal((6, 10, 2, 2, 12L), (fork.Length, fork.NextPosition, _cache.UsedPages, _cache.SharedPages, _cache.Tokens));
        Assert.Equal(_sequence.Positions.ToArray(), fork.Positions.ToArray());
        AssertContents(fork, 0, 1, 2, 3, 4, 5);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Whoever_appends_first_copies_the_partly_filled_page_and_neither_sees_the_other(bool forkFirst)
    {
        _batch.Append(_sequence, 6);
        using LatentSequence fork = _sequence.Fork();
        int[] pages = _sequence.Pages.ToArray();
        (LatentSequence first, LatentSequence second) = forkFirst ? (fork, _sequence) : (_sequence, fork);
        _batch.Append(first, 1, first: 50);
        Assert.Equal((3, 1), (_cache.UsedPages, _cache.SharedPages));
        _batch.Append(second, 1, first: 60);
        Assert.Equal((3, 1), (_cache.UsedPages, _cache.SharedPages));
        Assert.Equal(pages, second.Pages.ToArray());
        AssertContents(first, 0, 1, 2, 3, 4, 5, 50);
        AssertContents(second, 0, 1, 2, 3, 4, 5, 60);
    }

    [Fact]
    public void Both_may_append_in_one_step()
    {
        _batch.Append(_sequence, 6);
        using LatentSequence fork = _sequence.Fork();
        _batch.Add(_sequence, 1);
        _batch.Add(fork, 1);
        _batch.WriteAllLayers(row => 50 + row);
        _batch.Commit();
        AssertContents(_sequence, 0, 1, 2, 3, 4, 5, 50);
        AssertContents(fork, 0, 1, 2, 3, 4, 5, 51);
        Assert.Equal(3, _cache.UsedPages);
    }

    [Fact]
    public void Rolling_a_step_back_restores_the_shared_last_page()
    {
        _batch.Append(_sequence, 6);
        using LatentSequence fork = _sequence.Fork();
        int[] pages = fork.Pages.ToArray();
        _batch.Add(fork, 7);
        Assert.Equal(5, _cache.UsedPages);
        _batch.WriteAllLayers(_ => 77);
        _batch.Rollback();
        Assert.Equal(pages, fork.Pages.ToArray());
        Assert.Equal((2, 2), (_cache.UsedPages, _cache.SharedPages));
        AssertContents(_sequence, 0, 1, 2, 3, 4, 5);
    }

    [Fact]
    public void A_page_that_nobody_else_holds_any_more_is_not_copied()
    {
        _batch.Append(_sequence, 6);
        int[] pages = _sequence.Pages.ToArray();
        _sequence.Fork().Dispose();
        _batch.Append(_sequence, 1, first: 6);
        Assert.Equal(pages, _sequence.Pages.ToArray());
    }

    [Fact]
    public void Truncating_into_a_shared_page_leaves_the_other_sequence_whole()
    {
        _batch.Append(_sequence, 8);
        using LatentSequence fork = _sequence.Fork();
        _sequence.Truncate(5);
        _batch.Append(_sequence, 2, first: 90);
        AssertContents(_sequence, 0, 1, 2, 3, 4, 90, 91);
        AssertContents(fork, 0, 1, 2, 3, 4, 5, 6, 7);
    }

    [Fact]
    public void The_copy_of_the_last_page_counts_among_the_pages_that_are_missing()
    {
        _batch.Append(_sequence, 38);
        using LatentSequence fork = _sequence.Fork();
        LatentCacheFullException e = Assert.Throws<LatentCacheFullException>(() => _batch.Add(fork, 1));
        Assert.Equal((1, 0), (e.WantedPages, e.FreePages));
        fork.Truncate(36);
        _batch.Append(_sequence, 2, first: 38);
        AssertContents(fork, [.. Enumerable.Range(0, 36)]);
        AssertContents(_sequence, [.. Enumerable.Range(0, 40)]);
    }

    [Fact]
    public void In_an_open_batch_a_sequence_is_not_forked()
    {
        _batch.Append(_sequence, 3);
        _batch.Add(_sequence, 1);
        Assert.Contains("in an open batch", Assert.Throws<InvalidOperationException>(_sequence.Fork).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => _sequence.TryReserve(1));
        _batch.Rollback();
        _sequence.Fork().Dispose();
    }

    [Fact]
    public void Disposed_sequences_are_neither_forked_nor_reserved()
    {
        LatentSequence fork = _sequence.Fork();
        fork.Dispose();
        Assert.Throws<ObjectDisposedException>(fork.Fork);
        Assert.Throws<ObjectDisposedException>(() => fork.TryReserve(1));
    }

    [Fact]
    public void A_thousand_forks_of_four_thousand_tokens_cost_two_pages_each_at_most_and_keep_their_own_tokens()
    {
        const int Tokens = 4_096;
        const int Forks = 1_000;
        using LatentCache<LongAttention> cache = new(layers: 1, maxTokens: Tokens + (Forks * 2 * 37), new LatentCacheOptions { PageTokens = 37 });
        using LatentSequence source = cache.CreateSequence();
        using MlaBatch<LongAttention> batch = cache.CreateBatch();
        batch.Append(source, Tokens);
        int pages = cache.UsedPages;
        LatentSequence[] forks = [.. Enumerable.Range(0, Forks).Select(_ => source.Fork())];
        Assert.Equal(pages, cache.UsedPages);
        for (int i = 0; i < Forks; i++)
        {
            batch.Append(forks[i], 12, first: 5_000 + i);
        }

        Assert.Equal(pages + (2 * Forks), cache.UsedPages);
        for (int i = 0; i < Forks; i++)
        {
            forks[i].AssertHolds(Tokens - 1, layer: 0, Tokens - 1);
            forks[i].AssertHolds(Tokens, layer: 0, 5_000 + i);
            forks[i].AssertHolds(Tokens + 11, layer: 0, 5_011 + i);
            forks[i].Dispose();
        }

        Assert.Equal(pages, cache.UsedPages);
    }

    [Fact]
    public void No_page_is_lost_wherever_appending_fails()
    {
        _batch.Append(_sequence, 6);
        LatentSequence fork = _sequence.Fork();
        (int, int, long) before = (_cache.UsedPages, _cache.SharedPages, _cache.Tokens);
        int faults = _faults.FailEverywhere(
            () => _batch.Add(fork, 22),
            () =>
            {
                Assert.Equal((0, 6), (_batch.Rows, fork.Length));
                Assert.Equal(before, (_cache.UsedPages, _cache.SharedPages, _cache.Tokens));
                Assert.Equal(_sequence.Pages.ToArray(), fork.Pages.ToArray());
                AssertContents(fork, 0, 1, 2, 3, 4, 5);
            });
        Assert.InRange(faults, 8, 100);
        _batch.WriteAllLayers(row => 10 + row);
        _batch.Commit();
        AssertContents(fork, [0, 1, 2, 3, 4, 5, .. Enumerable.Range(10, 22)]);
        fork.Dispose();
    }

    [Fact]
    public void No_page_is_lost_wherever_forking_fails()
    {
        _batch.Append(_sequence, 6);
        LatentSequence? fork = null;
        int faults = _faults.FailEverywhere(() => fork = _sequence.Fork(), () => Assert.Equal((2, 0, 6L), (_cache.UsedPages, _cache.SharedPages, _cache.Tokens)));
        Assert.InRange(faults, 3, 100);
        fork!.Dispose();
    }

    [Fact]
    public void What_keeps_or_frees_pages_needs_nothing_that_could_run_out()
    {
        _batch.Append(_sequence, 6);
        LatentSequence fork = _sequence.Fork();
        _batch.Add(_sequence, 9);
        _batch.Add(fork, 3, parents: [-1, -1, 1]);
        _batch.WriteAllLayers();
        _faults.FailAfter(0);
        _batch.Accept(_sequence, 2);
        _batch.Accept(fork, [1, 2]);
        _batch.Commit();
        _sequence.Truncate(5);
        fork.Dispose();
        Assert.Equal((2, 0, 5L), (_cache.UsedPages, _cache.SharedPages, _cache.Tokens));
        Assert.Throws<InjectedFaultException>(_sequence.Fork);
    }

    [Fact]
    public void Many_threads_append_to_forks_of_one_sequence()
    {
        using LatentCache<TinyAttention> cache = new(Layers, maxTokens: 200, new LatentCacheOptions { Memory = new TestMemoryPool(Layers * 4 * 24) });
        using LatentSequence source = cache.CreateSequence();
        using (MlaBatch<TinyAttention> first = cache.CreateBatch())
        {
            first.Append(source, 7);
        }

        for (int round = 0; round < 50; round++)
        {
            LatentSequence[] forks = [.. Enumerable.Range(0, 4).Select(_ => source.Fork())];
            Parallel.For(0, forks.Length, i =>
            {
                using MlaBatch<TinyAttention> batch = cache.CreateBatch();
                batch.Append(forks[i], 3, first: 100 * (i + 1));
                AssertContents(forks[i], [.. Enumerable.Range(0, 7), .. Enumerable.Range(100 * (i + 1), 3)]);
                forks[i].Dispose();
            });
            AssertContents(source, [.. Enumerable.Range(0, 7)]);
            Assert.Equal((2, 0), (cache.UsedPages, cache.SharedPages));
        }
    }

    private static void AssertContents(LatentSequence sequence, params int[] contents)
    {
        Assert.Equal(contents.Length, sequence.Length);
        for (int token = 0; token < contents.Length; token++)
        {
            for (int layer = 0; layer < Layers; layer++)
            {
                sequence.AssertHolds(token, layer, contents[token]);
            }
        }
    }
}
