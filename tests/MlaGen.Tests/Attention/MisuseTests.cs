using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary>A12: whatever a caller does wrong is said, and nothing has changed: the same step then runs to the same bits.</summary>
[Trait("Suite", "Acceptance")]
public sealed class MisuseTests
{
    private static readonly TestLayer _layer = TestLayer.Get("yarn");

    private static readonly int _width = _layer.Spec.HiddenSize;

    [Theory]
    [InlineData(-1, 0, "hidden")]
    [InlineData(1, 0, "hidden")]
    [InlineData(0, -1, "output")]
    [InlineData(0, 1, "output")]
    public void Forward_takes_spans_of_exactly_the_batch(int moreHidden, int moreOutput, string parameter)
    {
        AssertRefused<ArgumentException>(
            (run, sequence) =>
            {
                run.Batch.Add(sequence, 3);
                float[] output = AttentionRun.Poisoned((3 * _width) + moreOutput);
                Unwritten(output, () => run.Forward(new float[(3 * _width) + moreHidden], output));
            },
            parameter,
            $"{3 * _width}");
    }

    [Theory]
    [InlineData(1, 0, 0, "queries")]
    [InlineData(0, -1, 0, "output")]
    [InlineData(0, 0, 1, "logSumExp")]
    public void AttendLatent_takes_spans_of_exactly_the_batch(int moreQueries, int moreOutput, int moreLogSumExp, string parameter)
    {
        OracleSpec spec = _layer.Spec;
        AssertRefused<ArgumentException>(
            (run, sequence) =>
            {
                run.Batch.AddQueries(sequence, 2);
                float[] output = AttentionRun.Poisoned((2 * spec.Heads * spec.KvLoraRank) + moreOutput);
                float[] logSumExp = AttentionRun.Poisoned((2 * spec.Heads) + moreLogSumExp);
                Unwritten(output, () => Unwritten(logSumExp, () => run.AttendLatent(new float[(2 * spec.Heads * spec.RowWidth) + moreQueries], output, logSumExp)));
            },
            parameter);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public void AppendLatent_takes_rows_of_exactly_the_batch(int more)
    {
        AssertRefused<ArgumentException>(
            (run, sequence) =>
            {
                run.Batch.Add(sequence, 2);
                run.AppendLatent(new float[(2 * _layer.Spec.RowWidth) + more]);
            },
            "rows");
    }

    [Fact]
    public void Rows_of_new_tokens_are_written_before_they_are_attended_to()
    {
        OracleSpec spec = _layer.Spec;
        AssertRefused<InvalidOperationException>(
            (run, sequence) =>
            {
                run.Batch.Add(sequence, 2);
                float[] output = AttentionRun.Poisoned(2 * spec.Heads * spec.KvLoraRank);
                float[] logSumExp = AttentionRun.Poisoned(2 * spec.Heads);
                Unwritten(output, () => Unwritten(logSumExp, () => run.AttendLatent(new float[2 * spec.Heads * spec.RowWidth], output, logSumExp)));
            },
            "AppendLatent");
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public void A_layer_that_the_cache_does_not_have_is_refused(int layer)
    {
        AssertRefused<ArgumentOutOfRangeException>(
            (run, sequence) =>
            {
                run.Batch.Add(sequence, 1);
                run.AppendLatent(new float[_layer.Spec.RowWidth], layer);
            },
            "layer");
    }

    [Fact]
    public void A_layer_class_that_the_cache_has_no_room_for_is_refused()
    {
        YarnAttention second = YarnAttention.Load(TestCheckpoint.Of(RandomLayer.Weights(_layer.Spec, "yarn")), TestCheckpoint.Prefix, layer: 1);
        using LatentCache<YarnAttention> cache = YarnAttention.CreateCache(layers: 1, maxTokens: 64);
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<YarnAttention> batch = cache.CreateBatch();
        batch.Add(sequence, 1);
        float[] output = AttentionRun.Poisoned(_width);

        var exception = Assert.Throws<ArgumentOutOfRangeException>(() => Unwritten(output, () => second.Forward(batch, new float[_width], output)));

        Assert.Equal(1, exception.ActualValue);
        Assert.Contains("created for 1 layer,", exception.Message, StringComparison.Ordinal);
        batch.Rollback();
        Assert.Equal((0, 0), (sequence.Length, cache.UsedPages));
    }

    [Fact]
    public void An_empty_batch_is_refused()
        => AssertRefused<InvalidOperationException>((run, _) => run.Forward([], []), "empty");

    /// <summary>New, committed, rolled back, disposed: with spans of any length it is the batch that is at fault.</summary>
    [Theory]
    [InlineData("new")]
    [InlineData("committed")]
    [InlineData("rolled back")]
    [InlineData("disposed")]
    public void A_batch_that_no_layer_can_run_on_is_named_before_lengths_are_compared(string state)
    {
        using AttentionRun run = _layer.Open(new RunOptions());
        LatentSequence sequence = run.CreateSequence();
        if (state != "new")
        {
            run.Batch.Add(sequence, 2);
            run.AppendLatent(new float[2 * _layer.Spec.RowWidth]);
        }

        switch (state)
        {
            case "committed":
                run.Batch.Commit();
                break;
            case "rolled back":
                run.Batch.Rollback();
                break;
            case "disposed":
                run.Batch.Dispose();
                break;
        }

        foreach (int rows in (int[])[0, 1, 2])
        {
            float[] hidden = new float[rows * _width];
            foreach (Action action in (Action[])[
                () => run.Forward(hidden, hidden),
                () => run.AppendLatent(new float[rows * _layer.Spec.RowWidth]),
                () => run.AttendLatent(hidden, hidden, new float[rows])])
            {
                if (state == "disposed")
                {
                    Assert.Throws<ObjectDisposedException>(action);
                }
                else
                {
                    Assert.Contains("The batch is empty", Assert.Throws<InvalidOperationException>(action).Message, StringComparison.Ordinal);
                }
            }
        }
    }

    [Fact]
    public void Queries_that_append_nothing_are_not_for_Forward()
    {
        AssertRefused<InvalidOperationException>(
            (run, sequence) =>
            {
                run.Batch.AddQueries(sequence, 1);
                run.Forward(new float[_width], new float[_width]);
            },
            "AttendLatent");
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(8192)]
    [InlineData(int.MaxValue)]
    public void A_position_past_the_limits_is_refused(int position)
        => AssertRefused<ArgumentOutOfRangeException>((run, sequence) => run.Batch.Add(sequence, 2, [0, position]), "0 to 8191", $"{position}");

    [Fact]
    public void Running_past_the_last_position_is_refused()
    {
        AssertRefused<ArgumentOutOfRangeException>(
            (run, sequence) =>
            {
                LatentSequence far = run.CreateSequence();
                run.Feed(far, Prompt.Random("far", 1, _width, start: 8190));
                try
                {
                    run.Batch.Add(far, 2);
                }
                finally
                {
                    far.Dispose();
                }
            },
            "there is room for 1 more token.");
    }

    [Fact]
    public void A_sequence_of_another_cache_is_refused()
    {
        using AttentionRun other = _layer.Open(new RunOptions());
        AssertRefused<ArgumentException>((run, _) => run.Batch.Add(other.CreateSequence(), 1), "another cache");
    }

    [Fact]
    public void A_disposed_sequence_is_refused()
    {
        AssertRefused<ObjectDisposedException>(
            (run, _) =>
            {
                LatentSequence disposed = run.CreateSequence();
                disposed.Dispose();
                run.Batch.Add(disposed, 1);
            },
            nameof(LatentSequence));
    }

    [Fact]
    public void A_disposed_cache_is_refused()
    {
        AttentionRun run = _layer.Open(new RunOptions());
        LatentSequence sequence = run.CreateSequence();
        run.Dispose();
        Assert.Throws<ObjectDisposedException>(run.CreateSequence);
        Assert.Throws<ObjectDisposedException>(() => sequence.Truncate(0));
        Assert.Throws<ObjectDisposedException>(() => run.Load("nowhere"));
    }

    [Fact]
    public void A_cancelled_step_can_only_be_rolled_back()
    {
        AssertRefused<OperationCanceledException>(
            (run, sequence) =>
            {
                run.Batch.CancellationToken = new CancellationToken(canceled: true);
                try
                {
                    run.Batch.Add(sequence, 1);
                    run.Forward(new float[_width], new float[_width]);
                }
                finally
                {
                    run.Batch.CancellationToken = CancellationToken.None;
                    Assert.Throws<InvalidOperationException>(run.Batch.Commit);
                }
            });
    }

    [Fact]
    public void A_disposed_batch_is_refused()
    {
        AttentionRun run = _layer.Open(new RunOptions());
        run.Dispose();
        Assert.Throws<ObjectDisposedException>(() => run.Forward([], []));
    }

    /// <summary>Runs <paramref name="misuse"/> in the middle of a text and expects an exception that says <paramref name="words"/>.</summary>
    private static void AssertRefused<TException>(Action<AttentionRun, LatentSequence> misuse, params string[] words)
        where TException : Exception
    {
        Prompt prompt = Prompt.Random("misuse", 20, _width);
        using AttentionRun run = _layer.Open(new RunOptions { PageTokens = 16 });
        float[] expected = run.Feed(run.CreateSequence(), prompt);
        LatentSequence sequence = run.CreateSequence();
        run.Feed(sequence, prompt.Slice(0, 10));
        float[] rows = AttentionRun.Rows(sequence, _layer.Spec.RowWidth);
        int[] pages = sequence.Pages.ToArray();
        (int, int, long) counts = Counts(run);

        TException exception = Assert.ThrowsAny<TException>(() => misuse(run, sequence));

        Assert.All(words, word => Assert.Contains(word, exception.Message, StringComparison.Ordinal));
        run.Batch.Rollback();
        Assert.Equal((10, 10), (sequence.Length, sequence.NextPosition));
        Assert.Equal(pages, sequence.Pages.ToArray());
        Assert.Equal(counts, Counts(run));
        Compare.AssertSameBits("rows", AttentionRun.Rows(sequence, _layer.Spec.RowWidth), rows);
        Compare.AssertSameBits("output", run.Feed(sequence, prompt.Slice(10, 10)), expected.AsSpan(10 * _width));
    }

    private static (int, int, long) Counts(AttentionRun run) => (run.Pool.UsedPages, run.Pool.SharedPages, run.Pool.Tokens);

    /// <summary>Runs something that must not write a single element of <paramref name="poisoned"/>, whatever it throws.</summary>
    private static void Unwritten(float[] poisoned, Action action)
    {
        try
        {
            action();
        }
        finally
        {
            Assert.All(poisoned, value => Assert.True(float.IsNaN(value)));
        }
    }
}
