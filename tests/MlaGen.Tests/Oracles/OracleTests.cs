using MlaGen.Tests.Golden;

namespace MlaGen.Tests.Oracles;

/// <summary>The two oracles against each other, and their parts against numbers that can be worked out by hand.</summary>
public sealed class OracleTests
{
    private static readonly OracleSpec _small = new()
    {
        HiddenSize = 96,
        Heads = 7,
        QLoraRank = 40,
        KvLoraRank = 64,
        QkNopeHeadDim = 24,
        QkRopeHeadDim = 16,
        VHeadDim = 20,
    };

    private static readonly OracleRope _yarn = new()
    {
        Scaling = RopeScaling.Yarn,
        Theta = 10000,
        Factor = 40,
        OriginalMaxPosition = 4096,
        MscaleNumerator = 1,
        MscaleAllDim = 1,
    };

    private static readonly Dictionary<string, OracleSpec> _specs = new()
    {
        ["small"] = _small,
        ["one head"] = _small with { Heads = 1 },
        ["full query projection"] = _small with { QLoraRank = 0 },
        ["no rotary part"] = _small with { QkRopeHeadDim = 0 },
        ["rope of 6"] = _small with { QkRopeHeadDim = 6 },
        ["half-split"] = _small with { Rope = new OracleRope { Layout = RopeLayout.HalfSplit } },
        ["not turned"] = _small with { Rope = new OracleRope { Layout = RopeLayout.None } },
        ["YaRN"] = _small with { Rope = _yarn },
        ["YaRN without mscale"] = _small with { Rope = _yarn with { MscaleNumerator = 0, MscaleAllDim = 0 } },
        ["YaRN, range not rounded"] = _small with { Rope = _yarn with { Truncate = false } },
        ["LongRoPE"] = _small with { Rope = new OracleRope { Scaling = RopeScaling.LongRope, MaxPosition = 4096, OriginalMaxPosition = 1024, LongRopeFactors = [1, 1.1, 1.5, 2, 3, 5, 8, 12] } },
        ["scaled latents"] = _small with { ScaleQLora = true, ScaleKvLora = true },
        ["position scale"] = _small with { Llama4Beta = 0.1, Rope = new OracleRope { OriginalMaxPosition = 8 } },
    };

    public static TheoryData<string> Specs => [.. _specs.Keys];

    public static TheoryData<string> SpecsWithTraits => [.. _specs.Keys.Where(name => _specs[name] != WithoutTraits(_specs[name]))];

    [Theory]
    [MemberData(nameof(Specs))]
    public void Both_forms_give_the_same(string name)
    {
        OracleSpec spec = _specs[name];
        int[] positions = [0, 1, 2, 5, 6, 7, 8, 30, 31, 32, 900, 901];
        float[] hidden = CounterRandom.Hidden($"{name}/hidden_states", positions.Length, spec.HiddenSize);
        OracleWeights weights = OracleWeights.From(RandomLayer.Weights(spec, name, biases: true));

        OracleResult decompressed = DecompressedOracle.Forward(spec, weights, hidden, positions);
        OracleResult absorbed = AbsorbedOracle.Forward(spec, weights, hidden, positions);

        Tolerance tolerance = Tolerance.Oracles.ForScores(decompressed.MaxScore);
        Compare.AssertClose<double, double>("output", absorbed.Output, decompressed.Output, tolerance);
        Compare.AssertClose<double, double>("attention", absorbed.Attention, decompressed.Attention, tolerance);
        Assert.Equal(decompressed.MaxScore, absorbed.MaxScore, 1e-9);
    }

    [Theory]
    [MemberData(nameof(SpecsWithTraits))]
    public void Every_trait_of_a_shape_reaches_the_output(string name)
    {
        OracleSpec spec = _specs[name];
        int[] positions = [0, 3, 40, 900, 901];
        float[] hidden = CounterRandom.Hidden($"{name}/hidden_states", positions.Length, spec.HiddenSize);
        OracleWeights weights = OracleWeights.From(RandomLayer.Weights(spec, name));
        double[] with = DecompressedOracle.Forward(spec, weights, hidden, positions).Output;
        double[] without = DecompressedOracle.Forward(WithoutTraits(spec), weights, hidden, positions).Output;
        Assert.NotNull(Compare.Explain<double, double>(with, without, Tolerance.Float32));
    }

    [Fact]
    public void A_query_sees_the_keys_up_to_its_own_from_the_bottom_right()
    {
        OracleSpec spec = _small with { Heads = 2, KvLoraRank = 3, QkRopeHeadDim = 1, SoftmaxScaleOverride = 0.5 };
        double[] rows = [1, 2, 3, 0, 4, 5, 6, 0];
        double[] queries = new double[4 * 2 * 4];

        LatentAttention result = AbsorbedOracle.Attend(spec, queries, 4, rows);

        double[] first = [1, 2, 3];
        double[] mean = [2.5, 3.5, 4.5];
        double[] zeros = new double[3];
        Assert.Equal([.. zeros, .. zeros, .. zeros, .. zeros, .. first, .. first, .. mean, .. mean], result.Output);
        double none = double.NegativeInfinity;
        Assert.Equal([none, none, none, none, 0, 0, Math.Log(2), Math.Log(2)], result.LogSumExp);
    }

    [Fact]
    public void The_log_sum_exp_is_the_natural_logarithm_over_scaled_scores()
    {
        OracleSpec spec = _small with { Heads = 1, KvLoraRank = 2, QkRopeHeadDim = 0, SoftmaxScaleOverride = 0.25 };

        LatentAttention result = AbsorbedOracle.Attend(spec, [4, 8], 1, [1, 0, 0, 1]);

        Assert.Equal(Math.Log(Math.Exp(1) + Math.Exp(2)), result.LogSumExp[0], 1e-15);
        double share = Math.Exp(1) / (Math.Exp(1) + Math.Exp(2));
        Assert.Equal(share, result.Output[0], 1e-15);
        Assert.Equal(1 - share, result.Output[1], 1e-15);
        Assert.Equal(2, result.MaxScore);
    }

    [Theory]
    [InlineData(10000, 4096, 32, 1, 10, 23)]
    [InlineData(50000, 4096, 32, 1, 8, 20)]
    [InlineData(50000, 4096, 1, 1, 19, 20)]
    [InlineData(10000, 8192, 32, 1, 12, 25)]
    public void YaRN_passes_over_in_the_range_of_the_published_models(double theta, int original, double fast, double slow, double low, double high)
    {
        OracleRope rope = _yarn with { Theta = theta, OriginalMaxPosition = original, BetaFast = fast, BetaSlow = slow };
        Assert.Equal((low, high), rope.CorrectionRange(64));
    }

    [Theory]
    [InlineData(128, 64, 40, 1, 0.1352337788608801)]
    [InlineData(128, 64, 40, 0.707, 0.11472138679292611)]
    [InlineData(128, 64, 32, 1, 0.13086079996295005)]
    [InlineData(128, 64, 64, 1, 0.14467962580268923)]
    [InlineData(64, 64, 128, 1, 0.19496949473302969)]
    [InlineData(128, 64, 40, 0, 0.07216878364870322)]
    public void The_softmax_scale_is_that_of_the_published_models(int nope, int rope, double factor, double mscaleAllDim, double expected)
    {
        OracleSpec spec = _small with { QkNopeHeadDim = nope, QkRopeHeadDim = rope, Rope = _yarn with { Factor = factor, MscaleAllDim = mscaleAllDim } };
        Assert.Equal(expected, spec.SoftmaxScale, 1e-15);
    }

    [Theory]
    [InlineData(0.0, 0.0, 36, 1.3583518938456110)]
    [InlineData(0.707, 0.707, 40, 1)]
    public void Cosine_and_sine_grow_only_without_mscale(double mscale, double allDim, double factor, double expected)
    {
        OracleRope rope = _yarn with { Factor = factor, MscaleNumerator = mscale, MscaleAllDim = allDim };
        Assert.Equal(expected, rope.CosSinFactor(), 1e-12);
    }

    [Fact]
    public void Interleaved_pairs_leave_the_rotation_as_firsts_then_seconds()
    {
        double[] interleaved = [1, 10, 2, 20];
        double[] halves = [1, 2, 10, 20];
        float[] frequencies = new OracleRope().InverseFrequencies(4);
        new OracleRope().Rotate(interleaved, 3, frequencies);
        new OracleRope { Layout = RopeLayout.HalfSplit }.Rotate(halves, 3, frequencies);

        Assert.Equal(halves, interleaved);
        Assert.Equal(Math.Cos(3) - (10 * Math.Sin(3)), interleaved[0], 1e-6);
        Assert.Equal((10 * Math.Cos(3)) + Math.Sin(3), interleaved[2], 1e-6);
    }

    private static OracleSpec WithoutTraits(OracleSpec spec) => spec with { ScaleQLora = false, ScaleKvLora = false, Llama4Beta = 0, Rope = new OracleRope() };
}
