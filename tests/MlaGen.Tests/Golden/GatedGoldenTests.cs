using System.Globalization;
using System.Text.Json;
using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Golden;

/// <summary>A.X-K2's layer, with its gate through the query projection.</summary>
[MlaAttention(HiddenSize = 384, Heads = 32, QLoraRank = 192, KvLoraRank = 128, QkNopeHeadDim = 64, QkRopeHeadDim = 32, VHeadDim = 64, OutputGate = OutputGate.Query)]
public sealed partial class Axk2Attention;

/// <summary>Hy4's layer, with its gate from the hidden state and its sinks.</summary>
[MlaAttention(
    HiddenSize = 448, Heads = 24, QLoraRank = 256, QkNopeHeadDim = 192, VHeadDim = 256,
    RopeLayout = RopeLayout.HalfSplit, OutputGate = OutputGate.ElementWise, OutputGateName = "linear_gate", AttentionSinks = true)]
public sealed partial class HyV4Attention;

/// <summary>
/// Gates and sinks against what transformers computed. The files hold sparse layers; one attends to its selection as a dense layer attends to a sequence of those
/// tokens alone, each at its position, where the query itself is one of them.
/// </summary>
public sealed class GatedGoldenTests
{
    [Theory]
    [InlineData(MlaForm.Absorbed)]
    [InlineData(MlaForm.Decompressed)]
    public void A_gate_through_the_query_projection_gives_what_transformers_gave(MlaForm form) => AssertGolden<Axk2Attention>("axk2-gated", layer: 0, queries: 4, form);

    [Theory]
    [InlineData(MlaForm.Absorbed)]
    [InlineData(MlaForm.Decompressed)]
    public void A_gate_from_the_hidden_state_with_sinks_gives_what_transformers_gave(MlaForm form) => AssertGolden<HyV4Attention>("hy4-sinks", layer: 1, queries: 1, form);

    private static void AssertGolden<TAttention>(string name, int layer, int queries, MlaForm form)
        where TAttention : class, IMlaAttention<TAttention>
    {
        GoldenFile file = GoldenFile.Read(Path.Combine("Sparse", name));
        Dictionary<string, WeightTensor> weights = Weights(name, layer, file);
        OracleSpec spec = GoldenConfig.Parse(file.Metadata["family"], file.Metadata["config"]);
        var attention = TAttention.Load(TestCheckpoint.Of(weights), TestCheckpoint.Prefix, layer: 0);
        Assert.Equal(double.Parse(file.Metadata["scaling"], CultureInfo.InvariantCulture), TAttention.Definition.SoftmaxScale, 1e-7);

        int tokens = int.Parse(file.Metadata["tokens"], CultureInfo.InvariantCulture);
        int keep = int.Parse(file.Metadata["keep"], CultureInfo.InvariantCulture);
        Prompt prompt = Prompt.Random(name, tokens, spec.HiddenSize);
        float[] output = file.Tensor($"layers.{layer}.output");
        int[][] selections = [.. file.Integers($"layers.{layer}.selected").Chunk(file.Integers($"layers.{layer}.selected").Length / keep)];
        int checkedQueries = 0;
        for (int i = 0; i < keep; i++)
        {
            int[] selected = [.. selections[i].Where(static token => token >= 0)];
            if (selected[^1] != tokens - keep + i)
            {
                continue;
            }

            var seen = new Prompt([.. selected.SelectMany(token => prompt.Slice(token, 1).Hidden)], selected);
            ReadOnlySpan<float> expected = output.AsSpan(i * spec.HiddenSize, spec.HiddenSize);
            OracleResult oracle = DecompressedOracle.Forward(spec, OracleWeights.From(weights), seen.Hidden, seen.Positions);
            Compare.AssertClose<double, float>($"oracle of query {i}", oracle.Output.AsSpan()[^spec.HiddenSize..], expected, Tolerance.GoldenToken with { RelativeError = 1e-6 });

            using AttentionRun run = AttentionRun.Open(attention, new RunOptions { Form = form });
            Compare.AssertClose<float, float>($"query {i}", run.Feed(run.CreateSequence(), seen).AsSpan()[^spec.HiddenSize..], expected, Tolerance.Float32);
            Compare.AssertClose<float, float>($"query {i}, token by token", run.Feed(run.CreateSequence(), seen, chunk: 1).AsSpan()[^spec.HiddenSize..], expected, Tolerance.Float32);
            checkedQueries++;
        }

        Assert.Equal(queries, checkedQueries);
    }

    /// <summary>The layer's weights without its indexer, by their names in a checkpoint: transformers renames some.</summary>
    private static Dictionary<string, WeightTensor> Weights(string name, int layer, GoldenFile file)
    {
        string prefix = $"layers.{layer}.";
        var shapes = JsonSerializer.Deserialize<Dictionary<string, int[]>>(file.Metadata["parameter_shapes"])!;
        var gains = JsonSerializer.Deserialize<Dictionary<string, double>>(file.Metadata["gain"])!;
        return shapes.Where(tensor => tensor.Key.StartsWith(prefix, StringComparison.Ordinal) && !tensor.Key.Contains(".indexer.", StringComparison.Ordinal)).ToDictionary(
            tensor => tensor.Key[prefix.Length..] switch { "q_gate_proj.weight" => "q_b_proj.weight", "gate_proj.weight" => "linear_gate.weight", "sinks" => "learnable_sink_param", string same => same },
            tensor => new WeightTensor(tensor.Value, tensor.Value switch
            {
                [int rows, int columns] => CounterRandom.Matrix($"{name}/{tensor.Key}", rows, columns, gains.GetValueOrDefault(tensor.Key[prefix.Length..], 1)),
                [int length] when tensor.Key.EndsWith("norm.weight", StringComparison.Ordinal) => CounterRandom.Norm($"{name}/{tensor.Key}", length),
                [int length] => CounterRandom.Bias($"{name}/{tensor.Key}", length),
                _ => throw new InvalidDataException(tensor.Key),
            }));
    }
}
