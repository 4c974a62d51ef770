using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary>What a generated class says of a checkpoint that is not quite its own: at the first word, what to mend.</summary>
public sealed class LoadingTests
{
    private const string Prefix = TestCheckpoint.Prefix;

    [Theory]
    [InlineData("g_proj.weight")]
    [InlineData("linear_gate.weight")]
    [InlineData("sinks")]
    [InlineData("attn_sink")]
    [InlineData("q_norm.weight")]
    [InlineData("deep.down.weight")]
    public void A_tensor_that_nothing_reads_is_refused_by_name(string name)
    {
        string message = Refused(checkpoint => checkpoint.Add(Prefix + name, [2, 3], new float[6]));
        Assert.Equal($"memory: tensor '{Prefix}{name}' is surplus: expected none because nothing reads it, and it might change what attention computes, found F32 [2, 3]", message);
    }

    [Theory]
    [InlineData("o_proj.pre_quant_scale", 4)]
    [InlineData("o_proj.weight_scale_2", 1)]
    [InlineData("kv_a_layernorm.weight_scale", 1)]
    [InlineData("q_proj.weight", 4)]
    [InlineData("k_scale", 4)]
    [InlineData("o_proj.input_scale", 4)]
    [InlineData("indexer.wk.weight", 4)]
    [InlineData("indexer.k_norm.bias", 4)]
    [InlineData("q_b_proj.bias", 4)]
    [InlineData("kv_a_layernorm.bias", 4)]
    public void A_tensor_that_might_change_the_numbers_is_refused(string name, int length)
        => Assert.StartsWith($"memory: tensor '{Prefix}{name}' is surplus: ", Refused(checkpoint => checkpoint.Add(Prefix + name, [length], new float[length])), StringComparison.Ordinal);

    [Theory]
    [InlineData("rotary_emb.inv_freq", 4)]
    [InlineData("k_scale", 1)]
    [InlineData("kv_b_proj.v_scale", 1)]
    [InlineData("o_proj.input_scale", 1)]
    [InlineData("o_proj.activation_scale", 1)]
    public void A_tensor_that_changes_nothing_is_passed_over(string name, int length)
        => Load(checkpoint => checkpoint.Add(Prefix + name, [length], new float[length]));

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

        string Missing(string name) => Assert.Throws<CheckpointException>(() => Runtime.WeightReader.OpenMatrix(checkpoint, name, 6, 5, "[a, b]", Runtime.MissingTensor.Hint)).Message;
    }

    [Fact]
    public void A_packed_projection_is_told_as_such()
    {
        var checkpoint = new InMemoryCheckpoint();
        checkpoint.Add("a.o_proj.weight_packed", TensorType.Int32, [1], new byte[4]);
        Assert.EndsWith(
            "; there is 'a.o_proj.weight_packed': the projection is quantized in a way that is not read",
            Assert.Throws<CheckpointException>(() => Runtime.WeightReader.OpenMatrix(checkpoint, "a.o_proj.weight", 6, 5, "[a, b]", Runtime.MissingTensor.Hint)).Message,
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
