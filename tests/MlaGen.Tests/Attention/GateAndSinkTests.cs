using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary>Gates and sinks where the result is known from the same layer without them. Against the oracle they stand among the other layers.</summary>
public sealed class GateAndSinkTests
{
    private static readonly MlaForm[] _forms = [MlaForm.Absorbed, MlaForm.Decompressed];

    /// <summary>Logits that no finite score stands beside, in either direction, and those that weigh as much as all keys.</summary>
    public static TheoryData<float, MlaForm> Logits
    {
        get
        {
            var data = new TheoryData<float, MlaForm>();
            foreach (float logit in (float[])[-1000, -100, -30, 0, 5, 30, 60, 85])
            {
                foreach (MlaForm form in _forms)
                {
                    data.Add(logit, form);
                }
            }

            return data;
        }
    }

    [Theory]
    [InlineData(MlaForm.Absorbed)]
    [InlineData(MlaForm.Decompressed)]
    public void A_sink_of_negative_infinity_is_none_to_the_bit(MlaForm form)
        => Compare.AssertSameBits("output", Sinks(float.NegativeInfinity, form), Plain<DenseAttention>(form, "sinks"));

    [Theory]
    [InlineData(MlaForm.Absorbed)]
    [InlineData(MlaForm.Decompressed)]
    public void A_sink_far_above_every_score_leaves_nothing(MlaForm form)
        => Assert.All(new[] { 1e4f, 3e38f }, logit => Assert.All(Sinks(logit, form), value => Assert.Equal(0, value)));

    [Theory]
    [MemberData(nameof(Logits))]
    public void A_sink_of_any_logit_gives_what_the_oracle_gives(float logit, MlaForm form)
    {
        Lazy<TestLayer> layer = TestLayer.Make<SinkAttention>("sinks", spec => spec with { HasSinks = true }, change: weights => Fill(weights, "learnable_sink_param", logit));
        Prompt prompt = Prompt.Random("sinks", 40, layer.Value.Spec.HiddenSize);
        OracleResult expected = DecompressedOracle.Forward(layer.Value.Spec, layer.Value.Weights, prompt.Hidden, prompt.Positions);

        float[] output = Sinks(logit, form);

        Tolerance tolerance = Tolerance.Float32.ForScores(Math.Max(expected.MaxScore, Math.Abs(logit))) with { Absolute = 0, Relative = double.PositiveInfinity };
        Compare.AssertClose<float, double>("output", output, expected.Output, tolerance);
    }

    /// <summary>Engines that merge parts add the sinks themselves, once. The layer has run before: none of its sinks stay behind.</summary>
    [Fact]
    public void The_core_alone_leaves_sinks_out()
    {
        TestLayer with = TestLayer.Get("sinks");
        Lazy<TestLayer> without = TestLayer.Make<DenseAttention>("sinks", spec => spec);
        Compare.AssertSameBits("log-sum-exp", Attend(with).LogSumExp, Attend(without.Value).LogSumExp);
        Compare.AssertSameBits("output", Attend(with).Output, Attend(without.Value).Output);

        static (float[] Output, float[] LogSumExp) Attend(TestLayer layer)
        {
            OracleSpec spec = layer.Spec;
            using AttentionRun run = layer.Open(new RunOptions());
            LatentSequence sequence = run.CreateSequence(Golden.CounterRandom.Hidden("core/rows", 70, spec.RowWidth), spec.RowWidth);
            run.Feed(run.CreateSequence(), Prompt.Random("core", 3, spec.HiddenSize));
            run.Batch.AddQueries(sequence, 2);
            float[] output = AttentionRun.Poisoned(2 * spec.Heads * spec.KvLoraRank);
            float[] logSumExp = AttentionRun.Poisoned(2 * spec.Heads);
            run.AttendLatent(Golden.CounterRandom.Hidden("core/queries", 2 * spec.Heads, spec.RowWidth), output, logSumExp);
            run.Batch.Rollback();
            return (output, logSumExp);
        }
    }

    /// <summary>The sigmoid of 0 is a half, and half of a number is exact.</summary>
    [Theory]
    [InlineData(MlaForm.Absorbed)]
    [InlineData(MlaForm.Decompressed)]
    public void Gates_of_zero_halve_every_value(MlaForm form)
    {
        Lazy<TestLayer> gated = TestLayer.Make<HeadGateAttention>("head gate", spec => spec with { Gate = OutputGate.HeadWise }, change: weights => Fill(weights, "g_proj.weight", 0));
        float[] plain = Plain<RopelessAttention>(form, "head gate");

        Compare.AssertSameBits("output", Feed(gated.Value, "head gate", form), [.. plain.Select(static value => value / 2)]);
    }

    private static float[] Sinks(float logit, MlaForm form)
    {
        Lazy<TestLayer> layer = TestLayer.Make<SinkAttention>("sinks", spec => spec with { HasSinks = true }, change: weights => Fill(weights, "learnable_sink_param", logit));
        return Feed(layer.Value, "sinks", form);
    }

    /// <summary>The same weights in a class of the same dimensions without gate and sinks.</summary>
    private static float[] Plain<TAttention>(MlaForm form, string name)
        where TAttention : class, IMlaAttention<TAttention>
        => Feed(TestLayer.Make<TAttention>(name, spec => spec).Value, name, form);

    private static float[] Feed(TestLayer layer, string name, MlaForm form)
    {
        using AttentionRun run = layer.Open(new RunOptions { Form = form });
        return run.Feed(run.CreateSequence(), Prompt.Random(name, 40, layer.Spec.HiddenSize));
    }

    private static void Fill(Dictionary<string, WeightTensor> weights, string tensor, float value) => Array.Fill(weights[tensor].Values, value);
}
