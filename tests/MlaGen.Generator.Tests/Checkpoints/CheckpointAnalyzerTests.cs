using Microsoft.CodeAnalysis;
using static MlaGen.Generator.Tests.Checkpoints.CheckpointProject;

namespace MlaGen.Generator.Tests.Checkpoints;

/// <summary>A class and the manifest of a checkpoint: what would be refused at load is refused at build time.</summary>
public class CheckpointAnalyzerTests
{
    [Fact]
    public async Task Checkpoint_that_fits_is_not_spoken_of()
        => Assert.Empty(await Check(Tensors));

    [Theory]
    [InlineData("q_a_proj.weight", "[128, 256]", "[QLoraRank, HiddenSize]")]
    [InlineData("q_a_layernorm.weight", "[128]", "[QLoraRank]")]
    [InlineData("q_b_proj.weight", "[384, 128]", "[Heads·(QkNopeHeadDim+QkRopeHeadDim), QLoraRank]")]
    [InlineData("kv_a_proj_with_mqa.weight", "[80, 256]", "[KvLoraRank+QkRopeHeadDim, HiddenSize]")]
    [InlineData("kv_a_layernorm.weight", "[64]", "[KvLoraRank]")]
    [InlineData("kv_b_proj.weight", "[512, 64]", "[Heads·(QkNopeHeadDim+VHeadDim), KvLoraRank]")]
    [InlineData("o_proj.weight", "[256, 256]", "[HiddenSize, Heads·VHeadDim]")]
    public async Task Every_projection_is_compared_by_shape_and_name(string tensor, string shape, string formula)
    {
        Assert.Equal(
            [$"MLA0200 'model.layers.*.self_attn.{tensor}' (layers 0-3) of checkpoint 'model' is [7, 9]; expected {shape} = {formula}"],
            await Check(With(tensor, $"{tensor} BF16 [7, 9]")));
        Assert.Equal(
            [$"MLA0201 Checkpoint 'model' has no 'model.layers.*.self_attn.{tensor}' (layers 0-3); expected {shape} = {formula}"],
            await Check(With(tensor)));
    }

    [Fact]
    public async Task Diagnostic_stands_at_the_attribute()
    {
        Diagnostic found = Assert.Single(await new CheckpointProject(OneClass, ("Model", Manifest(With("o_proj.weight")))).Analyze());

        Assert.StartsWith("MlaAttention(", found.Location.SourceTree!.ToString()[found.Location.SourceSpan.Start..], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Layers_that_differ_are_named()
        => Assert.Equal(
            [
                "MLA0201 Checkpoint 'model' has no 'model.layers.*.self_attn.o_proj.weight' (layer 3); expected [256, 256] = [HiddenSize, Heads·VHeadDim]",
                "MLA0200 'model.layers.*.self_attn.o_proj.weight' (layer 2) of checkpoint 'model' is [256, 255]; expected [256, 256] = [HiddenSize, Heads·VHeadDim]",
            ],
            await Check(With("o_proj.weight", "o_proj.weight BF16 [256, 256] 0-1", "o_proj.weight BF16 [256, 255] 2")));

    [Fact]
    public async Task Layers_of_another_kind_are_passed_over()
        => Assert.Empty(await Check([.. Tensors, "o_proj.weight F32 [9, 9] 4-7", "q_proj.weight F32 [9, 9] 4-7", "o_proj.bias F32 [9] 4-7"]));

    [Theory]
    [InlineData("o_proj.weight I8 [256, 256]", "I8; expected BF16, F16, F32 or scaled F8_E4M3")]
    [InlineData("o_proj.weight F8_E5M2 [256, 256]", "F8_E5M2; expected BF16, F16, F32 or scaled F8_E4M3")]
    [InlineData("kv_a_layernorm.weight F8_E4M3 [64]", "F8_E4M3; expected BF16, F16 or F32")]
    public async Task Types_that_cannot_be_read_are_refused(string tensor, string message)
    {
        string name = tensor.Split(' ')[0];
        Assert.Equal([$"MLA0202 'model.layers.*.self_attn.{name}' (layers 0-3) of checkpoint 'model' is {message}"], await Check(With(name, tensor)));
    }

    [Theory]
    [InlineData("F16")]
    [InlineData("F32")]
    public async Task Other_float_types_fit(string type)
        => Assert.Empty(await Check(Tensors.Select(tensor => tensor.Replace("BF16", type, StringComparison.Ordinal))));

    [Theory]
    [InlineData("weight_scale_inv", "F32", "[4, 1]")]
    [InlineData("weight_scale", "BF16", "[4, 1]")]
    [InlineData("weight_scale", "BF16", "[512, 1]")]
    [InlineData("weight_scale", "F32", "[512]")]
    [InlineData("weight_scale", "F32", "[1]")]
    [InlineData("weight_scale", "F16", "[]")]
    [InlineData("weight_scale_inv", "BF16", "[1, 1]")]
    public async Task Scaled_weights_fit_with_scales_by_block_channel_or_tensor(string scale, string type, string shape)
        => Assert.Empty(await Check(With("kv_b_proj.weight", "kv_b_proj.weight F8_E4M3 [512, 64]", $"kv_b_proj.{scale} {type} {shape}")));

    [Fact]
    public async Task Block_scaled_weights_without_scales_or_with_two_sets_are_refused()
        => Assert.Equal(
            [
                "MLA0204 'model.layers.*.self_attn.kv_b_proj.weight' (layer 3) of checkpoint 'model' is F8_E4M3 with no scales; expected either weight_scale_inv or weight_scale",
                "MLA0204 'model.layers.*.self_attn.kv_b_proj.weight' (layer 1) of checkpoint 'model' is F8_E4M3 with two sets of scales; expected either weight_scale_inv or weight_scale",
            ],
            await Check(With("kv_b_proj.weight", "kv_b_proj.weight F8_E4M3 [512, 64]", "kv_b_proj.weight_scale_inv F32 [4, 1] 0-2", "kv_b_proj.weight_scale F32 [4, 1] 1")));

    [Fact]
    public async Task Scales_of_another_shape_are_refused()
        => Assert.Equal(
            ["MLA0200 'model.layers.*.self_attn.kv_b_proj.weight_scale_inv' (layers 0-3) of checkpoint 'model' is [4]; expected [4, 1] = [⌈512/128⌉, ⌈64/128⌉], [512, 1] or [1]"],
            await Check(With("kv_b_proj.weight", "kv_b_proj.weight F8_E4M3 [512, 64]", "kv_b_proj.weight_scale_inv F32 [4]")));

    [Fact]
    public async Task Scales_of_other_weights_and_biases_of_a_class_without_are_surplus()
        => Assert.Equal(
            [
                "MLA0203 'model.layers.*.self_attn.kv_b_proj.weight_scale' (layers 0-3) of checkpoint 'model' is surplus: only F8_E4M3 has scales",
                "MLA0203 'model.layers.*.self_attn.o_proj.bias' (layers 0-3) of checkpoint 'model' is surplus: AttentionBias is off, or this projection never has a bias",
            ],
            await Check([.. Tensors, "o_proj.bias BF16 [256]", "kv_b_proj.weight_scale F32 [4, 1]"]));

    [Fact]
    public async Task Biases_of_a_class_with_them_are_compared()
    {
        string source = OneClass.Replace("Heads = 8", "Heads = 8, AttentionBias = true", StringComparison.Ordinal);
        string[] biases = ["q_a_proj.bias BF16 [128]", "kv_a_proj_with_mqa.bias F32 [80]", "o_proj.bias F16 [256]"];

        Assert.Empty(await new CheckpointProject(source, ("Model", Manifest([.. Tensors, .. biases]))).Analyze());
        Diagnostic missing = Assert.Single(await new CheckpointProject(source, ("Model", Manifest([.. Tensors, .. biases[..2]]))).Analyze());
        Assert.Equal("Checkpoint 'model' has no 'model.layers.*.self_attn.o_proj.bias' (layers 0-3); expected [256] = [HiddenSize]; AttentionBias on the class asks for it", missing.GetMessage(null));
    }

    [Fact]
    public async Task Modules_with_several_attentions_a_layer_are_compared_each()
    {
        string second = Manifest(With("o_proj.weight")).Replace("self_attn.", "self_attn.1.", StringComparison.Ordinal);
        string both = Manifest(Tensors) + string.Join('\n', second.Split('\n')[2..]);

        Diagnostic found = Assert.Single(await new CheckpointProject(OneClass, ("Model", both)).Analyze());
        Assert.Contains("'model.layers.*.self_attn.1.o_proj.weight'", found.GetMessage(null), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Checkpoint_of_one_layer_without_a_number_is_compared()
    {
        string manifest = Manifest(With("o_proj.weight")).Replace("model.layers.*.self_attn.", string.Empty, StringComparison.Ordinal).Replace("0-3", "-", StringComparison.Ordinal);

        Diagnostic found = Assert.Single(await new CheckpointProject(OneClass, ("Model", manifest)).Analyze());
        Assert.Equal("Checkpoint 'model' has no 'o_proj.weight'; expected [256, 256] = [HiddenSize, Heads·VHeadDim]", found.GetMessage(null));
    }

    [Theory]
    [InlineData("Model")]
    [InlineData("Demo.Model")]
    public async Task Class_is_named_with_or_without_its_namespace(string name)
        => Assert.Equal("MLA0201", Assert.Single(await new CheckpointProject(OneClass, (name, Manifest(With("o_proj.weight")))).Analyze()).Id);

    [Theory]
    [InlineData("Other")]
    [InlineData("Other.Model")]
    [InlineData("layer")]
    public async Task Checkpoint_for_a_class_that_does_not_exist_is_a_warning(string name)
    {
        Diagnostic found = Assert.Single(await new CheckpointProject(OneClass, (name, Manifest(Tensors))).Analyze());

        Assert.Equal("MLA0206", found.Id);
        Assert.Equal(DiagnosticSeverity.Warning, found.Descriptor.DefaultSeverity);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("# MlaGen checkpoint manifest 2\nmodel\n")]
    [InlineData("# MlaGen checkpoint manifest 1\nmodel\nq_proj.weight BF16 [1] 0\n")]
    [InlineData("# MlaGen checkpoint manifest 1\nmodel\nq_proj.weight\tBF16\t[1]\t3-1\n")]
    [InlineData("# MlaGen checkpoint manifest 1\nmodel\nq_proj.weight\tBF16\t[1]\t0-2000000000\n")]
    [InlineData("# MlaGen checkpoint manifest 1\nmodel\n\tBF16\t[1]\t0\n")]
    public async Task Manifest_of_another_hand_is_an_error(string? manifest)
        => Assert.Equal("MLA0207", Assert.Single(await new CheckpointProject(OneClass, ("Model", manifest)).Analyze()).Id);

    [Fact]
    public async Task Class_that_is_itself_in_error_is_not_compared()
        => Assert.Empty(await new CheckpointProject(OneClass.Replace("QkRopeHeadDim = 16", "QkRopeHeadDim = 15", StringComparison.Ordinal), ("Model", Manifest(Tensors))).Analyze());

    [Fact]
    public async Task Two_checkpoints_for_one_class_are_both_compared()
        => Assert.Equal(2, (await new CheckpointProject(OneClass, ("Model", Manifest(With("o_proj.weight"))), ("Model", Manifest(With("q_a_proj.weight")))).Analyze()).Length);

    /// <summary>The loader says the same of the same tensors: a test of the runtime goes through them too.</summary>
    [Theory]
    [MemberData(nameof(UnreadTensors.All), MemberType = typeof(UnreadTensors))]
    public async Task Tensors_that_nothing_reads_are_judged_as_by_the_loader(string tensor, bool allowDense, string? because)
    {
        string source = allowDense ? OneClass.Replace("Heads = 8", "Heads = 8, AllowDense = true", StringComparison.Ordinal) : OneClass;

        IEnumerable<string> found = (await new CheckpointProject(source, ("Model", Manifest([.. Tensors, tensor]))).Analyze()).Select(static diagnostic => $"{diagnostic.Id} {diagnostic.GetMessage(null)}");

        string name = tensor.Split(' ')[0];
        Assert.Equal(because is null ? [] : [$"MLA0203 'model.layers.*.self_attn.{name}' (layers 0-3) of checkpoint 'model' is surplus: {because}"], found);
    }

    [Fact]
    public async Task Tensors_that_nothing_reads_are_refused_in_the_layers_of_the_class()
    {
        Assert.Contains("g_proj.weight' (layers 2-3) of checkpoint", Assert.Single(await Check([.. Tensors, "g_proj.weight BF16 [256, 256] 2-3"])), StringComparison.Ordinal);
        Assert.Empty(await Check([.. Tensors, "g_proj.weight BF16 [256, 256] 4-7"]));
    }

    [Theory]
    [InlineData("OutputGate = OutputGate.ElementWise", "g_proj.weight", "[256, 256]", "[Heads·VHeadDim, HiddenSize]")]
    [InlineData("OutputGate = OutputGate.HeadWise", "g_proj.weight", "[8, 256]", "[Heads, HiddenSize]")]
    [InlineData("OutputGate = OutputGate.HeadWise, OutputGateName = \"own_gate\"", "own_gate.weight", "[8, 256]", "[Heads, HiddenSize]")]
    [InlineData("AttentionSinks = true", "learnable_sink_param", "[8]", "[Heads]")]
    public async Task Gates_and_sinks_are_compared(string settings, string tensor, string shape, string formula)
    {
        string source = OneClass.Replace("Heads = 8", "Heads = 8, " + settings, StringComparison.Ordinal);

        Assert.Empty(await Messages($"{tensor} BF16 {shape}"));
        Assert.Equal([$"MLA0200 'model.layers.*.self_attn.{tensor}' (layers 0-3) of checkpoint 'model' is [7, 9]; expected {shape} = {formula}"], await Messages($"{tensor} BF16 [7, 9]"));
        Assert.Equal([$"MLA0201 Checkpoint 'model' has no 'model.layers.*.self_attn.{tensor}' (layers 0-3); expected {shape} = {formula}"], await Messages());
        Assert.StartsWith($"MLA0202 'model.layers.*.self_attn.{tensor}' (layers 0-3) of checkpoint 'model' ", Assert.Single(await Messages($"{tensor} U8 {shape}")), StringComparison.Ordinal);

        async Task<IEnumerable<string>> Messages(params string[] tensors)
            => (await new CheckpointProject(source, ("Model", Manifest([.. Tensors, .. tensors]))).Analyze()).Select(static diagnostic => $"{diagnostic.Id} {diagnostic.GetMessage(null)}");
    }

    [Fact]
    public async Task Gate_through_the_query_is_compared()
    {
        string source = OneClass.Replace("Heads = 8", "Heads = 8, OutputGate = OutputGate.Query", StringComparison.Ordinal);

        Assert.Empty(await new CheckpointProject(source, ("Model", Manifest(With("q_b_proj.weight", "q_b_proj.weight BF16 [640, 256]")))).Analyze());
        Assert.EndsWith(
            "is [384, 128]; expected [640, 256] = [Heads·(QkNopeHeadDim+QkRopeHeadDim+VHeadDim), 2·QLoraRank]",
            Assert.Single(await new CheckpointProject(source, ("Model", Manifest(Tensors))).Analyze()).GetMessage(null),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Gate_of_another_name_is_one_mistake_with_the_setting_that_mends_it()
    {
        string source = OneClass.Replace("Heads = 8", "Heads = 8, OutputGate = OutputGate.ElementWise", StringComparison.Ordinal);
        string manifest = Manifest([.. Tensors, "linear_gate.weight BF16 [256, 256]"]);

        Assert.Equal(
            "Checkpoint 'model' has no 'model.layers.*.self_attn.g_proj.weight' (layers 0-3); expected [256, 256] = [Heads·VHeadDim, HiddenSize]; there is 'model.layers.*.self_attn.linear_gate.weight', BF16 [256, 256]: OutputGateName on the class says what the checkpoint calls it",
            Assert.Single(await new CheckpointProject(source, ("Model", manifest)).Analyze()).GetMessage(null));

        // What the advice says is right.
        Assert.Empty(await new CheckpointProject(source.Replace("ElementWise", "ElementWise, OutputGateName = \"linear_gate\"", StringComparison.Ordinal), ("Model", manifest)).Analyze());
    }

    [Fact]
    public async Task Other_way_to_queries_is_one_mistake_with_the_setting_that_mends_it()
    {
        string[] direct = [.. Tensors.Where(static tensor => !tensor.StartsWith("q_", StringComparison.Ordinal)), "q_proj.weight BF16 [384, 256]"];

        Assert.Equal(
            ["MLA0201 Checkpoint 'model' has no 'model.layers.*.self_attn.q_a_proj.weight' (layers 0-3); expected [128, 256] = [QLoraRank, HiddenSize]; there is 'model.layers.*.self_attn.q_proj.weight', BF16 [384, 256]: the model has no query latent, which is QLoraRank = 0 on the class"],
            await Check(direct));
        string source = OneClass.Replace("QLoraRank = 128, ", string.Empty, StringComparison.Ordinal);
        Diagnostic found = Assert.Single(await new CheckpointProject(source, ("Model", Manifest(Tensors))).Analyze());
        Assert.EndsWith("'model.layers.*.self_attn.q_a_proj.weight', BF16 [128, 256]: the model has a query latent, which is QLoraRank = 128 on the class", found.GetMessage(null), StringComparison.Ordinal);

        // What the advice says is right.
        Assert.Empty(await new CheckpointProject(source, ("Model", Manifest(direct))).Analyze());
    }

    [Fact]
    public async Task Packed_projection_is_one_mistake()
    {
        string message = Assert.Single(await Check(With("o_proj.weight", "o_proj.qweight I32 [32, 256]", "o_proj.scales F16 [2, 256]", "o_proj.qzeros I32 [2, 32]")));

        Assert.EndsWith("; there is 'model.layers.*.self_attn.o_proj.qweight': the projection is quantized in a way that is not read", message, StringComparison.Ordinal);
        Assert.EndsWith("is U8; expected BF16, F16, F32 or scaled F8_E4M3", Assert.Single(await Check(With("o_proj.weight", "o_proj.weight U8 [256, 128]", "o_proj.weight_scale F8_E4M3 [256, 16]"))), StringComparison.Ordinal);
    }
}
