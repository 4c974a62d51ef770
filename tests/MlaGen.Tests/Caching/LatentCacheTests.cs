namespace MlaGen.Tests.Caching;

public sealed class LatentCacheTests
{
    private const int Layers = 3;
    private const int PageBytes = Layers * 4 * 24;

    [Fact]
    public void Size_is_known_before_memory_is_taken_and_rounded_up_to_whole_pages()
    {
        TestMemoryPool memory = new();
        using LatentCache<TinyAttention> cache = new(Layers, maxTokens: 9, new LatentCacheOptions { Memory = memory });
        Assert.Equal((Layers, 4, 12L, 3L * PageBytes), (cache.Layers, cache.PageTokens, cache.MaxTokens, cache.Bytes));
        Assert.Equal((0, 3), (cache.UsedPages, cache.FreePages));
        Assert.Equal(cache.Bytes, CacheLayout.Of<TinyAttention>().Bytes(Layers, 9));
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<TinyAttention> batch = cache.CreateBatch();
        Assert.Equal(0, memory.Rented);
        batch.Add(sequence, 1);
        Assert.Equal(1, memory.Rented);
    }

    [Fact]
    public void A_cache_of_more_tokens_than_memory_can_be_described()
    {
        using LatentCache<TinyAttention> cache = new(Layers, maxTokens: 4_000_000_000);
        Assert.Equal(4_000_000_000L * Layers * 24, cache.Bytes);
    }

    [Theory]
    [InlineData(0, 4, 9, 12)]
    [InlineData(1, 1, 9, 9)]
    [InlineData(37, 37, 75, 111)]
    public void Page_size_is_an_option(int option, int pageTokens, long tokens, long maxTokens)
    {
        using LatentCache<TinyAttention> cache = new(Layers, tokens, new LatentCacheOptions { PageTokens = option });
        Assert.Equal((pageTokens, maxTokens), (cache.PageTokens, cache.MaxTokens));
        Assert.Equal(cache.Bytes, CacheLayout.Of<TinyAttention>().Bytes(Layers, tokens, option));
    }

    [Theory]
    [InlineData(0, 1, 0, "layers")]
    [InlineData(-1, 1, 0, "layers")]
    [InlineData(1, 0, 0, "maxTokens")]
    [InlineData(1, -5, 0, "maxTokens")]
    [InlineData(1, 1, -1, "options.PageTokens")]
    [InlineData(1, long.MaxValue, 0, "maxTokens")]
    public void Impossible_sizes_are_refused_by_name(int layers, long tokens, int pageTokens, string name)
    {
        ArgumentOutOfRangeException e = Assert.Throws<ArgumentOutOfRangeException>(
            () => new LatentCache<TinyAttention>(layers, tokens, new LatentCacheOptions { PageTokens = pageTokens }));
        Assert.Equal(name, e.ParamName);
    }

    [Fact]
    public void A_page_beyond_one_piece_of_memory_is_refused_with_its_arithmetic()
    {
        ArgumentException e = Assert.Throws<ArgumentException>(
            () => new LatentCache<TinyAttention>(1000, 1, new LatentCacheOptions { PageTokens = 1_000_000 }));
        Assert.Contains("1000 layers x 1000000 tokens x 24 bytes takes 24000000000 bytes", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Slabs_are_whole_pages_no_larger_than_the_pool_allows_and_the_last_one_no_larger_than_needed()
    {
        TestMemoryPool memory = new(maxBufferSize: (2 * PageBytes) + 1);
        using LatentCache<TinyAttention> cache = new(Layers, maxTokens: 5 * 4, new LatentCacheOptions { Memory = memory });
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<TinyAttention> batch = cache.CreateBatch();
        batch.Append(sequence, 4);
        Assert.Equal([2 * PageBytes], memory.Sizes);
        batch.Append(sequence, 16);
        Assert.Equal([2 * PageBytes, 2 * PageBytes, PageBytes], memory.Sizes);
    }

    [Fact]
    public void Disposing_gives_every_slab_back_once()
    {
        TestMemoryPool memory = new(PageBytes);
        LatentCache<TinyAttention> cache = new(Layers, maxTokens: 20, new LatentCacheOptions { Memory = memory });
        LatentSequence sequence = cache.CreateSequence();
        MlaBatch<TinyAttention> batch = cache.CreateBatch();
        batch.Append(sequence, 9);
        Assert.Equal(3, memory.Outstanding);
        cache.Dispose();
        cache.Dispose();
        Assert.Equal(0, memory.Outstanding);
        sequence.Dispose();
        batch.Dispose();
    }

    [Fact]
    public void After_disposal_everything_but_disposal_is_refused()
    {
        LatentCache<TinyAttention> cache = new(Layers, maxTokens: 20);
        LatentSequence sequence = cache.CreateSequence();
        MlaBatch<TinyAttention> batch = cache.CreateBatch();
        batch.Append(sequence, 5);
        cache.Dispose();
        Assert.Throws<ObjectDisposedException>(cache.CreateSequence);
        Assert.Throws<ObjectDisposedException>(() => cache.CreateBatch());
        Assert.Throws<ObjectDisposedException>(() => batch.Add(sequence, 1));
        Assert.Throws<ObjectDisposedException>(() => batch.AddQueries(sequence, 1));
        Assert.Throws<ObjectDisposedException>(() => sequence.Truncate(1));
        Assert.Throws<ObjectDisposedException>(() => sequence.ReadRow(0, 0, new float[6]));
        sequence.Dispose();
        batch.Dispose();
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(21)]
    public void A_batch_is_ready_for_no_more_rows_than_there_is_room_for(int reserveRows)
    {
        using LatentCache<TinyAttention> cache = new(Layers, maxTokens: 20);
        var e = Assert.Throws<ArgumentOutOfRangeException>(() => cache.CreateBatch(reserveRows: reserveRows));
        Assert.Equal(reserveRows, e.ActualValue is long rows ? (int)rows : e.ActualValue);
    }

    [Fact]
    public void A_cache_with_an_open_batch_is_not_disposed()
    {
        using LatentCache<TinyAttention> cache = new(Layers, maxTokens: 20);
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<TinyAttention> batch = cache.CreateBatch();
        batch.Add(sequence, 2);
        InvalidOperationException e = Assert.Throws<InvalidOperationException>(cache.Dispose);
        Assert.Contains("open batch", e.Message, StringComparison.Ordinal);
        batch.WriteAllLayers();
        batch.Commit();
        Assert.Equal(2, sequence.Length);
    }

    [Fact]
    public void Many_threads_with_a_sequence_each_keep_their_rows_apart_and_lose_no_page()
    {
        const int Tokens = 30;
        using LatentCache<TinyAttention> cache = new(Layers, maxTokens: 8 * 32, new LatentCacheOptions { Memory = new TestMemoryPool(PageBytes) });
        Parallel.For(0, 8, thread =>
        {
            using LatentSequence sequence = cache.CreateSequence();
            using MlaBatch<TinyAttention> batch = cache.CreateBatch();
            for (int round = 0; round < 20; round++)
            {
                for (int token = 0; token < Tokens; token++)
                {
                    batch.Append(sequence, 1, first: (thread * Tokens) + token);
                }

                for (int token = 0; token < Tokens; token++)
                {
                    sequence.AssertHolds(token, layer: 1, (thread * Tokens) + token);
                }

                sequence.Truncate(0);
            }
        });
        Assert.Equal(0, cache.UsedPages);
    }
}
