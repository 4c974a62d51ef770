using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary>A layer taken apart: projections, rows and core called one by one, and a context that is cut into parts.</summary>
public sealed class OwnCoreTests
{
    private const int Tokens = 7;

    public static TheoryData<string> Layers => [.. TestLayer.Names.Where(static name => !IsWeighed(name))];

    [Theory]
    [MemberData(nameof(Layers))]
    public void Parts_of_a_layer_give_the_bits_of_the_whole(string name)
    {
        TestLayer layer = TestLayer.Get(name);
        OracleSpec spec = layer.Spec;
        Prompt prompt = Prompt.Random(name, Tokens, spec.HiddenSize);
        using AttentionRun whole = layer.Open(new RunOptions());
        LatentSequence expectedRows = whole.CreateSequence();
        float[] expected = whole.Feed(expectedRows, prompt);

        using AttentionRun run = layer.Open(new RunOptions { Threads = 3 });
        LatentSequence sequence = run.CreateSequence();
        run.Batch.Add(sequence, Tokens, prompt.Positions);
        (float[] queries, float[] rows) = Project(run, spec, prompt.Hidden);
        run.AppendLatent(rows);
        float[] latents = AttentionRun.Poisoned(Tokens * spec.Heads * spec.KvLoraRank);
        run.AttendLatent(queries, latents, new float[Tokens * spec.Heads]);
        float[] output = Finish(run, spec, latents);
        run.Batch.Commit();

        Compare.AssertSameBits("output", output, expected);
        Compare.AssertSameBits("rows", AttentionRun.Rows(sequence, spec.RowWidth), AttentionRun.Rows(expectedRows, spec.RowWidth));
    }

    [Theory]
    [MemberData(nameof(Layers))]
    public void Projecting_takes_positions_of_the_batch_and_writes_nothing(string name)
    {
        TestLayer layer = TestLayer.Get(name);
        OracleSpec spec = layer.Spec;
        Prompt prompt = Prompt.Random(name, Tokens, spec.HiddenSize, start: 100);
        using AttentionRun run = layer.Open(new RunOptions());
        LatentSequence sequence = run.CreateSequence();
        run.Batch.Add(sequence, Tokens, prompt.Positions);
        (float[] queries, float[] rows) = Project(run, spec, prompt.Hidden);
        run.Batch.Rollback();

        Assert.Equal(0, sequence.Length);
        run.Batch.Add(sequence, 1, [prompt.Positions[^1]]);
        (float[] lastQueries, float[] lastRows) = Project(run, spec, prompt.Slice(Tokens - 1, 1).Hidden);
        Assert.Throws<InvalidOperationException>(run.Batch.Commit);
        run.Batch.Rollback();

        Compare.AssertSameBits("queries", lastQueries, queries.AsSpan()[^lastQueries.Length..]);
        Compare.AssertSameBits("rows", lastRows, rows.AsSpan()[^lastRows.Length..]);
    }

    /// <summary>A step of several tokens whose context lies in two caches: the earlier part is seen whole by every row.</summary>
    [Theory]
    [MemberData(nameof(Layers))]
    public void Queries_that_are_not_causal_see_the_whole_earlier_part(string name)
    {
        TestLayer layer = TestLayer.Get(name);
        OracleSpec spec = layer.Spec;
        int width = spec.Heads * spec.RowWidth;
        float[] queries = AttendLatentTests.Queries(spec, name, 3);
        using AttentionRun run = layer.Open(new RunOptions());
        LatentSequence sequence = run.CreateSequence(AttendLatentTests.Rows(spec, name, 50), spec.RowWidth);
        run.Batch.AddQueries(sequence, 3, causal: false);
        (float[] output, float[] logSumExp) = Attend(run, spec, queries);
        for (int row = 0; row < 3; row++)
        {
            run.Batch.AddQueries(sequence, 1);
            (float[] one, float[] oneLogSumExp) = Attend(run, spec, queries[(row * width)..((row + 1) * width)]);
            Compare.AssertSameBits($"output of row {row}", output.AsSpan(row * one.Length, one.Length), one);
            Compare.AssertSameBits($"log-sum-exp of row {row}", logSumExp.AsSpan(row * spec.Heads, spec.Heads), oneLogSumExp);
        }
    }

    [Fact]
    public void Rows_of_queries_alone_have_no_position_to_project_at()
    {
        TestLayer layer = TestLayer.Get("yarn");
        OracleSpec spec = layer.Spec;
        using AttentionRun run = layer.Open(new RunOptions());
        run.Batch.AddQueries(run.CreateSequence(), 1);
        Assert.Contains("AddQueries", Assert.Throws<InvalidOperationException>(() => Project(run, spec, new float[spec.HiddenSize])).Message, StringComparison.Ordinal);
        run.Batch.Rollback();
        Assert.Throws<InvalidOperationException>(() => Project(run, spec, []));
        Assert.Throws<InvalidOperationException>(() => run.ProjectOutput([], []));
    }

    /// <summary>Gates take hidden states, and sinks the log-sum-exp: neither is there any more after the core.</summary>
    [Theory]
    [InlineData("query gate", "QueryGateAttention has an output gate, which")]
    [InlineData("head gate", "HeadGateAttention has an output gate, which")]
    [InlineData("gate and sinks", "GateAndSinkAttention has an output gate and attention sinks, which")]
    [InlineData("sinks", "SinkAttention has attention sinks, which")]
    public void Outputs_that_are_weighed_by_more_than_latents_are_refused(string name, string reason)
    {
        Assert.True(IsWeighed(name));
        TestLayer layer = TestLayer.Get(name);
        OracleSpec spec = layer.Spec;
        using AttentionRun run = layer.Open(new RunOptions());
        LatentSequence sequence = run.CreateSequence();
        run.Batch.Add(sequence, 1);
        float[] output = AttentionRun.Poisoned(spec.HiddenSize);
        float[] untouched = [.. output];
        InvalidOperationException before = Assert.Throws<InvalidOperationException>(() => Project(run, spec, new float[spec.HiddenSize]));
        InvalidOperationException after = Assert.Throws<InvalidOperationException>(() => run.ProjectOutput(new float[spec.Heads * spec.KvLoraRank], output));
        Assert.StartsWith(reason, before.Message, StringComparison.Ordinal);
        Assert.Contains("ProjectLatent is for classes without", before.Message, StringComparison.Ordinal);
        Assert.StartsWith(reason, after.Message, StringComparison.Ordinal);
        Assert.Contains("ProjectOutput is for classes without", after.Message, StringComparison.Ordinal);
        Compare.AssertSameBits("output", output, untouched);

        // The batch goes on as if nothing had been asked of it.
        run.Forward(new float[spec.HiddenSize], output);
        AttentionRun.AssertWritten(output);
        run.Batch.Commit();
        Assert.Equal(1, sequence.Length);
    }

    [Fact]
    public void Spans_of_another_length_are_refused_by_name()
    {
        TestLayer layer = TestLayer.Get("yarn");
        OracleSpec spec = layer.Spec;
        using AttentionRun run = layer.Open(new RunOptions());
        run.Batch.Add(run.CreateSequence(), 1);
        float[] hidden = new float[spec.HiddenSize];
        float[] queries = new float[spec.Heads * spec.RowWidth];
        float[] rows = new float[spec.RowWidth];
        float[] latents = new float[spec.Heads * spec.KvLoraRank];
        AssertNamed("hidden", () => run.ProjectLatent(hidden.AsSpan(1), queries, rows));
        AssertNamed("queries", () => run.ProjectLatent(hidden, queries.AsSpan(1), rows));
        AssertNamed("rows", () => run.ProjectLatent(hidden, queries, rows.AsSpan(1)));
        AssertNamed("latents", () => run.ProjectOutput(latents.AsSpan(1), hidden));
        AssertNamed("output", () => run.ProjectOutput(latents, hidden.AsSpan(1)));

        static void AssertNamed(string name, Action call) => Assert.Equal(name, Assert.Throws<ArgumentException>(call).ParamName);
    }

    private static bool IsWeighed(string name)
    {
        OracleSpec spec = TestLayer.Get(name).Spec;
        return spec.HasSinks || spec.Gate != OutputGate.None;
    }

    private static (float[] Queries, float[] Rows) Project(AttentionRun run, OracleSpec spec, float[] hidden)
    {
        float[] queries = AttentionRun.Poisoned(run.Batch.Rows * spec.Heads * spec.RowWidth);
        float[] rows = AttentionRun.Poisoned(run.Batch.Rows * spec.RowWidth);
        run.ProjectLatent(hidden, queries, rows);
        AttentionRun.AssertWritten(queries);
        AttentionRun.AssertWritten(rows);
        return (queries, rows);
    }

    private static float[] Finish(AttentionRun run, OracleSpec spec, float[] latents)
    {
        float[] output = AttentionRun.Poisoned(run.Batch.Rows * spec.HiddenSize);
        run.ProjectOutput(latents, output);
        AttentionRun.AssertWritten(output);
        return output;
    }

    private static (float[] Output, float[] LogSumExp) Attend(AttentionRun run, OracleSpec spec, float[] queries)
    {
        float[] output = AttentionRun.Poisoned(run.Batch.Rows * spec.Heads * spec.KvLoraRank);
        float[] logSumExp = AttentionRun.Poisoned(run.Batch.Rows * spec.Heads);
        run.AttendLatent(queries, output, logSumExp);
        run.Batch.Rollback();
        return (output, logSumExp);
    }
}
