namespace MlaGen.Tests.Caching;

public sealed class PrefixIndexTests : IDisposable
{
    private const int Layers = 2;

    private readonly FaultPlan _faults = new();
    private readonly LatentCache<TinyAttention> _cache;
    private readonly MlaBatch<TinyAttention> _batch;

    public PrefixIndexTests()
    {
        _cache = new(Layers, maxTokens: 40, new LatentCacheOptions { Fault = _faults.Hit });
        _batch = _cache.CreateBatch();
    }

    public void Dispose()
    {
        _batch.Dispose();
        _cache.Prefixes.Clear();
        Assert.Equal((0, 0), (_cache.UsedPages, _cache.Prefixes.Pages));
        _cache.Dispose();
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(4, 0)]
    [InlineData(5, 4)]
    [InlineData(8, 4)]
    [InlineData(9, 8)]
    [InlineData(14, 8)]
    public void A_prompt_starts_from_the_known_full_pages_and_leaves_a_token_to_compute(int promptTokens, int known)
    {
        int[] text = [.. Enumerable.Range(100, 14)];
        Know(text[..11]);
        int used = _cache.UsedPages;
        Assert.Equal(known > 0, _cache.Prefixes.TryStart(text.AsSpan(0, promptTokens), out LatentSequence? sequence));
        Assert.Equal(known, sequence?.Length ?? 0);
        Assert.Equal((2, 2), (used, _cache.UsedPages));
        for (int token = 0; token < known; token++)
        {
            sequence!.AssertHolds(token, layer: 1, content: 100 + token);
            Assert.Equal(token, sequence!.Positions[token]);
        }

        sequence?.Dispose();
    }

    [Fact]
    public void A_prompt_that_differs_anywhere_shares_only_what_comes_before()
    {
        int[] text = [.. Enumerable.Range(100, 12)];
        Know(text);
        for (int different = 0; different < 12; different++)
        {
            int[] prompt = [.. text, 7];
            prompt[different] = -1;
            bool found = _cache.Prefixes.TryStart(prompt, out LatentSequence? sequence);
            Assert.Equal((different / 4 * 4, different >= 4), (sequence?.Length ?? 0, found));
            sequence?.Dispose();
        }
    }

    [Fact]
    public void The_same_page_after_another_prefix_is_not_shared()
    {
        Know([1, 2, 3, 4, 5, 6, 7, 8]);
        Know([9, 9, 9, 9, 1, 2, 3, 4]);
        Assert.False(_cache.Prefixes.TryStart([5, 6, 7, 8, 0], out _));
        Assert.True(_cache.Prefixes.TryStart([9, 9, 9, 9, 5, 6, 7, 8, 0], out LatentSequence? sequence));
        Assert.Equal(4, sequence.Length);
        sequence.Dispose();
    }

    [Fact]
    public void A_started_sequence_goes_its_own_way()
    {
        int[] text = [.. Enumerable.Range(100, 8)];
        Know(text);
        Assert.True(_cache.Prefixes.TryStart([.. text, 1], out LatentSequence? first));
        Assert.True(_cache.Prefixes.TryStart([.. text, 2], out LatentSequence? second));
        first.Truncate(6);
        _batch.Append(first, 3, first: 50);
        _batch.Append(second, 2, first: 60);
        first.AssertHolds(5, layer: 0, content: 105);
        first.AssertHolds(6, layer: 0, content: 50);
        second.AssertHolds(6, layer: 0, content: 106);
        second.AssertHolds(8, layer: 0, content: 60);
        first.Dispose();
        second.Dispose();
        Assert.Equal(2, _cache.UsedPages);
    }

    [Fact]
    public void Known_pages_are_not_held_twice()
    {
        int[] text = [.. Enumerable.Range(100, 9)];
        Assert.Equal(2, Know(text));
        Assert.Equal(0, Know(text));
        Assert.Equal(1, Know([.. text[..4], 0, 0, 0, 0]));
        Assert.Equal((3, 3), (_cache.Prefixes.Pages, _cache.UsedPages));
    }

    [Fact]
    public void Equal_hashes_do_not_make_equal_pages()
    {
        PrefixIndex index = new(Pool(), new OneHash());
        using LatentSequence first = Append([1, 2, 3, 4, 5, 6, 7, 8]);
        using LatentSequence second = Append([4, 3, 2, 1]);
        index.Register(first, [1, 2, 3, 4, 5, 6, 7, 8]);
        index.Register(second, [4, 3, 2, 1]);
        Assert.False(index.TryStart([2, 2, 3, 4, 0], out _));
        Assert.True(index.TryStart([4, 3, 2, 1, 5, 6, 7, 8, 0], out LatentSequence? found));
        Assert.Equal(second.Pages.ToArray(), found.Pages.ToArray());
        found.Dispose();
        index.Clear();
    }

    [Fact]
    public void The_least_recently_used_pages_go_first_and_only_as_many_as_are_wanted()
    {
        Know([1, 1, 1, 1, 2, 2, 2, 2]);
        Know([3, 3, 3, 3]);
        Start([1, 1, 1, 1, 0]);
        Assert.Equal(1, _cache.Prefixes.Evict(1));
        Assert.Equal(4, Start([1, 1, 1, 1, 2, 2, 2, 2, 0]));
        Assert.Equal(4, Start([3, 3, 3, 3, 0]));
        Assert.Equal(1, _cache.Prefixes.Evict(1));
        Assert.Equal(0, Start([1, 1, 1, 1, 0]));
        Assert.Equal(4, Start([3, 3, 3, 3, 0]));
        Assert.Equal(1, _cache.Prefixes.Evict(5));
        Assert.Equal(0, _cache.Prefixes.Evict(5));
    }

    [Fact]
    public void Pages_that_a_sequence_holds_stay_known()
    {
        Know([1, 1, 1, 1, 2, 2, 2, 2]);
        Assert.True(_cache.Prefixes.TryStart([1, 1, 1, 1, 0], out LatentSequence? sequence));
        Assert.Equal(1, _cache.Prefixes.Evict(9));
        Assert.Equal(1, _cache.Prefixes.Pages);
        sequence.Dispose();
        Assert.Equal(1, _cache.Prefixes.Evict(9));
    }

    [Fact]
    public void A_page_goes_with_those_that_continue_it_although_a_sequence_holds_them()
    {
        Know([1, 1, 1, 1]);
        using LatentSequence sequence = Append([1, 1, 1, 1, 2, 2, 2, 2]);
        Assert.Equal(1, _cache.Prefixes.Register(sequence, [1, 1, 1, 1, 2, 2, 2, 2]));
        Assert.Equal(1, _cache.Prefixes.Evict(1));
        Assert.Equal((0, 2), (_cache.Prefixes.Pages, _cache.UsedPages));
    }

    [Fact]
    public void A_full_cache_can_live_on_its_prefixes()
    {
        for (int text = 0; text < 5; text++)
        {
            Know([text, 0, 0, 0, text, 1, 1, 1]);
        }

        Assert.Equal(0, _cache.FreePages);
        _cache.OnFull = _cache.Prefixes.Evict;
        using LatentSequence sequence = Append([.. Enumerable.Range(0, 12)]);
        Assert.Equal((7, 0), (_cache.Prefixes.Pages, _cache.FreePages));
        Assert.Equal(8, Start([4, 0, 0, 0, 4, 1, 1, 1, 0]));
    }

    [Fact]
    public void Tokens_at_other_positions_are_refused_by_name()
    {
        using LatentSequence sequence = _cache.CreateSequence();
        _batch.Add(sequence, 5, [0, 1, 3, 2, 9]);
        _batch.WriteAllLayers();
        _batch.Commit();
        ArgumentException e = Assert.Throws<ArgumentException>(() => _cache.Prefixes.Register(sequence, [1, 2, 3, 4, 5]));
        Assert.Contains("Token 2 has position 3", e.Message, StringComparison.Ordinal);
        Assert.Equal(0, _cache.Prefixes.Pages);
    }

    [Fact]
    public void Misuse_is_refused()
    {
        using LatentCache<TinyAttention> other = new(Layers, 8);
        using LatentSequence foreign = other.CreateSequence();
        using LatentSequence sequence = Append([1, 2, 3, 4]);
        Assert.Equal("sequence", Assert.Throws<ArgumentException>(() => _cache.Prefixes.Register(foreign, [])).ParamName);
        Assert.Contains("has 4 tokens, not 3", Assert.Throws<ArgumentException>(() => _cache.Prefixes.Register(sequence, [1, 2, 3])).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => _cache.Prefixes.Evict(-1));
        _batch.Add(sequence, 1);
        Assert.Throws<InvalidOperationException>(() => _cache.Prefixes.Register(sequence, [1, 2, 3, 4]));
        _batch.Rollback();
        other.Dispose();
        Assert.Throws<ObjectDisposedException>(() => other.Prefixes.TryStart([1, 2, 3, 4, 5], out _));
    }

    [Fact]
    public void No_page_is_lost_wherever_registering_and_starting_fail()
    {
        int[] text = [.. Enumerable.Range(0, 12)];
        using LatentSequence source = Append(text);
        int faults = _faults.FailEverywhere(() => _cache.Prefixes.Register(source, text), () => Assert.Equal((3, _cache.Prefixes.Pages), (_cache.UsedPages, _cache.SharedPages)));
        Assert.InRange(faults, 2, 100);
        LatentSequence? started = null;
        faults = _faults.FailEverywhere(() => _cache.Prefixes.TryStart([.. text, 0], out started), () => Assert.Equal((3, 12L), (_cache.UsedPages, _cache.Tokens)));
        Assert.InRange(faults, 4, 100);
        Assert.Equal(12, started!.Length);
        started.Dispose();
    }

    [Fact]
    public void Many_threads_start_register_and_evict_at_once()
    {
        _cache.OnFull = _cache.Prefixes.Evict;
        Parallel.For(0, 4, thread =>
        {
            using MlaBatch<TinyAttention> batch = _cache.CreateBatch();
            Random random = new(thread);
            for (int round = 0; round < 300; round++)
            {
                int[] prompt = [random.Next(3), 0, 0, 0, random.Next(3), 0, 0];
                if (!_cache.Prefixes.TryStart(prompt, out LatentSequence? sequence))
                {
                    sequence = _cache.CreateSequence();
                }

                int known = sequence.Length;
                batch.Add(sequence, prompt.Length - known);
                batch.WriteAllLayers(row => prompt[0] + row + known);
                batch.Commit();
                for (int token = 0; token < prompt.Length; token++)
                {
                    sequence.AssertHolds(token, layer: 1, prompt[0] + token);
                }

                _cache.Prefixes.Register(sequence, prompt);
                sequence.Dispose();
            }
        });
        Assert.Equal(_cache.UsedPages, _cache.Prefixes.Pages);
    }

    private PagePool Pool()
    {
        using LatentSequence sequence = _cache.CreateSequence();
        return sequence.Pool;
    }

    /// <summary>A sequence whose tokens hold their own ids.</summary>
    private LatentSequence Append(int[] text)
    {
        LatentSequence sequence = _cache.CreateSequence();
        _batch.Add(sequence, text.Length);
        _batch.WriteAllLayers(row => text[row]);
        _batch.Commit();
        return sequence;
    }

    private int Know(int[] text)
    {
        using LatentSequence sequence = Append(text);
        return _cache.Prefixes.Register(sequence, text);
    }

    /// <summary>Tokens of a prompt that are known.</summary>
    private int Start(int[] prompt)
    {
        if (!_cache.Prefixes.TryStart(prompt, out LatentSequence? sequence))
        {
            return 0;
        }

        int length = sequence.Length;
        sequence.Dispose();
        return length;
    }

    private sealed class OneHash : PageTokensComparer
    {
        public override int GetHashCode(ReadOnlySpan<int> tokens) => 0;
    }
}
