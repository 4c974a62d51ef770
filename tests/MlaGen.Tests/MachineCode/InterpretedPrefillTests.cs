using MlaGen.Runtime;
using MlaGen.Tests.Acceptance;
using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.MachineCode;

/// <summary>
/// The decompressed form on tiles whose products are interpreted: packing, terms and padding as on machines with tiles, wherever there is AVX-512. What the
/// machine itself computes, <see cref="PrefillPrecisionTests"/> holds to the same.
/// </summary>
public sealed class InterpretedPrefillTests
{
    private static readonly Dictionary<TensorType, Lazy<TestLayer>> _layers = new()
    {
        [TensorType.Float32] = TestLayer.Make<InterpretedTilesAttention>("interpreted", static spec => spec),
        [TensorType.BFloat16] = TestLayer.Make<InterpretedTilesAttention>("interpreted", static spec => spec, type: TensorType.BFloat16),
    };

    static InterpretedPrefillTests()
    {
        DecompressedCore[] cores = Cores<InterpretedTilesAttention>();
        for (int i = 0; i < cores.Length; i++)
        {
            cores[i] = cores[i] is DecompressedTileCore tiles ? new InterpretedTileCore(tiles) : cores[i];
        }
    }

    public static TheoryData<TensorType, CacheFormat, MlaPrecision> Cases
    {
        get
        {
            var cases = new TheoryData<TensorType, CacheFormat, MlaPrecision>();
            foreach (MlaPrecision precision in (MlaPrecision[])[MlaPrecision.Medium, MlaPrecision.High])
            {
                cases.Add(TensorType.BFloat16, CacheFormat.BFloat16, precision);
                cases.Add(TensorType.BFloat16, CacheFormat.Float32, precision);
                cases.Add(TensorType.Float32, CacheFormat.BFloat16, precision);
                cases.Add(TensorType.Float32, CacheFormat.Float8, precision);
                cases.Add(TensorType.Float32, CacheFormat.Float32, precision);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_prompt_is_as_near_to_the_oracle_as_its_precision_says(TensorType weights, CacheFormat format, MlaPrecision precision)
    {
        TestLayer layer = _layers[weights].Value;
        foreach ((int cached, int tokens) in ((int, int)[])[(0, 1), (0, 33), (3, 2), (40, 31), (255, 2), (270, 40)])
        {
            var text = new Continuation(layer, $"interpreted {cached}", cached, tokens);
            using AttentionRun run = layer.Open(Options(format, precision));
            LatentSequence sequence = text.Start(run);
            float[] output = run.Step(new Chunk(sequence, text.Prompt))[0];
            OracleResult expected = AbsorbedOracle.Forward(layer.Spec, layer.Weights, text.Prompt.Hidden, text.Prompt.Positions, AttentionRun.Rows(sequence, layer.Spec.RowWidth));

            // Projections of weights of bfloat16 are as exact as the precision says, too; where they are exact, the bound holds however large the scores are.
            Tolerance tolerance = weights == TensorType.Float32 ? Tolerance.Of(precision) : Tolerance.Of(precision).WithProjections.ForScores(expected.MaxScore);
            Compare.AssertClose<float, double>($"{tokens} behind {cached}", output, expected.Output, tolerance);
        }
    }

    [Theory]
    [InlineData(MlaPrecision.Medium)]
    [InlineData(MlaPrecision.High)]
    public void Threads_pages_and_cuts_change_no_bit(MlaPrecision precision)
    {
        TestLayer layer = _layers[TensorType.Float32].Value;
        var text = new Continuation(layer, "interpreted bits", 230, 70);
        float[] expected = text.Whole(Options(CacheFormat.Float32, precision));
        foreach ((int threads, int pageTokens, int chunk) in ((int, int, int)[])[(2, 37, 33), (1, 16, 7)])
        {
            using AttentionRun run = layer.Open(Options(CacheFormat.Float32, precision) with { Threads = threads, PageTokens = pageTokens });
            Compare.AssertSameBits($"chunks of {chunk}", run.Feed(text.Start(run), text.Prompt, chunk), expected);
        }
    }

    [Theory]
    [InlineData(MlaPrecision.Medium)]
    [InlineData(MlaPrecision.High)]
    public void What_is_not_finite_reaches_nobody_that_does_not_see_it(MlaPrecision precision)
    {
        TestLayer layer = _layers[TensorType.Float32].Value;
        RunOptions options = Options(CacheFormat.Float32, precision);
        var text = new Continuation(layer, "interpreted poison", 250, 40);
        float[] clean = text.Whole(options);
        foreach ((int bad, float poison) in ((int, float)[])[(0, float.NaN), (7, float.PositiveInfinity), (33, float.NaN)])
        {
            float[] hidden = [.. text.Prompt.Hidden];
            hidden.AsSpan(bad * text.Prompt.Width, text.Prompt.Width).Fill(poison);
            float[] output = new float[hidden.Length];
            using AttentionRun run = layer.Open(options);
            run.Batch.Add(text.Start(run), text.Prompt.Tokens, text.Prompt.Positions);
            run.Forward(hidden, output);
            int before = bad * text.Prompt.Width;
            Compare.AssertSameBits($"{poison} in token {bad}", output.AsSpan(0, before), clean.AsSpan(0, before));
            Assert.DoesNotContain(output[before..], float.IsFinite);
        }
    }

    /// <summary>So that what is told above is told of tiles.</summary>
    [Fact]
    public void The_interpreted_core_is_the_one_that_runs()
    {
        if (SimdTiers.Current == SimdTier.Vector512)
        {
            foreach (MlaPrecision precision in (MlaPrecision[])[MlaPrecision.Medium, MlaPrecision.High])
            {
                CacheLayout layout = CacheLayout.Of<InterpretedTilesAttention>();
                DecompressedCore core = CoreChoice.First(Cores<InterpretedTilesAttention>(), layout, precision);
                Assert.Equal(precision, Assert.IsType<InterpretedTileCore>(core).Precision);
            }
        }
    }

    private static DecompressedCore[] Cores<T>()
        where T : class, IMlaAttention<T> => T.Definition.Kernels.Decompressed;

    private static RunOptions Options(CacheFormat format, MlaPrecision precision) => new() { Form = MlaForm.Decompressed, Threads = 1, Format = format, Precision = precision };
}

/// <summary>Dimensions of no other class, whose cores the tests above may replace: none of them whole tiles.</summary>
[MlaAttention(HiddenSize = 48, Heads = 2, KvLoraRank = 64, QkNopeHeadDim = 24, QkRopeHeadDim = 10, VHeadDim = 40, MaxPositionEmbeddings = 16384, Precision = MlaPrecision.Medium)]
public sealed partial class InterpretedTilesAttention;
