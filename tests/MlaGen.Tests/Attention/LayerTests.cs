using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary>Layers above each other in one cache, and weights of every type.</summary>
public sealed class LayerTests
{
    private static readonly OracleSpec _spec = TestLayer.Get("yarn").Spec;

    [Theory]
    [InlineData(MlaForm.Absorbed)]
    [InlineData(MlaForm.Decompressed)]
    public void A_layer_reads_and_writes_only_its_own_rows(MlaForm form)
    {
        const int Layers = 3;
        YarnAttention[] layers = [.. Enumerable.Range(0, Layers).Select(i => Load(Weights($"layer {i}"), i))];
        YarnAttention[] alone = [.. Enumerable.Range(0, Layers).Select(i => Load(Weights($"layer {i}"), 0))];
        Prompt prompt = Prompt.Random("layers", 50, _spec.HiddenSize);
        using LatentCache<YarnAttention> cache = YarnAttention.CreateCache(Layers, 256, new LatentCacheOptions { PageTokens = 16 });
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<YarnAttention> batch = cache.CreateBatch();
        batch.Form = form;
        float[] hidden = [.. prompt.Hidden];
        foreach ((int start, int count) in ((int, int)[])[(0, 33), (33, 1), (34, 16)])
        {
            batch.Add(sequence, count);
            Span<float> rows = hidden.AsSpan(start * prompt.Width, count * prompt.Width);
            foreach (YarnAttention layer in layers)
            {
                layer.Forward(batch, rows, rows);
            }

            batch.Commit();
        }

        float[] expected = prompt.Hidden;
        foreach (YarnAttention layer in alone)
        {
            using AttentionRun run = AttentionRun.Open(layer, new RunOptions { Form = form });
            expected = run.Feed(run.CreateSequence(), prompt with { Hidden = expected });
        }

        Compare.AssertSameBits("output of the last layer", hidden, expected);
    }

    [Theory]
    [InlineData(TensorType.Float32)]
    [InlineData(TensorType.Float16)]
    [InlineData(TensorType.BFloat16)]
    public void Weights_of_any_float_type_count_as_what_they_hold(TensorType type)
    {
        Dictionary<string, WeightTensor> weights = Weights("types");
        var rounded = weights.ToDictionary(pair => pair.Key, pair => pair.Value.Rounded(type));
        var layer = YarnAttention.Load(TestCheckpoint.Of(weights, type), TestCheckpoint.Prefix, layer: 0);
        Prompt prompt = Prompt.Random("types", 60, _spec.HiddenSize);
        OracleResult expected = DecompressedOracle.Forward(_spec, OracleWeights.From(rounded), prompt.Hidden, prompt.Positions);
        foreach (MlaForm form in (MlaForm[])[MlaForm.Absorbed, MlaForm.Decompressed])
        {
            using AttentionRun run = AttentionRun.Open(layer, new RunOptions { Form = form });
            float[] output = run.Feed(run.CreateSequence(), prompt);
            Compare.AssertClose<float, double>($"output, {form}", output, expected.Output, Tolerance.Float32.ForScores(expected.MaxScore));
        }
    }

    private static Dictionary<string, WeightTensor> Weights(string name) => RandomLayer.Weights(_spec, name);

    private static YarnAttention Load(Dictionary<string, WeightTensor> weights, int layer)
        => YarnAttention.Load(TestCheckpoint.Of(weights), TestCheckpoint.Prefix, layer);
}
