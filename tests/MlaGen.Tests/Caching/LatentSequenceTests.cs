namespace MlaGen.Tests.Caching;

public sealed class LatentSequenceTests : IDisposable
{
    private const int Layers = 2;

    private readonly LatentCache<TinyAttention> _cache = new(Layers, maxTokens: 40);
    private readonly LatentSequence _sequence;
    private readonly MlaBatch<TinyAttention> _batch;

    public LatentSequenceTests()
    {
        _sequence = _cache.CreateSequence();
        _batch = _cache.CreateBatch();
    }

    public void Dispose()
    {
        _batch.Dispose();
        _sequence.Dispose();
        _cache.Dispose();
    }

    [Fact]
    public void Rows_of_every_layer_can_be_read_back()
    {
        _batch.Append(_sequence, 11, first: 7);
        for (int token = 0; token < 11; token++)
        {
            for (int layer = 0; layer < Layers; layer++)
            {
                _sequence.AssertHolds(token, layer, 7 + token);
            }
        }
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(4, 1)]
    [InlineData(5, 2)]
    [InlineData(11, 3)]
    public void Truncating_keeps_the_first_tokens_and_only_the_pages_they_need(int length, int pages)
    {
        _batch.Append(_sequence, 11);
        _sequence.Truncate(length);
        Assert.Equal((length, length, pages), (_sequence.Length, _sequence.NextPosition, _cache.UsedPages));
        _batch.Append(_sequence, 2, first: 50);
        for (int token = 0; token < length + 2; token++)
        {
            _sequence.AssertHolds(token, layer: 1, token < length ? token : 50 + token - length);
        }
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(4)]
    public void Truncating_to_a_length_it_does_not_have_is_refused(int length)
    {
        _batch.Append(_sequence, 3);
        ArgumentOutOfRangeException e = Assert.Throws<ArgumentOutOfRangeException>(() => _sequence.Truncate(length));
        Assert.Equal("length", e.ParamName);
        Assert.Equal(3, _sequence.Length);
        _batch.Append(_sequence, 1);
    }

    [Fact]
    public void The_next_position_follows_the_last_token_whatever_positions_came_before()
    {
        _batch.Append(_sequence, 2);
        _batch.Add(_sequence, 3, [10, 20, 30]);
        _batch.WriteAllLayers();
        _batch.Commit();
        Assert.Equal(31, _sequence.NextPosition);
        _sequence.Truncate(4);
        Assert.Equal(21, _sequence.NextPosition);
        _sequence.Truncate(2);
        Assert.Equal(2, _sequence.NextPosition);
        _batch.Add(_sequence, 2);
        Assert.Equal([2, 3], _batch.Positions.ToArray());
    }

    [Theory]
    [InlineData(-1, 0, "layer")]
    [InlineData(Layers, 0, "layer")]
    [InlineData(0, -1, "token")]
    [InlineData(0, 3, "token")]
    public void Reading_a_row_that_is_not_there_is_refused_by_name(int layer, int token, string name)
    {
        _batch.Append(_sequence, 3);
        Assert.Equal(name, Assert.Throws<ArgumentOutOfRangeException>(() => _sequence.ReadRow(layer, token, new float[6])).ParamName);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(7)]
    public void Reading_into_a_span_of_another_length_is_refused(int length)
    {
        _batch.Append(_sequence, 3);
        ArgumentException e = Assert.Throws<ArgumentException>(() => _sequence.ReadRow(0, 0, new float[length]));
        Assert.Contains($"6 elements, the destination {length}", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Disposing_frees_the_pages_and_ends_all_use()
    {
        _batch.Append(_sequence, 9);
        _sequence.Dispose();
        _sequence.Dispose();
        Assert.Equal(0, _cache.UsedPages);
        Assert.Throws<ObjectDisposedException>(() => _sequence.Truncate(0));
        Assert.Throws<ObjectDisposedException>(() => _sequence.ReadRow(0, 0, new float[6]));
        Assert.Throws<ObjectDisposedException>(() => _batch.Add(_sequence, 1));
        Assert.Throws<ObjectDisposedException>(() => _batch.AddQueries(_sequence, 1));
        Assert.Equal(0, _batch.Rows);
    }

    [Fact]
    public void In_an_open_batch_a_sequence_is_neither_truncated_nor_disposed_nor_added_again()
    {
        _batch.Append(_sequence, 3);
        _batch.Add(_sequence, 1);
        using MlaBatch<TinyAttention> other = _cache.CreateBatch();
        Action[] refused =
        [
            () => _sequence.Truncate(0), _sequence.Dispose, () => other.Add(_sequence, 1), () => other.AddQueries(_sequence, 1),
        ];
        Assert.All(refused, action => Assert.Contains("in an open batch", Assert.Throws<InvalidOperationException>(action).Message, StringComparison.Ordinal));
        InvalidOperationException twice = Assert.Throws<InvalidOperationException>(() => _batch.Add(_sequence, 1));
        Assert.Contains("already in this batch", twice.Message, StringComparison.Ordinal);
        Assert.Equal((1, 0, 3), (_batch.Rows, other.Rows, _sequence.Length));

        _batch.Rollback();
        _sequence.Truncate(1);
        other.Add(_sequence, 1);
    }

    [Fact]
    public void Committed_rows_can_be_read_while_a_step_is_open()
    {
        _batch.Append(_sequence, 3);
        _batch.Add(_sequence, 1);
        _batch.WriteAllLayers(_ => 9);
        _sequence.AssertHolds(token: 2, layer: 0, content: 2);
        Assert.Throws<ArgumentOutOfRangeException>(() => _sequence.ReadRow(0, 3, new float[6]));
    }
}
