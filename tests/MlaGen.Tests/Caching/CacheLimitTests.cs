namespace MlaGen.Tests.Caching;

public sealed class CacheLimitTests
{
    private const int Layers = 2;
    private const int PageBytes = Layers * 4 * 24;

    [Theory]
    [InlineData(PageBytes, 1)]
    [InlineData((3 * PageBytes) - 1, 2)]
    [InlineData(3 * PageBytes, 3)]
    [InlineData(100 * PageBytes, 10)]
    public void Bytes_limit_the_pages_beside_the_tokens(long maxBytes, int pages)
    {
        using LatentCache<TinyAttention> cache = new(Layers, maxTokens: 40, new LatentCacheOptions { MaxBytes = maxBytes });
        Assert.Equal((pages, 4L * pages, (long)pages * PageBytes), (cache.FreePages, cache.MaxTokens, cache.Bytes));
    }

    [Fact]
    public void A_limit_in_bytes_makes_any_number_of_tokens_possible()
    {
        using LatentCache<TinyAttention> cache = new(Layers, long.MaxValue, new LatentCacheOptions { MaxBytes = 1000 });
        Assert.Equal(5, cache.FreePages);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(PageBytes - 1)]
    public void A_limit_below_one_page_is_refused(long maxBytes)
        => Assert.Throws<ArgumentOutOfRangeException>(() => new LatentCache<TinyAttention>(Layers, 40, new LatentCacheOptions { MaxBytes = maxBytes }));

    [Fact]
    public void Reserved_tokens_can_be_added_when_the_cache_is_full_otherwise()
    {
        using LatentCache<TinyAttention> cache = new(Layers, maxTokens: 16);
        using LatentSequence first = cache.CreateSequence();
        using LatentSequence second = cache.CreateSequence();
        using MlaBatch<TinyAttention> batch = cache.CreateBatch();
        batch.Append(first, 2);
        Assert.True(first.TryReserve(9));
        Assert.False(second.TryReserve(5));
        Assert.Equal((2, 3), (first.Length, cache.UsedPages));
        batch.Append(second, 4);
        batch.Add(first, 4);
        batch.Rollback();
        Assert.Equal(4, cache.UsedPages);
        batch.Append(first, 3, first: 2);
        batch.Append(first, 6, first: 5);
        Assert.Equal((11, 4), (first.Length, cache.UsedPages));
        first.AssertHolds(10, layer: 1, content: 10);
    }

    [Fact]
    public void A_reservation_is_replaced_by_another_and_ended_by_none_by_truncating_and_by_forking()
    {
        using LatentCache<TinyAttention> cache = new(Layers, maxTokens: 40);
        using LatentSequence sequence = cache.CreateSequence();
        Action[] ends = [() => sequence.TryReserve(0), () => sequence.Truncate(0), () => sequence.Fork().Dispose()];
        foreach (Action end in ends)
        {
            Assert.True(sequence.TryReserve(30));
            Assert.True(sequence.TryReserve(10));
            Assert.Equal(3, cache.UsedPages);
            end();
            Assert.Equal(0, cache.UsedPages);
        }
    }

    [Fact]
    public void A_reservation_makes_the_last_page_the_sequences_own()
    {
        using LatentCache<TinyAttention> cache = new(Layers, maxTokens: 12);
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<TinyAttention> batch = cache.CreateBatch();
        batch.Append(sequence, 3);
        using LatentSequence fork = sequence.Fork();
        Assert.True(fork.TryReserve(1));
        Assert.Equal((2, 0), (cache.UsedPages, cache.SharedPages));
        Assert.True(sequence.TryReserve(5));
        batch.Append(fork, 1, first: 9);
        fork.AssertHolds(2, layer: 1, content: 2);
        fork.AssertHolds(3, layer: 1, content: 9);
    }

    [Theory]
    [InlineData(41)]
    [InlineData(int.MaxValue)]
    public void More_tokens_than_the_cache_can_have_are_not_reserved(int tokens)
    {
        using LatentCache<TinyAttention> cache = new(Layers, maxTokens: 40);
        using LatentSequence sequence = cache.CreateSequence();
        Assert.False(sequence.TryReserve(tokens));
        Assert.True(sequence.TryReserve(40));
        Assert.Throws<ArgumentOutOfRangeException>(() => sequence.TryReserve(-1));
    }

    [Fact]
    public void A_full_cache_asks_for_the_pages_it_lacks_and_goes_on_if_it_gets_them()
    {
        using LatentCache<TinyAttention> cache = new(Layers, maxTokens: 16);
        using LatentSequence first = cache.CreateSequence();
        using LatentSequence second = cache.CreateSequence();
        using MlaBatch<TinyAttention> batch = cache.CreateBatch();
        batch.Append(first, 12);
        List<int> asked = [];
        cache.OnFull = missing =>
        {
            asked.Add(missing);
            first.Truncate(first.Length - 4);
            return 1;
        };
        batch.Append(second, 12);
        Assert.Equal([2, 1], asked);
        Assert.Equal((4, 12), (first.Length, second.Length));

        cache.OnFull = missing =>
        {
            asked.Add(missing);
            return 0;
        };
        Assert.Throws<LatentCacheFullException>(() => batch.Add(second, 1));
        Assert.Equal([2, 1, 1], asked);
    }

    [Fact]
    public void What_the_hook_throws_comes_out_and_nothing_is_taken()
    {
        using LatentCache<TinyAttention> cache = new(Layers, maxTokens: 12);
        using LatentSequence sequence = cache.CreateSequence();
        using LatentSequence other = cache.CreateSequence();
        using MlaBatch<TinyAttention> batch = cache.CreateBatch();
        batch.Append(sequence, 3);
        Assert.True(other.TryReserve(1));
        cache.OnFull = _ => throw new InjectedFaultException();
        Assert.Throws<InjectedFaultException>(() => batch.Add(sequence, 6));
        Assert.Throws<InjectedFaultException>(() => sequence.TryReserve(6));
        cache.OnFull = _ =>
        {
            sequence.Truncate(0);
            return 1;
        };
        Assert.Throws<InvalidOperationException>(() => batch.Add(sequence, 6));
        Assert.Equal((3, 2, 0), (sequence.Length, cache.UsedPages, batch.Rows));
        sequence.Truncate(0);
    }
}
