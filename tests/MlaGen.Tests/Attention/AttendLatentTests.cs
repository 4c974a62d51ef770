using MlaGen.Tests.Golden;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary>The core alone, where the result is known without an oracle. Against the oracle it stands in the acceptance suite.</summary>
public sealed class AttendLatentTests
{
    public static TheoryData<string> Layers => [.. TestLayer.Names];

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
}
