using MlaGen.Runtime;
using MlaGen.Tests.Acceptance;
using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.MachineCode;

/// <summary>The decompressed form at each precision against the oracle on the stored rows, whichever core this machine runs, and what must not change a bit.</summary>
public sealed class PrefillPrecisionTests
{
    private static readonly Dictionary<string, (MlaPrecision Precision, Lazy<TestLayer> Layer)> _layers = new()
    {
        ["medium"] = Layer<MediumPrefillAttention>(),
        ["high"] = Layer<HighPrefillAttention>(),
        ["medium, fp8 rows"] = Layer<MediumFloat8PrefillAttention>(),
        ["medium, gate and sinks"] = Layer<MediumSinkPrefillAttention>(GateAndSinks),
        ["high, gate and sinks"] = Layer<HighSinkPrefillAttention>(GateAndSinks),
        ["medium, 8 heads"] = Layer<Medium8Attention>(),
        ["medium, 40 heads"] = Layer<Medium40Attention>(),
        ["high, 20 heads"] = Layer<High20Attention>(),
        ["medium, rows of floats"] = Layer<MediumFloatAttention>(),
    };

    public static TheoryData<string> Layers => [.. _layers.Keys];

    /// <summary>Lengths beside every tile of keys and panel of queries, from a prompt's beginning and behind what is cached.</summary>
    [Theory]
    [MemberData(nameof(Layers))]
    public void A_prompt_is_as_near_to_the_oracle_as_its_precision_says(string name)
    {
        (MlaPrecision precision, Lazy<TestLayer> made) = _layers[name];
        TestLayer layer = made.Value;
        foreach ((int cached, int tokens) in ((int, int)[])[(0, 1), (0, 2), (0, 11), (0, 13), (0, 31), (0, 33), (0, 65), (1, 32), (158, 34), (159, 34), (190, 3), (192, 1), (255, 2), (380, 70), (0, 420)])
        {
            // Over few outputs little averages out. Scores of medium precision are nearly exact, so that its bound holds however large they are.
            for (int draw = 0; draw < Math.Max(1, 12 / tokens); draw++)
            {
                var text = new Continuation(layer, $"{name} {cached} {draw}", cached, tokens);
                using AttentionRun run = layer.Open(new RunOptions { Form = MlaForm.Decompressed });
                LatentSequence sequence = text.Start(run);
                float[] output = run.Step(new Chunk(sequence, text.Prompt))[0];
                OracleResult expected = AbsorbedOracle.Forward(layer.Spec, layer.Weights, text.Prompt.Hidden, text.Prompt.Positions, AttentionRun.Rows(sequence, layer.Spec.RowWidth));
                Tolerance tolerance = precision == MlaPrecision.Medium ? Tolerance.Of(precision) : Tolerance.Of(precision).ForScores(expected.MaxScore);
                Compare.AssertClose<float, double>($"{tokens} behind {cached}, draw {draw}", output, expected.Output, tolerance);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Layers))]
    public void Threads_neighbours_pages_and_cuts_change_no_bit(string name)
    {
        TestLayer layer = _layers[name].Layer.Value;
        foreach (int cached in (int[])[0, 150])
        {
            var text = new Continuation(layer, $"{name} bits", cached, 260);
            var other = new Continuation(layer, $"{name} beside", 40, 70);
            float[] expected = text.Whole(new RunOptions { Form = MlaForm.Decompressed, Threads = 1 });
            foreach ((int threads, int pageTokens, int chunk) in ((int, int, int)[])[(2, 0, 1000), (1, 16, 33), (5, 37, 7), (2, 192, 100)])
            {
                string what = $"{threads} threads, pages of {pageTokens}";
                using AttentionRun run = layer.Open(new RunOptions { Form = MlaForm.Decompressed, Threads = threads, PageTokens = pageTokens });
                run.ShufflePages(seed: threads);
                using LatentSequence sequence = text.Start(run);
                using LatentSequence neighbour = other.Start(run);
                Compare.AssertSameBits(what, run.Step(new Chunk(neighbour, other.Prompt), new Chunk(sequence, text.Prompt))[1], expected);
                sequence.Truncate(cached);
                Compare.AssertSameBits($"{what}, chunks of {chunk}", run.Feed(sequence, text.Prompt, chunk), expected);
            }
        }
    }

    /// <summary>In rows of floats, which may hold anything.</summary>
    [Theory]
    [InlineData("medium, rows of floats")]
    [InlineData("medium, gate and sinks")]
    public void What_is_not_finite_reaches_nobody_that_does_not_see_it(string name)
    {
        const int Tokens = 70;
        TestLayer layer = _layers[name].Layer.Value;
        var options = new RunOptions { Form = MlaForm.Decompressed };
        foreach (int cached in (int[])[0, 170])
        {
            var text = new Continuation(layer, $"{name} poison", cached, Tokens);
            float[] clean = text.Whole(options);
            foreach ((int bad, float poison) in ((int, float)[])[(0, float.NaN), (1, float.PositiveInfinity), (20, float.NaN), (21, float.NaN), (22, 3e38f), (33, float.NegativeInfinity), (69, float.NaN)])
            {
                float[] hidden = [.. text.Prompt.Hidden];
                hidden.AsSpan(bad * text.Prompt.Width, text.Prompt.Width).Fill(poison);
                float[] output = new float[hidden.Length];
                using AttentionRun run = layer.Open(options);
                run.Batch.Add(text.Start(run), Tokens, text.Prompt.Positions);
                run.Forward(hidden, output);
                int before = bad * text.Prompt.Width;
                Compare.AssertSameBits($"{poison} in token {bad} behind {cached}", output.AsSpan(0, before), clean.AsSpan(0, before));
                if (!float.IsFinite(poison))
                {
                    Assert.DoesNotContain(output[before..], float.IsFinite);
                }
            }
        }
    }

    /// <summary>A choice: cores that are less exact than asked for do not run, and where they may, what runs says so.</summary>
    [Fact]
    public void The_core_that_runs_is_as_exact_as_was_asked_for()
    {
        foreach (MlaPrecision precision in Enum.GetValues<MlaPrecision>())
        {
            MlaCores cores = MlaCores.Of<MediumPrefillAttention>(precision: precision);
            Assert.True(cores.Decompressed.Single(core => core.Runs).Precision <= precision);
            Assert.All(cores.Decompressed.Where(core => core.Precision > precision), core => Assert.Contains("is asked for", core.Refusal, StringComparison.Ordinal));
        }

        if (MatrixTargets.Any)
        {
            Assert.Equal(MlaPrecision.Medium, MlaCores.Of<MediumPrefillAttention>().Decompressed.Single(core => core.Runs).Precision);
            Assert.NotEqual(MlaPrecision.Highest, MlaCores.Of<MediumFloat8PrefillAttention>().Decompressed.Single(core => core.Runs).Precision);
        }
    }

    private static OracleSpec GateAndSinks(OracleSpec spec)
        => spec with { Gate = OutputGate.ElementWise, GateName = "linear_gate", HasSinks = true, Rope = new OracleRope { Layout = RopeLayout.HalfSplit } };

    private static (MlaPrecision, Lazy<TestLayer>) Layer<TAttention>(Func<OracleSpec, OracleSpec>? traits = null)
        where TAttention : class, IMlaAttention<TAttention>
        => (TAttention.Definition.Precision, TestLayer.Make<TAttention>(typeof(TAttention).Name, traits ?? (static spec => spec)));
}
