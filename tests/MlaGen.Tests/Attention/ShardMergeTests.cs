using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary>A13: keys cut into shards, attended to apart and merged by their log-sum-exp, give what the whole gives.</summary>
[Trait("Suite", "Acceptance")]
public sealed class ShardMergeTests
{
    private const int Keys = 150;

    public static TheoryData<string, int, bool> Cuts
    {
        get
        {
            var data = new TheoryData<string, int, bool>();
            foreach (string name in TestLayer.Names)
            {
                foreach (int shards in (int[])[1, 2, 3, 4])
                {
                    data.Add(name, shards, false);
                    data.Add(name, shards, true);
                }
            }

            return data;
        }
    }

    public static TheoryData<CacheFormat> Formats => [.. TestLayer.Formats];

    [Theory]
    [MemberData(nameof(Cuts))]
    public void Merged_shards_equal_the_whole(string name, int shards, bool isInterleaved) => AssertMerged(TestLayer.Get(name), shards, isInterleaved, empties: 0);

    [Theory]
    [MemberData(nameof(Formats))]
    public void Merged_shards_equal_the_whole_on_every_cache_format_with_empty_ones_among_them(CacheFormat format)
    {
        for (int shards = 1; shards <= 4; shards++)
        {
            AssertMerged(TestLayer.Get(format), shards, isInterleaved: false, empties: 1);
            AssertMerged(TestLayer.Get(format), shards, isInterleaved: true, empties: 2);
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void One_shard_beside_empty_ones_keeps_its_bits(CacheFormat format)
    {
        TestLayer layer = TestLayer.Get(format);
        OracleSpec spec = layer.Spec;
        float[] query = AttendLatentTests.Queries(spec, "shard", 1);
        using AttentionRun run = layer.Open(new RunOptions());
        (float[] Output, float[] LogSumExp) plain = Attend(run, spec, AttendLatentTests.Rows(spec, "shard", Keys), query);
        (float[] output, float[] logSumExp) = Attend(run, spec, [], query);
        Merge(output, logSumExp, plain);
        Merge(output, logSumExp, Attend(run, spec, [], query));

        Compare.AssertSameBits("output", output, plain.Output);
        Compare.AssertSameBits("log-sum-exp", logSumExp, plain.LogSumExp);
    }

    [Fact]
    public void Shards_may_be_merged_in_any_order_and_grouping()
    {
        TestLayer layer = TestLayer.Get("yarn");
        OracleSpec spec = layer.Spec;
        float[] query = AttendLatentTests.Queries(spec, "shard", 1);
        using AttentionRun run = layer.Open(new RunOptions());
        (float[] Output, float[] LogSumExp)[] shards =
            [.. new[] { 1, 40, 109 }.Select(keys => Attend(run, spec, AttendLatentTests.Rows(spec, $"shard of {keys}", keys), query))];

        (float[] Output, float[] LogSumExp) there = Merged(shards[0], shards[1]);
        (float[] Output, float[] LogSumExp) back = Merged(shards[1], shards[0]);
        Compare.AssertSameBits("output", back.Output, there.Output);
        Compare.AssertSameBits("log-sum-exp", back.LogSumExp, there.LogSumExp);

        (float[] Output, float[] LogSumExp) left = Merged(Merged(shards[0], shards[1]), shards[2]);
        (float[] Output, float[] LogSumExp) right = Merged(shards[0], Merged(shards[1], shards[2]));
        var tolerance = new Tolerance(1e-6, 1e-6, 1e-6);
        Compare.AssertClose<float, float>("output", right.Output, left.Output, tolerance);
        Compare.AssertClose<float, float>("log-sum-exp", right.LogSumExp, left.LogSumExp, tolerance);
    }

    [Fact]
    public void Nothing_but_empty_shards_gives_nothing()
    {
        TestLayer layer = TestLayer.Get("yarn");
        OracleSpec spec = layer.Spec;
        float[] query = AttendLatentTests.Queries(spec, "shard", 1);
        using AttentionRun run = layer.Open(new RunOptions());
        (float[] output, float[] logSumExp) = Attend(run, spec, [], query);
        Merge(output, logSumExp, Attend(run, spec, [], query));

        Assert.All(output, value => Assert.Equal(0, value));
        Assert.All(logSumExp, value => Assert.Equal(float.NegativeInfinity, value));
    }

    /// <summary>Cuts the keys of one query, attends to each part and merges; the reference is the oracle on the rows as a cache holds them all.</summary>
    private static void AssertMerged(TestLayer layer, int shards, bool isInterleaved, int empties)
    {
        OracleSpec spec = layer.Spec;
        float[] rows = AttendLatentTests.Rows(spec, "shards", Keys);
        float[] query = AttendLatentTests.Queries(spec, "shards", 1);
        using AttentionRun run = layer.Open(new RunOptions());
        float[] stored = AttentionRun.Rows(run.CreateSequence(rows, spec.RowWidth), spec.RowWidth);
        LatentAttention whole = AbsorbedOracle.Attend(spec, OracleMath.Widen(query), 1, OracleMath.Widen(stored));
        float[] output = new float[spec.Heads * spec.KvLoraRank];
        float[] logSumExp = new float[spec.Heads];
        Array.Fill(logSumExp, float.NegativeInfinity);
        for (int shard = 0; shard < shards; shard++)
        {
            int[] tokens = [.. Enumerable.Range(0, Keys).Where(token => (isInterleaved ? token % shards : token * shards / Keys) == shard)];
            Merge(output, logSumExp, Attend(run, spec, [.. tokens.SelectMany(token => rows[(token * spec.RowWidth)..((token + 1) * spec.RowWidth)])], query));
            for (int i = 0; i < empties; i++)
            {
                Merge(output, logSumExp, Attend(run, spec, [], query));
            }
        }

        Tolerance tolerance = Tolerance.Float32.ForScores(whole.MaxScore);
        Compare.AssertClose<float, double>("log-sum-exp", logSumExp, whole.LogSumExp, tolerance);
        Compare.AssertClose<float, double>("output", output, whole.Output, tolerance);
    }

    private static (float[] Output, float[] LogSumExp) Merged((float[] Output, float[] LogSumExp) first, (float[] Output, float[] LogSumExp) second)
    {
        float[] output = [.. first.Output];
        float[] logSumExp = [.. first.LogSumExp];
        Merge(output, logSumExp, second);
        return (output, logSumExp);
    }

    private static (float[] Output, float[] LogSumExp) Attend(AttentionRun run, OracleSpec spec, float[] rows, float[] query)
        => AttendLatentTests.Attend(run, spec, [(run.CreateSequence(rows, spec.RowWidth), query)]);

    private static void Merge(float[] output, float[] logSumExp, (float[] Output, float[] LogSumExp) shard)
        => LogSumExp.Merge(output, logSumExp, shard.Output, shard.LogSumExp);
}
