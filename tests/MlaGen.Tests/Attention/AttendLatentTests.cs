using MlaGen.Tests.Golden;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary>The core alone, against the absorbed oracle on the rows that the cache holds.</summary>
public sealed class AttendLatentTests
{
    public static TheoryData<string> Layers => [.. TestLayer.Names];

    /// <summary>Every number of new tokens against every length, empty and shorter than the queries included.</summary>
    [Theory]
    [MemberData(nameof(Layers))]
    public void Any_number_of_queries_over_any_number_of_keys(string name)
    {
        foreach (int keys in (int[])[0, 1, 3, 17, 33, 96, 97, 140, 514])
        {
            foreach (int queries in (int[])[1, 2, 5, 17])
            {
                AssertOracle(name, [(keys, queries)], new RunOptions { PageTokens = 37 });
            }
        }
    }

    [Theory]
    [MemberData(nameof(Layers))]
    public void Sequences_of_very_different_lengths_in_one_call(string name)
        => AssertOracle(name, [(0, 1), (1, 4), (743, 1), (3, 1), (11, 12), (114, 3), (0, 2), (17, 17), (79, 2), (6500, 1), (33, 1)], new RunOptions { PageTokens = 16 });

    /// <summary>An engine with projections of its own appends and attends within one step: each new token sees itself and what came before.</summary>
    [Theory]
    [MemberData(nameof(Layers))]
    public void Rows_of_the_same_step_are_seen_causally(string name)
    {
        TestLayer layer = TestLayer.Get(name);
        OracleSpec spec = layer.Spec;
        float[] rows = Rows(spec, name, 45);
        float[] queries = Queries(spec, name, 5);
        using AttentionRun run = layer.Open(new RunOptions { PageTokens = 16 });
        LatentSequence sequence = run.CreateSequence(rows.AsSpan(0, 40 * spec.RowWidth), spec.RowWidth);
        float[] output = AttentionRun.Poisoned(5 * spec.Heads * spec.KvLoraRank);
        float[] logSumExp = AttentionRun.Poisoned(5 * spec.Heads);

        run.Batch.Add(sequence, 5);
        run.AppendLatent(rows.AsSpan(40 * spec.RowWidth));
        run.AttendLatent(queries, output, logSumExp);
        run.Batch.Commit();

        LatentAttention expected = AbsorbedOracle.Attend(spec, OracleMath.Widen(queries), 5, OracleMath.Widen(rows));
        Tolerance tolerance = Tolerance.Float32.ForScores(expected.MaxScore);
        Compare.AssertClose<float, double>("output", output, expected.Output, tolerance);
        Compare.AssertClose<float, double>("log-sum-exp", logSumExp, expected.LogSumExp, tolerance);
        Compare.AssertSameBits("rows", AttentionRun.Rows(sequence, spec.RowWidth), rows);
    }

    [Theory]
    [MemberData(nameof(Layers))]
    public void Half_of_many_sequences_may_be_empty(string name)
    {
        (int Keys, int Queries)[] sequences = [.. Enumerable.Range(0, 64).Select(i => (i * 37 % 5 < 2 ? 0 : 1 + (i * 7 % 40), 2))];
        AssertOracle(name, sequences, new RunOptions { PageTokens = 16 });
    }

    [Theory]
    [MemberData(nameof(Layers))]
    public void Scores_far_from_zero_lose_no_more_than_their_digits(string name)
        => AssertOracle(name, [(140, 3), (33, 1)], new RunOptions(), queryScale: 3000);

    [Theory]
    [MemberData(nameof(Layers))]
    public void An_all_zero_cache_gives_zeros_and_the_logarithm_of_the_number_of_keys(string name)
    {
        TestLayer layer = TestLayer.Get(name);
        OracleSpec spec = layer.Spec;
        using AttentionRun run = layer.Open(new RunOptions());
        (float[] output, float[] logSumExp) = Attend(run, spec, [(run.CreateSequence(new float[77 * spec.RowWidth], spec.RowWidth), Queries(spec, "zeros", 2))]);

        Assert.All(output, value => Assert.Equal(0, value));
        Assert.All(logSumExp[..spec.Heads], value => Assert.Equal(Math.Log(76), value, 1e-5));
        Assert.All(logSumExp[spec.Heads..], value => Assert.Equal(Math.Log(77), value, 1e-5));
    }

    [Theory]
    [MemberData(nameof(Layers))]
    public void Equal_keys_give_their_own_latent(string name)
    {
        TestLayer layer = TestLayer.Get(name);
        OracleSpec spec = layer.Spec;
        float[] row = Rows(spec, "equal", 1);
        float[] rows = [.. Enumerable.Repeat(row, 133).SelectMany(values => values)];
        using AttentionRun run = layer.Open(new RunOptions());
        (float[] output, _) = Attend(run, spec, [(run.CreateSequence(rows, spec.RowWidth), Queries(spec, "equal", 1))]);

        float[] expected = [.. Enumerable.Repeat(row[..spec.KvLoraRank], spec.Heads).SelectMany(values => values)];
        Compare.AssertClose<float, float>("output", output, expected, Tolerance.Float32);
    }

    /// <summary>Keys of denormal and of huge values: sums that a half-precision accumulator could not hold.</summary>
    [Theory]
    [InlineData(1e-40f)]
    [InlineData(1e6f)]
    public void Latents_of_any_magnitude_come_through(float magnitude)
    {
        TestLayer layer = TestLayer.Get("yarn");
        OracleSpec spec = layer.Spec;
        float[] rows = [.. Rows(spec, "magnitude", 90).Select(value => value * magnitude)];
        float[] queries = [.. Queries(spec, "magnitude", 1).Select(value => magnitude > 1 ? value / magnitude : value)];
        using AttentionRun run = layer.Open(new RunOptions());
        (float[] output, float[] logSumExp) = Attend(run, spec, [(run.CreateSequence(rows, spec.RowWidth), queries)]);

        LatentAttention expected = AbsorbedOracle.Attend(spec, OracleMath.Widen(queries), 1, OracleMath.Widen(rows));
        Compare.AssertClose<float, double>("log-sum-exp", logSumExp, expected.LogSumExp, Tolerance.Float32);
        if (magnitude > 1)
        {
            Compare.AssertClose<float, double>("output", output, expected.Output, Tolerance.Float32 with { Absolute = 2e-5 * magnitude });
        }
        else
        {
            // A denormal has few digits: as near as their spacing allows.
            Assert.All(output.Zip(expected.Output), pair => Assert.Equal(pair.Second, pair.First, 64 * (double)float.Epsilon));
        }
    }

    [Theory]
    [MemberData(nameof(Layers))]
    public void Threads_pages_and_neighbours_change_no_bit(string name)
    {
        TestLayer layer = TestLayer.Get(name);
        OracleSpec spec = layer.Spec;
        float[] rows = Rows(spec, name, 1111);
        float[] queries = Queries(spec, name, 3);
        (float[] Output, float[] LogSumExp) expected = Alone(new RunOptions { Threads = 1 });
        foreach (RunOptions options in (RunOptions[])[new() { Threads = 1 }, new() { Threads = 2, PageTokens = 16 }, new() { Threads = 5, PageTokens = 37 }])
        {
            (float[] output, float[] logSumExp) = Alone(options);
            Compare.AssertSameBits($"output, {options}", output, expected.Output);
            Compare.AssertSameBits($"log-sum-exp, {options}", logSumExp, expected.LogSumExp);
        }

        using AttentionRun run = layer.Open(new RunOptions { Threads = 3, PageTokens = 64 });
        float[] others = Rows(spec, "others", 200);
        (float[] among, float[] amongLogSumExp) = Attend(
            run,
            spec,
            [
                (run.CreateSequence(others, spec.RowWidth), Queries(spec, "first", 2)),
                (run.CreateSequence(rows, spec.RowWidth), queries),
                (run.CreateSequence(), Queries(spec, "last", 1)),
            ]);
        Compare.AssertSameBits("output among neighbours", among.AsSpan(2 * spec.Heads * spec.KvLoraRank, expected.Output.Length), expected.Output);
        Compare.AssertSameBits("log-sum-exp among neighbours", amongLogSumExp.AsSpan(2 * spec.Heads, expected.LogSumExp.Length), expected.LogSumExp);

        (float[] Output, float[] LogSumExp) Alone(RunOptions options)
        {
            using AttentionRun alone = layer.Open(options);
            return Attend(alone, spec, [(alone.CreateSequence(rows, spec.RowWidth), queries)]);
        }
    }

    internal static float[] Rows(OracleSpec spec, string name, int tokens) => CounterRandom.Hidden($"{name}/rows", tokens, spec.RowWidth);

    /// <summary>Absorbed queries whose scaled scores have a deviation of about 3, times <paramref name="scale"/> / 3.</summary>
    internal static float[] Queries(OracleSpec spec, string name, int tokens, double scale = 3)
    {
        float[] queries = CounterRandom.Hidden($"{name}/queries", tokens, spec.Heads * spec.RowWidth);
        float factor = (float)(scale / (Math.Sqrt(spec.RowWidth) * spec.SoftmaxScale));
        return [.. queries.Select(value => value * factor)];
    }

    /// <summary>One call of the core, which must leave no element of its results unwritten.</summary>
    internal static (float[] Output, float[] LogSumExp) Attend(AttentionRun run, OracleSpec spec, (LatentSequence Sequence, float[] Queries)[] parts)
    {
        foreach ((LatentSequence sequence, float[] queries) in parts)
        {
            run.Batch.AddQueries(sequence, queries.Length / (spec.Heads * spec.RowWidth));
        }

        float[] output = AttentionRun.Poisoned(run.Batch.Rows * spec.Heads * spec.KvLoraRank);
        float[] logSumExp = AttentionRun.Poisoned(run.Batch.Rows * spec.Heads);
        run.AttendLatent([.. parts.SelectMany(part => part.Queries)], output, logSumExp);
        run.Batch.Rollback();
        AttentionRun.AssertWritten(output);
        AttentionRun.AssertWritten(logSumExp);
        return (output, logSumExp);
    }

    private static void AssertOracle(string name, (int Keys, int Queries)[] sequences, RunOptions options, double queryScale = 3)
    {
        TestLayer layer = TestLayer.Get(name);
        OracleSpec spec = layer.Spec;
        using AttentionRun run = layer.Open(options);
        (float[] Rows, float[] Queries)[] inputs =
            [.. sequences.Select((size, i) => (Rows(spec, $"{name} {i}", size.Keys), Queries(spec, $"{name} {i}", size.Queries, queryScale)))];
        (float[] output, float[] logSumExp) = Attend(run, spec, [.. inputs.Select(input => (run.CreateSequence(input.Rows, spec.RowWidth), input.Queries))]);

        int row = 0;
        for (int i = 0; i < sequences.Length; i++)
        {
            int queries = sequences[i].Queries;
            LatentAttention expected = AbsorbedOracle.Attend(spec, OracleMath.Widen(inputs[i].Queries), queries, OracleMath.Widen(inputs[i].Rows));
            Tolerance tolerance = Tolerance.Float32.ForScores(expected.MaxScore);
            string what = $"sequence {i}, {queries} queries over {sequences[i].Keys} keys";
            Compare.AssertClose<float, double>($"log-sum-exp of {what}", logSumExp.AsSpan(row * spec.Heads, queries * spec.Heads), expected.LogSumExp, tolerance);
            Compare.AssertClose<float, double>($"output of {what}", output.AsSpan(row * spec.Heads * spec.KvLoraRank, queries * spec.Heads * spec.KvLoraRank), expected.Output, tolerance);
            row += queries;
        }
    }
}
