using MlaGen.Generator.Tests.Checkpoints;
using MlaGen.Runtime;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary>What a generated class says of a checkpoint that is not quite its own: at the first word, what to mend.</summary>
public sealed class LoadingTests
{
    private const string Prefix = TestCheckpoint.Prefix;

    /// <summary>The analyzer says the same of the same tensors when the class is built.</summary>
    [Theory]
    [MemberData(nameof(UnreadTensors.All), MemberType = typeof(UnreadTensors))]
    public void A_tensor_that_nothing_reads_is_judged_as_by_the_analyzer(string tensor, bool allowDense, string? because)
    {
        string[] words = tensor.Split(' ', 3);
        (string name, string shape) = (words[0], words[2]);
        long[] dimensions = [.. shape[1..^1].Split(", ", StringSplitOptions.RemoveEmptyEntries).Select(long.Parse)];
        Assert.True(TensorTypes.TryParse(words[1], out TensorType type));
        InMemoryCheckpoint checkpoint = TestCheckpoint.Of(Weights());
        checkpoint.Add(Prefix + name, dimensions, new float[dimensions.Aggregate(1L, static (product, length) => product * length)], type);

        Exception? refused = Record.Exception(() =>
        {
            if (allowDense)
            {
                DenseAttention.Load(checkpoint, Prefix, layer: 0);
            }
            else
            {
                YarnAttention.Load(checkpoint, Prefix, layer: 0);
            }
        });

        Assert.Equal(
            because is null ? null : $"memory: tensor '{Prefix}{name}' is surplus: expected none because {because}, found {words[1]} {shape}",
            refused is null ? null : Assert.IsType<CheckpointException>(refused).Message);
    }

    /// <summary>Biases and scales of its own projections are judged where they are read.</summary>
    [Theory]
    [InlineData("q_b_proj.bias", 4)]
    [InlineData("o_proj.bias", 128)]
    public void A_bias_of_a_class_without_is_refused(string name, int length)
        => Assert.StartsWith($"memory: tensor '{Prefix}{name}' is surplus: ", Refused(checkpoint => checkpoint.Add(Prefix + name, [length], new float[length])), StringComparison.Ordinal);

    [Fact]
    public void Tensors_beside_the_prefix_are_no_concern()
        => Load(checkpoint =>
        {
            checkpoint.Add("model.layers.0.self_attn", [1], [0f]);
            checkpoint.Add("model.layers.0.mlp.gate.weight", [1], [0f]);
            checkpoint.Add("model.layers.1.self_attn.sinks", [1], [0f]);
        });

    [Fact]
    public void An_empty_prefix_stands_for_the_whole_checkpoint()
    {
        var checkpoint = new InMemoryCheckpoint();
        foreach ((string name, WeightTensor weight) in Weights())
        {
            checkpoint.Add(name, [.. weight.Shape.Select(size => (long)size)], weight.Values);
        }

        YarnAttention.Load(checkpoint, string.Empty, layer: 0);
        checkpoint.Add("gate.weight", [1], [0f]);
        Assert.Contains("tensor 'gate.weight' is surplus", Assert.Throws<CheckpointException>(() => YarnAttention.Load(checkpoint, string.Empty, layer: 0)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model.layers.0.self_attn", "the prefix lacks its last dot: there is 'model.layers.0.self_attn.q_a_proj.weight'")]
    [InlineData("model.layers.7.self_attn.", "the nearest name there is 'model.layers.0.self_attn.q_a_proj.weight'")]
    [InlineData("language_model.model.layers.0.self_attn.", "the nearest name there is 'model.layers.0.self_attn.q_a_proj.weight'")]
    [InlineData("layers.0.attention.", "the nearest name there is 'model.layers.0.self_attn.q_a_proj.weight'")]
    [InlineData("", "the nearest name there is 'model.layers.0.self_attn.q_a_proj.weight'")]
    public void A_wrong_prefix_is_told_by_the_nearest_name(string prefix, string said)
    {
        InMemoryCheckpoint checkpoint = TestCheckpoint.Of(Weights());
        string message = Assert.Throws<CheckpointException>(() => YarnAttention.Load(checkpoint, prefix, layer: 0)).Message;
        Assert.StartsWith($"memory: tensor '{prefix}q_a_proj.weight' is missing; expected ", message, StringComparison.Ordinal);
        Assert.EndsWith("; " + said, message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_other_way_to_queries_is_told_by_the_setting_of_the_class()
    {
        var checkpoint = new InMemoryCheckpoint();
        checkpoint.Add("a.q_proj.weight", [6, 5], new float[30]);
        checkpoint.Add("b.q_a_proj.weight", [3, 5], new float[15]);

        Assert.EndsWith("; there is 'a.q_proj.weight', F32 [6, 5]: the model has no query latent, which is QLoraRank = 0 on the class", Missing("a.q_a_proj.weight"), StringComparison.Ordinal);
        Assert.EndsWith("; there is 'b.q_a_proj.weight', F32 [3, 5]: the model has a query latent, which is QLoraRank = 3 on the class", Missing("b.q_proj.weight"), StringComparison.Ordinal);

        string Missing(string name) => Assert.Throws<CheckpointException>(() => WeightReader.OpenMatrix(checkpoint, name, 6, 5, "[a, b]", MissingTensor.Hint)).Message;
    }

    [Fact]
    public void A_packed_projection_is_told_as_such()
    {
        var checkpoint = new InMemoryCheckpoint();
        checkpoint.Add("a.o_proj.weight_packed", TensorType.Int32, [1], new byte[4]);
        Assert.EndsWith(
            "; there is 'a.o_proj.weight_packed': the projection is quantized in a way that is not read",
            Assert.Throws<CheckpointException>(() => WeightReader.OpenMatrix(checkpoint, "a.o_proj.weight", 6, 5, "[a, b]", MissingTensor.Hint)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gate and sinks", "linear_gate.weight", "[84, 100] = [Heads·VHeadDim, HiddenSize]")]
    [InlineData("gate and sinks", "learnable_sink_param", "[7] = [Heads]")]
    [InlineData("head gate", "g_proj.weight", "[22, 96] = [Heads, HiddenSize]")]
    [InlineData("query gate", "q_b_proj.weight", "[266, 88] = [Heads·(QkNopeHeadDim+QkRopeHeadDim+VHeadDim), 2·QLoraRank]")]
    [InlineData("sinks", "learnable_sink_param", "[8] = [Heads]")]
    public void Gates_and_sinks_that_are_missing_or_of_another_shape_are_told(string name, string tensor, string expected)
    {
        TestLayer layer = TestLayer.Get(name);
        Dictionary<string, WeightTensor> weights = RandomLayer.Weights(layer.Spec, "loading", biases: name == "query gate");
        layer.Load(TestCheckpoint.Of(weights));

        weights[tensor] = new WeightTensor([3, 5], new float[15]);
        Assert.Contains($"tensor '{Prefix}{tensor}' has the wrong shape: expected {expected}, found F32 [3, 5]", Told(), StringComparison.Ordinal);
        weights.Remove(tensor);
        Assert.Contains($"tensor '{Prefix}{tensor}' is missing; expected {expected}", Told(), StringComparison.Ordinal);

        string Told() => Assert.Throws<CheckpointException>(() => layer.Load(TestCheckpoint.Of(weights))).Message;
    }

    [Fact]
    public void A_gate_of_another_name_is_told_by_the_setting_of_the_class()
    {
        TestLayer layer = TestLayer.Get("head gate");
        Dictionary<string, WeightTensor> weights = RandomLayer.Weights(layer.Spec with { GateName = "linear_gate" }, "loading");

        Assert.EndsWith(
            $"; there is '{Prefix}linear_gate.weight', F32 [22, 96]: OutputGateName on the class says what the checkpoint calls it",
            Assert.Throws<CheckpointException>(() => layer.Load(TestCheckpoint.Of(weights))).Message,
            StringComparison.Ordinal);
    }

    private static Dictionary<string, WeightTensor> Weights() => RandomLayer.Weights(TestLayer.Get("yarn").Spec, "loading");

    private static string Refused(Action<InMemoryCheckpoint> change) => Assert.Throws<CheckpointException>(() => Load(change)).Message;

    private static void Load(Action<InMemoryCheckpoint> change)
    {
        InMemoryCheckpoint checkpoint = TestCheckpoint.Of(Weights());
        change(checkpoint);
        YarnAttention.Load(checkpoint, Prefix, layer: 0);
    }
}
