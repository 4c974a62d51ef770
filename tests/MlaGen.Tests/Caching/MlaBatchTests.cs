namespace MlaGen.Tests.Caching;

public sealed class MlaBatchTests : IDisposable
{
    private const int Layers = 3;

    private readonly TestMemoryPool _memory = new(Layers * 4 * 24);
    private readonly LatentCache<TinyAttention> _cache;
    private readonly LatentSequence _first;
    private readonly LatentSequence _second;
    private readonly MlaBatch<TinyAttention> _batch;

    public MlaBatchTests()
    {
        _cache = new(Layers, maxTokens: 5 * 4, new LatentCacheOptions { Memory = _memory });
        _first = _cache.CreateSequence();
        _second = _cache.CreateSequence();
        _batch = _cache.CreateBatch();
    }

    public void Dispose()
    {
        _batch.Dispose();
        _first.Dispose();
        _second.Dispose();
        Assert.Equal(0, _cache.UsedPages);
        _cache.Dispose();
    }

    [Fact]
    public void Rows_lie_in_the_order_of_adding_with_their_keys_and_positions()
    {
        _batch.Append(_first, 5);
        Assert.Equal(0, _batch.Add(_second, 2));
        Assert.Equal(2, _batch.Add(_first, 3, [7, 6, 9]));
        Assert.Equal(5, _batch.Rows);
        Assert.Equal(
            [new BatchEntry(_second, FirstRow: 0, Queries: 2, NewTokens: 2, Keys: 2), new BatchEntry(_first, FirstRow: 2, Queries: 3, NewTokens: 3, Keys: 8)],
            _batch.Entries.ToArray());
        Assert.Equal([0, 1, 7, 6, 9], _batch.Positions.ToArray());
        Assert.Equal((1, 2), (_second.Pages.Length, _first.Pages.Length));
    }

    [Fact]
    public void Queries_see_their_sequence_from_the_bottom_right_and_append_nothing()
    {
        _batch.Append(_first, 2);
        _batch.AddQueries(_first, 4);
        BatchEntry entry = _batch.Entries[0];
        Assert.Equal(new BatchEntry(_first, FirstRow: 0, Queries: 4, NewTokens: 0, Keys: 2), entry);
        Assert.Equal([0, 0, 1, 2], Enumerable.Range(0, 4).Select(entry.VisibleKeys));
        Assert.Equal([-1, -1, -1, -1], _batch.Positions.ToArray());
        Assert.Equal((4, 0), (_batch.Rows, _batch.NewTokens));
        _batch.Commit();
        Assert.Equal((2, 0), (_first.Length, _batch.Rows));
    }

    [Fact]
    public void New_tokens_see_the_cached_ones_and_those_before_them()
    {
        _batch.Append(_first, 5);
        _batch.Add(_first, 3);
        BatchEntry entry = _batch.Entries[0];
        Assert.Equal([6, 7, 8], Enumerable.Range(0, 3).Select(entry.VisibleKeys));
    }

    [Fact]
    public void Committing_advances_every_sequence_at_once_and_empties_the_batch()
    {
        _batch.Add(_first, 3);
        _batch.Add(_second, 5);
        _batch.WriteAllLayers();
        Assert.Equal((0, 0), (_first.Length, _second.Length));
        _batch.Commit();
        Assert.Equal((3, 5, 0), (_first.Length, _second.Length, _batch.Rows));
        Assert.Equal(0, _batch.Entries.Length);
        _first.AssertHolds(2, layer: 2, content: 2);
        _second.AssertHolds(4, layer: 0, content: 7);
        Assert.Contains("empty", Assert.Throws<InvalidOperationException>(_batch.Commit).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Committing_before_every_layer_is_written_is_refused_and_names_those_missing()
    {
        _batch.Add(_first, 3);
        _batch.WriteLayer(1, row => row);
        InvalidOperationException e = Assert.Throws<InvalidOperationException>(_batch.Commit);
        Assert.Contains("of 3 layers, missing: 0, 2.", e.Message, StringComparison.Ordinal);
        _batch.WriteLayer(0, row => row);
        _batch.WriteLayer(2, row => row);
        _batch.Commit();
        Assert.Equal(3, _first.Length);
    }

    [Fact]
    public void Written_layers_do_not_carry_over_to_the_next_step()
    {
        _batch.Append(_first, 1);
        _batch.Add(_first, 1);
        Assert.Contains(": 0, 1, 2.", Assert.Throws<InvalidOperationException>(_batch.Commit).Message, StringComparison.Ordinal);
        _batch.WriteAllLayers();
        _batch.Rollback();
        _batch.Add(_first, 1);
        Assert.Throws<InvalidOperationException>(_batch.Commit);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Without_a_commit_every_sequence_is_as_it_was(bool dispose)
    {
        _batch.Append(_first, 3);
        int[] pages = _first.Pages.ToArray();
        _batch.Add(_first, 6, [5, 5, 5, 5, 5, 5]);
        _batch.Add(_second, 4);
        Assert.Equal(4, _cache.UsedPages);
        _batch.WriteAllLayers(_ => 77);
        if (dispose)
        {
            _batch.Dispose();
            _batch.Dispose();
        }
        else
        {
            _batch.Rollback();
            _batch.Rollback();
        }

        Assert.Equal((3, 3, 0, 1), (_first.Length, _first.NextPosition, _second.Length, _cache.UsedPages));
        Assert.Equal(pages, _first.Pages.ToArray());
        Assert.Equal(0, _second.Pages.Length);
        _first.AssertHolds(2, layer: 2, content: 2);
    }

    [Fact]
    public void A_step_that_was_rolled_back_gets_the_same_pages_when_it_is_added_again()
    {
        _batch.Add(_first, 7);
        _batch.Add(_second, 9);
        int[] pages = [.. _first.Pages, .. _second.Pages];
        _batch.Rollback();
        _batch.Add(_first, 7);
        _batch.Add(_second, 9);
        Assert.Equal(pages, (int[])[.. _first.Pages, .. _second.Pages]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-3)]
    public void A_count_that_is_not_positive_is_refused(int count)
    {
        Assert.Equal("newTokens", Assert.Throws<ArgumentOutOfRangeException>(() => _batch.Add(_first, count)).ParamName);
        Assert.Equal("queries", Assert.Throws<ArgumentOutOfRangeException>(() => _batch.AddQueries(_first, count)).ParamName);
        AssertUntouched();
    }

    [Fact]
    public void Positions_must_be_as_many_as_the_tokens()
    {
        ArgumentException e = Assert.Throws<ArgumentException>(() => _batch.Add(_first, 3, [0, 1]));
        Assert.Equal("positions", e.ParamName);
        AssertUntouched();
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(64)]
    [InlineData(int.MaxValue)]
    public void A_position_outside_the_model_is_refused(int position)
    {
        ArgumentOutOfRangeException e = Assert.Throws<ArgumentOutOfRangeException>(() => _batch.Add(_first, 2, [0, position]));
        Assert.Equal(("positions", (object)position), (e.ParamName, e.ActualValue));
        Assert.Contains("0 to 63", e.Message, StringComparison.Ordinal);
        AssertUntouched();
    }

    [Fact]
    public void Running_past_the_last_position_is_refused_with_what_still_fits()
    {
        _batch.Add(_first, 1, [61]);
        _batch.WriteAllLayers();
        _batch.Commit();
        ArgumentOutOfRangeException e = Assert.Throws<ArgumentOutOfRangeException>(() => _batch.Add(_first, 3));
        Assert.Equal("newTokens", e.ParamName);
        Assert.Contains("next position is 62, and positions run to 63: there is room for 2 more tokens.", e.Message, StringComparison.Ordinal);
        _batch.Append(_first, 2);
        Assert.Throws<ArgumentOutOfRangeException>(() => _batch.Add(_first, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => _batch.Add(_first, int.MaxValue));
        Assert.Equal((3, 64, 0), (_first.Length, _first.NextPosition, _batch.Rows));
        _batch.Add(_first, 1, [63]);
    }

    [Fact]
    public void Too_few_pages_are_reported_with_what_was_wanted_and_nothing_is_taken()
    {
        _batch.Append(_first, 3);
        _batch.Add(_second, 9);
        LatentCacheFullException e = Assert.Throws<LatentCacheFullException>(() => _batch.Add(_first, 6));
        Assert.Equal((2, 1, 4), (e.WantedPages, e.FreePages, e.PageTokens));
        Assert.Contains("2 more pages of 4 tokens needed, 1 of the cache's 5 free.", e.Message, StringComparison.Ordinal);
        Assert.Equal((9, 3, 4), (_batch.Rows, _first.Length, _cache.UsedPages));
        _batch.Add(_first, 5);
    }

    [Fact]
    public void Memory_that_is_refused_leaves_everything_as_it_was()
    {
        _batch.Append(_first, 3);
        _batch.Add(_second, 1);
        _memory.FailNext = true;
        Assert.Throws<InsufficientMemoryException>(() => _batch.Add(_first, 9));
        Assert.Equal((1, 3, 2), (_batch.Rows, _first.Length, _cache.UsedPages));
        _batch.Add(_first, 9);
        _batch.WriteAllLayers();
        _batch.Commit();
        Assert.Equal((12, 1, 4), (_first.Length, _second.Length, _cache.UsedPages));
        _first.Truncate(0);
        _batch.Append(_second, 19);
        Assert.Equal(0, _cache.FreePages);
    }

    [Fact]
    public void A_memory_pool_that_gives_too_little_is_refused()
    {
        _memory.Shortfall = 1;
        InvalidOperationException e = Assert.Throws<InvalidOperationException>(() => _batch.Add(_first, 1));
        Assert.Contains("288 bytes and gave 287", e.Message, StringComparison.Ordinal);
        Assert.Equal(0, _memory.Outstanding);
        AssertUntouched();
        _memory.Shortfall = 0;
        _batch.Add(_first, 1);
    }

    [Fact]
    public void A_sequence_of_another_cache_is_refused()
    {
        using LatentCache<TinyAttention> other = new(Layers, 20);
        using LatentSequence foreign = other.CreateSequence();
        Assert.Equal("sequence", Assert.Throws<ArgumentException>(() => _batch.Add(foreign, 1)).ParamName);
        Assert.Equal("sequence", Assert.Throws<ArgumentException>(() => _batch.AddQueries(foreign, 1)).ParamName);
        Assert.Equal(0, other.UsedPages);
        foreign.Truncate(0);
        AssertUntouched();
    }

    [Fact]
    public void Once_a_layer_has_begun_nothing_is_added()
    {
        _batch.Add(_first, 1);
        _batch.BeginLayer(0);
        Assert.Contains("begun", Assert.Throws<InvalidOperationException>(() => _batch.Add(_second, 1)).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => _batch.AddQueries(_second, 1));
        _second.Truncate(0);
        _batch.Rollback();
        _batch.Add(_second, 1);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(Layers)]
    public void A_layer_beyond_the_cache_is_refused(int layer)
    {
        _batch.Add(_first, 1);
        ArgumentOutOfRangeException e = Assert.Throws<ArgumentOutOfRangeException>(() => _batch.BeginLayer(layer));
        Assert.Contains("3 layers", e.Message, StringComparison.Ordinal);
        _batch.Add(_second, 1);
    }

    [Fact]
    public void An_empty_batch_runs_no_layer()
        => Assert.Throws<InvalidOperationException>(() => _batch.BeginLayer(0));

    [Fact]
    public void A_disposed_batch_is_refused()
    {
        _batch.Dispose();
        Action[] refused = [() => _batch.Add(_first, 1), () => _batch.AddQueries(_first, 1), _batch.Commit, _batch.Rollback, () => _batch.BeginLayer(0)];
        Assert.All(refused, action => Assert.Throws<ObjectDisposedException>(action));
    }

    [Fact]
    public void Settings_stay_from_step_to_step()
    {
        using CancellationTokenSource source = new();
        using MlaExecutor executor = new(1);
        using MlaBatch<TinyAttention> batch = _cache.CreateBatch(executor);
        Assert.Equal((MlaForm.Auto, executor), (batch.Form, batch.Executor));
        Assert.Same(MlaExecutor.Shared, _batch.Executor);
        batch.Form = MlaForm.Decompressed;
        batch.CancellationToken = source.Token;
        batch.Append(_first, 1);
        Assert.Equal((MlaForm.Decompressed, source.Token), (batch.Form, batch.CancellationToken));
        Assert.Throws<ArgumentOutOfRangeException>(() => batch.Form = (MlaForm)3);
    }

    [Fact]
    public void After_the_first_steps_nothing_is_allocated()
    {
        int Step()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            _batch.Add(_first, 3);
            _batch.Add(_second, 5);
            for (int layer = 0; layer < Layers; layer++)
            {
                _batch.BeginLayer(layer);
                _batch.MarkLayer(layer);
            }

            _batch.Commit();
            _first.Truncate(1);
            _second.Truncate(0);
            _batch.AddQueries(_first, 2);
            _batch.Rollback();
            return (int)(GC.GetAllocatedBytesForCurrentThread() - before);
        }

        for (int i = 0; i < 3; i++)
        {
            Step();
        }

        Assert.Equal(0, Step());
    }

    [Fact]
    public void Of_many_threads_that_add_one_sequence_exactly_one_succeeds()
    {
        MlaBatch<TinyAttention>[] batches = [.. Enumerable.Range(0, 4).Select(_ => _cache.CreateBatch())];
        for (int round = 0; round < 200; round++)
        {
            int succeeded = 0;
            Parallel.ForEach(batches, batch =>
            {
                try
                {
                    batch.Add(_first, 1);
                    Interlocked.Increment(ref succeeded);
                }
                catch (InvalidOperationException)
                {
                    // The others.
                }
            });
            Assert.Equal((1, 1), (succeeded, _cache.UsedPages));
            Array.ForEach(batches, batch => batch.Rollback());
        }
    }

    private void AssertUntouched() => Assert.Equal((0, 0, 0), (_batch.Rows, _first.Length, _cache.UsedPages));
}
