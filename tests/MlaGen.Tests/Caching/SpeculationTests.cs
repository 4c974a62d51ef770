namespace MlaGen.Tests.Caching;

public sealed class SpeculationTests : IDisposable
{
    private const int Layers = 3;

    /// <summary>Two branches below the cached tokens, 0-2-3-5 and 1, and two leaves, 4 and 6, off the first.</summary>
    private static readonly int[] Tree = [-1, -1, 0, 2, 2, 3, 0];

    private readonly LatentCache<TinyAttention> _cache = new(Layers, maxTokens: 40);
    private readonly LatentSequence _sequence;
    private readonly LatentSequence _other;
    private readonly MlaBatch<TinyAttention> _batch;

    public SpeculationTests()
    {
        _sequence = _cache.CreateSequence();
        _other = _cache.CreateSequence();
        _batch = _cache.CreateBatch();
    }

    public void Dispose()
    {
        _batch.Dispose();
        _sequence.Dispose();
        _other.Dispose();
        Assert.Equal(0, _cache.UsedPages);
        _cache.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(7)]
    public void Of_a_draft_the_first_tokens_are_kept_and_the_pages_of_the_others_given_back(int accepted)
    {
        _batch.Append(_sequence, 3);
        _batch.Add(_sequence, 7);
        _batch.WriteAllLayers(row => 50 + row);
        _batch.Accept(_sequence, accepted);
        _batch.Commit();
        AssertContents([0, 1, 2, .. Enumerable.Range(50, accepted)]);
        Assert.Equal((3 + accepted, (3 + accepted + 3) / 4), (_sequence.NextPosition, _cache.UsedPages));
    }

    [Fact]
    public void Accepting_concerns_one_sequence_and_one_step()
    {
        _batch.Add(_sequence, 5);
        _batch.Add(_other, 4);
        _batch.WriteAllLayers();
        _batch.Accept(_sequence, 2);
        _batch.Commit();
        Assert.Equal((2, 4), (_sequence.Length, _other.Length));
        _batch.Append(_sequence, 3);
        Assert.Equal(5, _sequence.Length);
    }

    [Fact]
    public void The_last_call_counts_and_a_rolled_back_step_keeps_nothing()
    {
        _batch.Add(_sequence, 5);
        _batch.WriteAllLayers(row => 50 + row);
        _batch.Accept(_sequence, 2);
        _batch.Accept(_sequence, [0, 1, 2, 3]);
        _batch.Accept(_sequence, 3);
        _batch.Commit();
        AssertContents(50, 51, 52);
        _batch.Add(_sequence, 5);
        _batch.Accept(_sequence, 2);
        _batch.Rollback();
        AssertContents(50, 51, 52);
    }

    [Fact]
    public void Keeping_nothing_leaves_a_shared_last_page_shared()
    {
        _batch.Append(_sequence, 3);
        using LatentSequence fork = _sequence.Fork();
        _batch.Add(fork, 2);
        _batch.WriteAllLayers(_ => 77);
        _batch.Accept(fork, 0);
        _batch.Commit();
        Assert.Equal((3, 1, 1), (fork.Length, _cache.UsedPages, _cache.SharedPages));
        AssertContents(0, 1, 2);
    }

    [Fact]
    public void A_token_of_a_tree_sees_the_cached_tokens_those_it_continues_and_itself()
    {
        _batch.Append(_sequence, 3);
        _batch.Add(_other, 2);
        _batch.Add(_sequence, Tree.Length, parents: Tree);
        BatchEntry entry = _batch.Entries[1];
        Assert.True(entry.IsTree);
        Assert.Equal((3, Tree.Length), (entry.CommittedKeys, entry.NewTokens));
        Assert.Equal(Tree, _batch.Parents(entry).ToArray());
        int[][] visible = [[0], [1], [0, 2], [0, 2, 3], [0, 2, 4], [0, 2, 3, 5], [0, 6]];
        int[] destination = new int[Tree.Length];
        for (int query = 0; query < Tree.Length; query++)
        {
            int count = _batch.VisibleNewTokens(entry, query, destination);
            Assert.Equal(visible[query], destination[..count]);
        }

        Assert.Equal([0, 1, 3, 3, 4, 5, 5, 6, 4], _batch.Positions.ToArray());
    }

    [Fact]
    public void Without_a_tree_a_token_sees_all_before_it()
    {
        _batch.Append(_sequence, 3);
        _batch.Add(_sequence, 3, parents: [-1, 0, 1]);
        BatchEntry entry = _batch.Entries[0];
        Assert.False(entry.IsTree);
        Assert.Equal([4, 5, 6], Enumerable.Range(0, 3).Select(entry.VisibleKeys));
        Assert.Equal([-1, 0, 1], _batch.Parents(entry).ToArray());
    }

    [Theory]
    [InlineData(new int[0])]
    [InlineData(new[] { 1 })]
    [InlineData(new[] { 0, 2 })]
    [InlineData(new[] { 0, 2, 3, 5 })]
    [InlineData(new[] { 0, 6 })]
    public void A_path_of_a_tree_becomes_the_sequences_next_tokens_in_every_layer(int[] path)
    {
        _batch.Append(_sequence, 3);
        _batch.Add(_sequence, Tree.Length, [10, 11, 12, 13, 14, 15, 16], Tree);
        _batch.Add(_other, 1);
        _batch.WriteAllLayers(row => 50 + row);
        _batch.Accept(_sequence, path);
        _batch.Commit();
        AssertContents([0, 1, 2, .. path.Select(token => 50 + token)]);
        Assert.Equal([0, 1, 2, .. path.Select(token => 10 + token)], _sequence.Positions.ToArray());
        _other.AssertHolds(0, layer: 2, content: 57);
        Assert.Equal((6 + path.Length) / 4 + 1, _cache.UsedPages);
    }

    [Fact]
    public void A_tree_of_which_nothing_was_said_is_not_committed()
    {
        _batch.Add(_other, 1);
        _batch.Add(_sequence, 2, parents: [-1, -1]);
        _batch.WriteAllLayers();
        Assert.Contains("Entry 1 of the batch added a tree of 2 tokens", Assert.Throws<InvalidOperationException>(_batch.Commit).Message, StringComparison.Ordinal);
        Assert.Equal((0, 0), (_sequence.Length, _other.Length));
        _batch.Accept(_sequence, 1);
        _batch.Commit();
        Assert.Equal((1, 1), (_sequence.Length, _other.Length));
    }

    [Theory]
    [InlineData(-1, typeof(ArgumentOutOfRangeException))]
    [InlineData(8, typeof(ArgumentOutOfRangeException))]
    [InlineData(2, typeof(ArgumentException))]
    public void A_count_that_is_no_beginning_of_the_tree_is_refused(int count, Type exception)
    {
        _batch.Add(_sequence, Tree.Length, parents: Tree);
        Assert.Equal("tokens", Assert.IsAssignableFrom<ArgumentException>(Assert.Throws(exception, () => _batch.Accept(_sequence, count))).ParamName);
    }

    [Theory]
    [InlineData(new[] { 2 }, "Token 2 continues token 0, not -1")]
    [InlineData(new[] { 0, 3 }, "Token 3 continues token 2, not 0")]
    [InlineData(new[] { 0, 0 }, "Token 0 continues token -1, not 0")]
    [InlineData(new[] { 7 }, "there is no token 7")]
    [InlineData(new[] { -1 }, "there is no token -1")]
    public void What_is_no_path_from_the_root_is_refused(int[] path, string message)
    {
        _batch.Add(_sequence, Tree.Length, parents: Tree);
        ArgumentException e = Assert.Throws<ArgumentException>(() => _batch.Accept(_sequence, path));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new[] { -1 }, "Expected as many parents as new tokens, 2; found 1.")]
    [InlineData(new[] { 0, 0 }, "Token 0 continues token 0")]
    [InlineData(new[] { -1, 1 }, "Token 1 continues token 1")]
    [InlineData(new[] { -1, -2 }, "Token 1 continues token -2")]
    public void Parents_that_do_not_come_before_their_tokens_are_refused(int[] parents, string message)
    {
        ArgumentException e = Assert.Throws<ArgumentException>(() => _batch.Add(_sequence, 2, parents: parents));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.Equal((0, 0), (_batch.Rows, _cache.UsedPages));
    }

    [Fact]
    public void A_sequence_that_is_not_in_the_batch_is_refused()
    {
        _batch.Add(_sequence, 1);
        Assert.Equal("sequence", Assert.Throws<ArgumentException>(() => _batch.Accept(_other, 0)).ParamName);
        _batch.Dispose();
        Assert.Throws<ObjectDisposedException>(() => _batch.Accept(_sequence, 0));
    }

    [Fact]
    public void A_path_longer_than_a_page_moves_across_pages()
    {
        // Every second token is a dead end.
        int[] parents = [.. Enumerable.Range(0, 24).Select(token => token < 2 ? -1 : token - 2)];
        _batch.Append(_sequence, 3);
        _batch.Add(_sequence, parents.Length, parents: parents);
        _batch.WriteAllLayers(row => 50 + row);
        int[] path = [.. Enumerable.Range(0, 12).Select(i => (2 * i) + 1)];
        _batch.Accept(_sequence, path);
        _batch.Commit();
        AssertContents([0, 1, 2, .. path.Select(token => 50 + token)]);
        Assert.Equal(Enumerable.Range(0, 15), _sequence.Positions.ToArray());
        Assert.Equal(4, _cache.UsedPages);
    }

    private void AssertContents(params int[] contents)
    {
        Assert.Equal(contents.Length, _sequence.Length);
        for (int token = 0; token < contents.Length; token++)
        {
            for (int layer = 0; layer < Layers; layer++)
            {
                _sequence.AssertHolds(token, layer, contents[token]);
            }
        }
    }
}
