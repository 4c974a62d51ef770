using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Golden;

/// <summary>A15, tests of the tests: the tolerance that products must meet lets none of the mistakes through that published implementations made.</summary>
[Trait("Suite", "Acceptance")]
public sealed class PublishedMistakesTests
{
    private static readonly Dictionary<string, Func<Layer, Layer>> _mistakes = new()
    {
        ["pairs half-split instead of interleaved"] = layer => layer.Turning(rope => rope with { Layout = RopeLayout.HalfSplit }),
        ["not turned at all"] = layer => layer.Turning(rope => rope with { Layout = RopeLayout.None }),
        ["YaRN left out"] = layer => layer.Turning(rope => rope with { Scaling = RopeScaling.None }),
        ["YaRN's range not rounded outwards"] = layer => layer.Turning(rope => rope with { Truncate = false }),
        ["cosine and sine scaled although mscale cancels"] = layer => layer.Turning(rope => rope with { MscaleNumerator = 0, MscaleAllDim = 0 }),
        ["softmax scale without mscale"] = layer => layer.Scaling(spec => 1 / Math.Sqrt(spec.QkHeadDim)),
        ["mscale once instead of squared"] = layer => layer.Scaling(spec => Math.Sqrt(spec.SoftmaxScale / Math.Sqrt(spec.QkHeadDim))),
        ["softmax scale from the cached width"] = layer => layer.Scaling(spec => spec.SoftmaxScale * Math.Sqrt((double)spec.QkHeadDim / spec.RowWidth)),
        ["kv_b_proj as all keys, then all values"] = layer => layer with { Weights = layer.Weights with { KvBProj = KeysThenValues(layer.Spec, layer.Weights.KvBProj) } },
        ["epsilon of 1e-4 in the latent norm"] = layer => layer with { Spec = layer.Spec with { LatentNormEpsilon = 1e-4 } },
    };

    public static TheoryData<string> Mistakes => [.. _mistakes.Keys];

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void A_published_mistake_fails_the_comparison(string mistake)
    {
        GoldenCase golden = GoldenCase.Load("deepseek-v2-lite");
        var right = new Layer(golden.Spec, golden.Weights);

        Assert.Null(Verdict(golden, right));
        Assert.NotNull(Verdict(golden, _mistakes[mistake](right)));
    }

    /// <summary>DeepSeek-V3's, DeepSeek-V2-Lite's and the one without mscale: each passes with its own scale and fails with either of the others.</summary>
    [Theory]
    [InlineData("deepseek-v3", 0.135234, 0.114721, 0.072169)]
    [InlineData("deepseek-v2-lite", 0.114721, 0.135234, 0.072169)]
    [InlineData("kimi-linear", 0.072169, 0.135234, 0.114721)]
    public void The_scale_of_another_model_fails_the_comparison(string name, double own, double other, double another)
    {
        GoldenCase golden = GoldenCase.Load(name);
        var right = new Layer(golden.Spec, golden.Weights);

        Assert.Equal(own, golden.Spec.SoftmaxScale, 5e-7);
        Assert.Null(Verdict(golden, right));
        Assert.NotNull(Verdict(golden, right.Scaling(_ => other)));
        Assert.NotNull(Verdict(golden, right.Scaling(_ => another)));
    }

    [Theory]
    [InlineData(MlaForm.Absorbed)]
    [InlineData(MlaForm.Decompressed)]
    public void A_generated_class_with_a_mistake_fails_the_comparison(MlaForm form)
    {
        Assert.Null(Verdict<TinyAttention>(form));
        Assert.NotNull(Verdict<WrongPairingAttention>(form));
        Assert.NotNull(Verdict<WrongScaleAttention>(form));
    }

    private static string? Verdict<TAttention>(MlaForm form)
        where TAttention : class, IGoldenAttention<TAttention>
    {
        var model = new GoldenModel<TAttention>();
        using AttentionRun run = AttentionRun.Open(model.Layer, new RunOptions { Form = form, Precision = MlaPrecision.Highest });
        float[] output = run.Feed(run.CreateSequence(), new Prompt(model.Case.Hidden, model.Case.Positions));
        return Compare.Explain<float, float>(output, model.Case.Output, Tolerance.Float32);
    }

    private static string? Verdict(GoldenCase golden, Layer layer)
    {
        OracleResult result = AbsorbedOracle.Forward(layer.Spec, layer.Weights, golden.Hidden, golden.Positions);
        return Compare.Explain<double, float>(result.Output.AsSpan()[^golden.Output.Length..], golden.Output, Tolerance.Float32.ForScores(result.MaxScore));
    }

    private static float[] KeysThenValues(OracleSpec spec, float[] perHead)
    {
        var regrouped = new float[perHead.Length];
        int keys = spec.QkNopeHeadDim * spec.KvLoraRank;
        int values = spec.VHeadDim * spec.KvLoraRank;
        for (int head = 0; head < spec.Heads; head++)
        {
            perHead.AsSpan(head * keys, keys).CopyTo(regrouped.AsSpan(head * (keys + values)));
            perHead.AsSpan((spec.Heads * keys) + (head * values), values).CopyTo(regrouped.AsSpan((head * (keys + values)) + keys));
        }

        return regrouped;
    }

    private sealed record Layer(OracleSpec Spec, OracleWeights Weights)
    {
        /// <summary>Another rope with the softmax scale kept, so that a mistake stands alone.</summary>
        public Layer Turning(Func<OracleRope, OracleRope> change) => this with { Spec = Spec with { Rope = change(Spec.Rope), SoftmaxScaleOverride = Spec.SoftmaxScale } };

        public Layer Scaling(Func<OracleSpec, double> scale) => this with { Spec = Spec with { SoftmaxScaleOverride = scale(Spec) } };
    }
}
