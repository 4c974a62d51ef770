using MlaGen.Build;
using MlaGen.Package.Tests.Infrastructure;
using MlaGen.Tests.Files;

namespace MlaGen.Package.Tests;

/// <summary>What the build task makes of a checkpoint's headers.</summary>
public sealed class ManifestTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Layers_that_are_alike_share_a_line_whatever_their_order()
        => Assert.Equal(
            """
            # MlaGen checkpoint manifest 1
            story
            model.layers.*.self_attn.kv_a_layernorm.weight	BF16	[64]	0-2,5
            model.layers.*.self_attn.kv_a_proj_with_mqa.weight	BF16	[80, 256]	0-2,5
            model.layers.*.self_attn.kv_b_proj.weight	BF16	[512, 64]	0-2,5
            model.layers.*.self_attn.o_proj.weight	BF16	[256, 256]	0-2,5
            model.layers.*.self_attn.q_a_layernorm.weight	BF16	[128]	0-2,5
            model.layers.*.self_attn.q_a_proj.weight	BF16	[128, 256]	0-2,5
            model.layers.*.self_attn.q_b_proj.weight	BF16	[384, 128]	0-2,5

            """,
            Manifest([.. Layer(5), .. Layer(1), .. Layer(0), .. Layer(2)]));

    [Fact]
    public void Layers_that_differ_have_lines_of_their_own()
    {
        string manifest = Manifest([.. Layer(0), .. Layer(1, kvLoraRank: 96), .. Layer(2)]);

        Assert.Contains("kv_a_proj_with_mqa.weight\tBF16\t[80, 256]\t0,2\n", manifest, StringComparison.Ordinal);
        Assert.Contains("kv_a_proj_with_mqa.weight\tBF16\t[112, 256]\t1\n", manifest, StringComparison.Ordinal);
    }

    [Fact]
    public void Tensors_that_do_not_stand_under_latent_attention_are_left_out()
        => Assert.Equal(
            Manifest([.. Layer(0)]),
            Manifest(
            [
                .. Layer(0),
                ("lm_head.weight", [9, 9]),
                ("weight", [9]),
                ("model.layers.0.mlp.experts.17.down_proj.weight", [9, 9]),
                ("vision.encoder.layers.0.self_attn.q_proj.weight", [9, 9]),
                ("vision.encoder.layers.0.self_attn.o_proj.bias", [9]),
            ]));

    [Fact]
    public void All_that_stands_under_latent_attention_is_listed_whether_read_or_not()
    {
        string manifest = Manifest([.. Layer(0), .. Layer(1), ("model.layers.0.self_attn.indexer.wk.weight", [9, 9]), ("model.layers.1.self_attn.sinks", [8]), ("model.layers.1.self_attn.a\\tb", [8])]);

        Assert.Contains("\nmodel.layers.*.self_attn.indexer.wk.weight\tBF16\t[9, 9]\t0\n", manifest, StringComparison.Ordinal);
        Assert.Contains("\nmodel.layers.*.self_attn.sinks\tBF16\t[8]\t1\n", manifest, StringComparison.Ordinal);
        Assert.Contains("\nmodel.layers.*.self_attn.a\\u0009b\tBF16\t[8]\t1\n", manifest, StringComparison.Ordinal);
    }

    [Fact]
    public void First_number_of_a_name_is_the_layer()
        => Assert.EndsWith(
            "story\nmodel.layers.*.self_attn.1.kv_b_proj.weight\tBF16\t[8, 4]\t3\n",
            Manifest([("model.layers.3.self_attn.1.kv_b_proj.weight", [8, 4])]),
            StringComparison.Ordinal);

    [Fact]
    public void Layer_without_a_number_has_a_dash()
        => Assert.EndsWith("story\nkv_b_proj.weight\tBF16\t[8, 4]\t-\n", Manifest([("kv_b_proj.weight", [8, 4])]), StringComparison.Ordinal);

    [Fact]
    public void Name_with_a_line_break_stays_on_its_line()
        => Assert.EndsWith("story\na\\u000ab.*.kv_b_proj.weight\tBF16\t[8, 4]\t0\n", Manifest([("a\\nb.0.kv_b_proj.weight", [8, 4])]), StringComparison.Ordinal);

    [Fact]
    public void Number_too_long_for_a_layer_is_part_of_the_name()
        => Assert.EndsWith("story\na.99999999999.kv_b_proj.weight\tBF16\t[8, 4]\t-\n", Manifest([("a.99999999999.kv_b_proj.weight", [8, 4])]), StringComparison.Ordinal);

    [Fact]
    public void Checkpoint_of_a_hundred_thousand_tensors_has_a_manifest_of_a_few_lines()
    {
        IEnumerable<(string, long[])> experts = Enumerable.Range(0, 60)
            .SelectMany(static layer => Enumerable.Range(0, 556).SelectMany(expert => (string[])["gate", "up", "down"], (expert, name) => ($"model.layers.{layer}.mlp.experts.{expert}.{name}_proj.weight", (long[])[1, 2])));
        string manifest = Manifest([.. Enumerable.Range(0, 60).SelectMany(static layer => Layer(layer)), .. experts]);

        Assert.Equal(9, manifest.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Contains("kv_b_proj.weight\tBF16\t[512, 64]\t0-59\n", manifest, StringComparison.Ordinal);
    }

    [Fact]
    public void Checkpoint_of_more_attentions_than_any_model_has_is_refused()
    {
        CheckpointException refused = Assert.Throws<CheckpointException>(() => Manifest([.. Enumerable.Range(0, 10_001).Select(static i => ($"a{i}.kv_b_proj.weight", (long[])[1, 1]))]));
        Assert.Contains("10001 distinct attention tensors", refused.Message, StringComparison.Ordinal);
    }

    private static IEnumerable<(string Name, long[] Shape)> Layer(int layer, int kvLoraRank = 64) => SafetensorsWriter.Layer(layer, kvLoraRank);

    private string Manifest(IEnumerable<(string Name, long[] Shape)> tensors)
    {
        string file = _directory.At("model.safetensors");
        SafetensorsWriter.Write(file, tensors);
        using Checkpoint checkpoint = Checkpoint.Open(_directory.Path);
        return CheckpointManifest.Write("story", checkpoint);
    }
}
