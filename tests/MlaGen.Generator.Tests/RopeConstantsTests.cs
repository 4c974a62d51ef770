using MlaGen.Generator.Model;
using MlaGen.Generator.Planning;

namespace MlaGen.Generator.Tests;

public class RopeConstantsTests
{
    private static readonly MlaSettings _deepSeekV3 = new()
    {
        HiddenSize = 7168,
        Heads = 128,
        QLoraRank = 1536,
        MaxPositionEmbeddings = 163840,
        RopeScaling = Model.RopeScaling.Yarn,
        RopeFactor = 40,
        OriginalMaxPositionEmbeddings = 4096,
        Mscale = 1,
        MscaleAllDim = 1,
    };

    private static readonly MlaSettings _longRope = new()
    {
        HiddenSize = 64,
        Heads = 2,
        QkRopeHeadDim = 4,
        MaxPositionEmbeddings = 1024,
        OriginalMaxPositionEmbeddings = 256,
        RopeScaling = Model.RopeScaling.LongRope,
        RopeFactor = 4,
        ShortFactor = new([1.5, 8]),
        LongFactor = new([1.5, 8]),
    };

    private static readonly MlaSettings _kimiK2 = _deepSeekV3 with { RopeTheta = 50000, RopeFactor = 32, BetaFast = 1, BetaSlow = 1 };

    private static readonly MlaSettings _kimiK25 = _deepSeekV3 with { RopeTheta = 50000, RopeFactor = 64 };

    private static readonly MlaSettings _mistralSmall4 = _deepSeekV3 with { QkNopeHeadDim = 64, RopeFactor = 128, OriginalMaxPositionEmbeddings = 8192 };

    public static TheoryData<string, double, double> Ranges => new()
    {
        { "DeepSeek-V3", 10, 23 },
        { "Kimi-K2.5", 8, 20 },
        { "Kimi-K2-Instruct", 19, 20 },
        { "Mistral-Small-4", 12, 25 },
    };

    public static TheoryData<string, double> Scales => new()
    {
        { "DeepSeek-V3", 0.1352337788608801 },
        { "DeepSeek-V2", 0.11472138679292611 },
        { "Kimi-K2-Instruct", 0.13086079996295005 },
        { "Kimi-K2.5", 0.14467962580268923 },
        { "unscaled", 0.07216878364870322 },
        { "Mistral-Small-4", 0.19496949473302969 },
    };

    [Theory]
    [MemberData(nameof(Ranges))]
    public void Correction_range_of_published_models_is_that_of_transformers(string model, double low, double high)
    {
        Assert.Equal((low, high), RopeConstants.CorrectionRange(Spec(Published(model))));
        Assert.Contains(FormattableString.Invariant($"low {low}, high {high}"), Constants(Published(model)).FrequencyDerivation, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Scales))]
    public void Softmax_scale_of_published_models_is_that_of_transformers(string model, double expected)
        => Assert.Equal(expected, Constants(Published(model)).SoftmaxScale);

    [Fact]
    public void Derivations_spell_the_formula_and_its_value()
    {
        RopeConstants constants = Constants(_deepSeekV3);

        Assert.Equal("softmax scale = 192^-0.5 · (0.1·1·ln 40 + 1)² = 0.1352337788608801", constants.SoftmaxScaleDerivation);
        Assert.Equal("cosine and sine factor = (0.1·1·ln 40 + 1) / (0.1·1·ln 40 + 1) = 1", constants.AttentionFactorDerivation);
        Assert.Equal("frequency of pair i = 10000^(-2i/64) up to low, divided by 40 from high on, blended between; YaRN correction range: low 10, high 23", constants.FrequencyDerivation);
    }

    [Fact]
    public void Plain_frequencies_are_reciprocals_of_float_powers()
    {
        RopeConstants constants = Constants(new MlaSettings { HiddenSize = 64, Heads = 2, QkRopeHeadDim = 16 });

        // 10000^(-i/8), each power and each reciprocal rounded to float.
        Assert.Equal([1f, 0.31622776f, 0.1f, 0.03162278f, 0.01f, 0.0031622779f, 0.001f, 0.0003162278f], constants.InverseFrequencies);
        Assert.Equal(1f, constants.AttentionFactor);
    }

    [Fact]
    public void Yarn_frequencies_follow_transformers_rounding_by_rounding()
    {
        // Computed by a separate program that rounds every operation to float, in the order of transformers' _compute_yarn_parameters.
        float[] expected =
        [
            1f, 0.7498942f, 0.56234133f, 0.4216965f, 0.31622776f, 0.23713736f, 0.17782794f, 0.13335215f,
            0.1f, 0.074989416f, 0.05623413f, 0.039006926f, 0.02687936f, 0.018378144f, 0.012447956f, 0.008334509f,
            0.0055000004f, 0.0035619973f, 0.0022493652f, 0.0013705135f, 0.0007905694f, 0.0004149904f, 0.00017782794f, 3.3338034e-05f,
            2.5e-05f, 1.8747354e-05f, 1.40585325e-05f, 1.0542412e-05f, 7.9056945e-06f, 5.9284343e-06f, 4.4456983e-06f, 3.3338035e-06f,
        ];

        Assert.Equal(expected, Constants(_deepSeekV3).InverseFrequencies);
    }

    [Fact]
    public void Yarn_keeps_low_pairs_and_divides_high_ones()
    {
        EquatableArray<float> plain = Constants(_deepSeekV3 with { RopeScaling = Model.RopeScaling.None }).InverseFrequencies;
        EquatableArray<float> yarn = Constants(_deepSeekV3).InverseFrequencies;

        Assert.Equal(plain.Take(11), yarn.Take(11));
        for (int i = 11; i < 23; i++)
        {
            double ramp = (i - 10) / 13.0;
            Assert.Equal(1, yarn[i] / ((plain[i] / 40 * ramp) + (plain[i] * (1 - ramp))), 1e-6);
        }

        Assert.All(Enumerable.Range(23, 9), i => Assert.Equal(1, yarn[i] * 40 / plain[i], 1e-6));
    }

    [Fact]
    public void Equal_betas_make_a_step()
    {
        EquatableArray<float> plain = Constants(_kimiK2 with { RopeScaling = Model.RopeScaling.None }).InverseFrequencies;
        EquatableArray<float> yarn = Constants(_kimiK2).InverseFrequencies;

        Assert.Equal(plain.Take(20), yarn.Take(20));
        Assert.All(Enumerable.Range(20, 12), i => Assert.Equal(1, yarn[i] * 32 / plain[i], 1e-6));
    }

    [Fact]
    public void Range_of_no_width_is_widened_by_a_thousandth()
    {
        // Without rounding outwards, equal betas give low == high: dim(1) = 64·ln(4096 / 2π) / (2·ln 50000).
        MlaSettings settings = _kimiK2 with { RopeTruncate = false };
        (double low, double high) = RopeConstants.CorrectionRange(Spec(settings));
        EquatableArray<float> plain = Constants(settings with { RopeScaling = Model.RopeScaling.None }).InverseFrequencies;
        EquatableArray<float> yarn = Constants(settings).InverseFrequencies;

        Assert.Equal(low, high);
        Assert.Equal(19.1646, low, 0.0001);
        Assert.Equal(plain.Take(20), yarn.Take(20));
        Assert.All(Enumerable.Range(20, 12), i => Assert.Equal(1, yarn[i] * 32 / plain[i], 1e-6));
    }

    [Fact]
    public void Range_is_rounded_outwards_unless_told_otherwise()
    {
        (double low, double high) = RopeConstants.CorrectionRange(Spec(_deepSeekV3 with { RopeTruncate = false }));

        Assert.Equal(10.4722, low, 0.0001);
        Assert.Equal(22.5134, high, 0.0001);
    }

    [Fact]
    public void Range_is_clamped_to_the_rotary_width()
        => Assert.Equal((0, 15), RopeConstants.CorrectionRange(Spec(_deepSeekV3 with { QkRopeHeadDim = 16, RopeTheta = 2, OriginalMaxPositionEmbeddings = 64 })));

    [Theory]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(8192)]
    [InlineData(1 << 24)]
    public void Positions_that_a_class_accepts_enter_no_constant(int limit)
    {
        Assert.Equal(Constants(_deepSeekV3), Constants(_deepSeekV3 with { MaxPositionEmbeddings = limit }));
        Assert.Equal(Constants(_longRope), Constants(_longRope with { MaxPositionEmbeddings = limit }));
    }

    [Fact]
    public void Cosines_grow_when_yarn_has_no_mscale()
    {
        RopeConstants constants = Constants(_deepSeekV3 with { RopeFactor = 36, Mscale = null, MscaleAllDim = null });

        Assert.Equal(1.3583519f, constants.AttentionFactor);
        Assert.Equal(0.07216878364870322, constants.SoftmaxScale);
    }

    [Fact]
    public void Cosine_factor_is_the_ratio_of_both_mscales()
        => Assert.Equal((float)(((0.0707 * Math.Log(40)) + 1) / ((0.1 * Math.Log(40)) + 1)), Constants(_deepSeekV3 with { Mscale = 0.707 }).AttentionFactor);

    [Fact]
    public void Given_factors_and_scales_win()
    {
        RopeConstants constants = Constants(_deepSeekV3 with { AttentionFactor = 1.25, SoftmaxScale = 0.5 });

        Assert.Equal(1.25f, constants.AttentionFactor);
        Assert.Equal(0.5, constants.SoftmaxScale);
        Assert.Equal("softmax scale = 0.5, as given", constants.SoftmaxScaleDerivation);
    }

    [Fact]
    public void LongRope_divides_each_frequency_by_its_factor()
    {
        RopeConstants constants = Constants(_longRope);

        Assert.Equal([1f / 1.5f, 1f / 800f], constants.InverseFrequencies);
        Assert.Equal((float)Math.Sqrt(1 + (Math.Log(4) / Math.Log(256))), constants.AttentionFactor);
        Assert.Equal(1f, Constants(_longRope with { RopeFactor = 1 }).AttentionFactor);
        Assert.Equal(1f, Constants(_longRope with { RopeFactor = 0.5 }).AttentionFactor);
        Assert.Equal(Math.Pow(132, -0.5), constants.SoftmaxScale);
    }

    [Theory]
    [InlineData(0, Model.RopeLayout.Interleaved)]
    [InlineData(64, Model.RopeLayout.None)]
    internal void Nothing_rotated_has_no_frequencies(int width, Model.RopeLayout layout)
    {
        RopeConstants constants = Constants(new MlaSettings { HiddenSize = 64, Heads = 2, QkRopeHeadDim = width, RopeLayout = layout });

        Assert.Empty(constants.InverseFrequencies);
        Assert.Equal(Math.Pow(128 + width, -0.5), constants.SoftmaxScale);
    }

    private static MlaSettings Published(string model) => model switch
    {
        "DeepSeek-V3" => _deepSeekV3,
        "DeepSeek-V2" => _deepSeekV3 with { Mscale = 0.707, MscaleAllDim = 0.707 },
        "Kimi-K2-Instruct" => _kimiK2,
        "Kimi-K2.5" => _kimiK25,
        "Mistral-Small-4" => _mistralSmall4,
        _ => new MlaSettings { HiddenSize = 7168, Heads = 128 },
    };

    private static MlaSpec Spec(MlaSettings settings) => settings.ToSpec(new TargetClass("Models", EquatableArray<string>.Empty, "Attention", "public"));

    private static RopeConstants Constants(MlaSettings settings) => RopeConstants.For(Spec(settings));
}
