using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary>Keys cut into shards, attended to apart and merged by their log-sum-exp, give what the whole gives.</summary>
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
                foreach (int shards in (int[])[2, 3, 4])
                {
                    data.Add(name, shards, false);
                    data.Add(name, shards, true);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cuts))]
    public void Merged_shards_equal_the_whole(string name, int shards, bool interleaved)
    {
        TestLayer layer = TestLayer.Get(name);
        OracleSpec spec = layer.Spec;
        float[] rows = AttendLatentTests.Rows(spec, name, Keys);
        float[] query = AttendLatentTests.Queries(spec, name, 1);
        LatentAttention whole = AbsorbedOracle.Attend(spec, OracleMath.Widen(query), 1, OracleMath.Widen(rows));
        using AttentionRun run = layer.Open(new RunOptions());
        float[] output = new float[spec.Heads * spec.KvLoraRank];
        float[] logSumExp = new float[spec.Heads];
        Array.Fill(logSumExp, float.NegativeInfinity);
        for (int shard = 0; shard < shards; shard++)
        {
            int[] tokens = [.. Enumerable.Range(0, Keys).Where(token => (interleaved ? token % shards : token * shards / Keys) == shard)];
            Merge(spec, output, logSumExp, Attend(run, spec, [.. tokens.SelectMany(token => rows[(token * spec.RowWidth)..((token + 1) * spec.RowWidth)])], query));
        }

        Tolerance tolerance = Tolerance.Float32.ForScores(whole.MaxScore);
        Compare.AssertClose<float, double>("log-sum-exp", logSumExp, whole.LogSumExp, tolerance);
        Compare.AssertClose<float, double>("output", output, whole.Output, tolerance);
    }

    [Fact]
    public void One_shard_beside_empty_ones_keeps_its_bits()
    {
        TestLayer layer = TestLayer.Get("yarn");
        OracleSpec spec = layer.Spec;
        float[] query = AttendLatentTests.Queries(spec, "shard", 1);
        using AttentionRun run = layer.Open(new RunOptions());
        (float[] Output, float[] LogSumExp) plain = Attend(run, spec, AttendLatentTests.Rows(spec, "shard", Keys), query);
        (float[] output, float[] logSumExp) = Attend(run, spec, [], query);
        Merge(spec, output, logSumExp, plain);
        Merge(spec, output, logSumExp, Attend(run, spec, [], query));

        Compare.AssertSameBits("output", output, plain.Output);
        Compare.AssertSameBits("log-sum-exp", logSumExp, plain.LogSumExp);
    }

    [Fact]
    public void Nothing_but_empty_shards_gives_nothing()
    {
        TestLayer layer = TestLayer.Get("yarn");
        OracleSpec spec = layer.Spec;
        float[] query = AttendLatentTests.Queries(spec, "shard", 1);
        using AttentionRun run = layer.Open(new RunOptions());
        (float[] output, float[] logSumExp) = Attend(run, spec, [], query);
        Merge(spec, output, logSumExp, Attend(run, spec, [], query));

        Assert.All(output, value => Assert.Equal(0, value));
        Assert.All(logSumExp, value => Assert.Equal(float.NegativeInfinity, value));
    }

    private static (float[] Output, float[] LogSumExp) Attend(AttentionRun run, OracleSpec spec, float[] rows, float[] query)
        => AttendLatentTests.Attend(run, spec, [(run.CreateSequence(rows, spec.RowWidth), query)]);

    private static void Merge(OracleSpec spec, float[] output, float[] logSumExp, (float[] Output, float[] LogSumExp) shard)
        => LogSumExp.Merge(output, logSumExp, shard.Output, shard.LogSumExp);
}
