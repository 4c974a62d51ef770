using System.Numerics.Tensors;
using System.Text.Json.Nodes;
using MlaGen.Tests.Files;

namespace MlaGen.Models.Tests.Golden;

/// <summary>Models of every family in other shapes than those of <see cref="GoldenModelTests"/>, against transformers, and checkpoints written in other ways.</summary>
public class VariantTests
{
    private const double Tolerance = 2e-5;
    private const int Scored = 4;

    public static TheoryData<string> Names => [.. VariantModels.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public void Scores_and_greedy_text_are_those_of_transformers(string name)
    {
        using TemporaryDirectory directory = new();
        VariantCheckpoint checkpoint = new(name);
        checkpoint.Write(directory.Path, "BF16", shards: 1);
        LanguageModel model = LanguageModel.Load(directory.Path, VariantModels.Classes);
        GoldenModel golden = checkpoint.Golden;

        foreach (int chunk in new[] { 1, 7, int.MaxValue })
        {
            using ModelRun run = new(model, sequences: 1);
            Assert.InRange(GoldenModel.RelativeError(run.Feed(0, golden.Prompt, chunk, Scored), golden.Logits), 0, Tolerance);
        }

        using ModelRun told = new(model, sequences: 1);
        float[] scores = told.Feed(0, golden.Prompt, int.MaxValue, 1);
        List<int> greedy = [];
        foreach (int _ in golden.Greedy)
        {
            greedy.Add(TensorPrimitives.IndexOfMax<float>(scores));
            scores = told.Feed(0, greedy[^1..].ToArray(), 1, 1);
        }

        Assert.True(golden.SmallestMargin > 1e-4);
        Assert.Equal(golden.Greedy, greedy);
        Assert.InRange(GoldenModel.RelativeError(scores, golden.LastLogits), 0, Tolerance);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void However_weights_are_stored_the_bits_are_the_same(string name)
    {
        float[] expected = Scores(name, static (checkpoint, path) => checkpoint.Write(path, "BF16", shards: 1));

        Assert.Equal(expected, Scores(name, static (checkpoint, path) => checkpoint.Write(path, "F16", shards: 3)));
        Assert.Equal(expected, Scores(name, static (checkpoint, path) => checkpoint.Write(path, "F32", shards: checkpoint.Shapes.Count)));
        Assert.Equal(expected, Scores(name, static (checkpoint, path) => checkpoint.Write(path, "BF16", shards: 1), new ModelOptions { KeepWeights = true }));
    }

    /// <summary>Draft layers, towers of other kinds and buffers stand in published files.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void What_stands_beside_the_model_in_its_files_changes_nothing(string name)
    {
        float[] expected = Scores(name, static (checkpoint, path) => checkpoint.Write(path, "BF16", shards: 1));

        Assert.Equal(expected, Scores(name, static (checkpoint, path) =>
        {
            foreach (string layer in new[] { "model.layers.9", "model.mtp", "model.mtp.layers.0" })
            {
                checkpoint.Shapes.Add($"{layer}.eh_proj.weight", [64, 128]);
                checkpoint.Shapes.Add($"{layer}.self_attn.o_proj.weight", [64, 64]);
                checkpoint.Shapes.Add($"{layer}.mlp.experts.0.gate_proj.weight", [3, 5]);
                checkpoint.Shapes.Add($"{layer}.enorm.weight", [64]);
            }

            checkpoint.Shapes.Add("vision_tower.patch_embed.weight", [8, 3, 2, 2]);
            checkpoint.Shapes.Add("model.rotary_emb.inv_freq", [4]);
            checkpoint.Write(path, "BF16", shards: 2);
        }));
    }

    [Theory]
    [InlineData("language_model.")]
    [InlineData("model.language_model.")]
    public void A_language_model_may_stand_beside_others(string prefix)
    {
        const string Name = "v3-sparse-throughout";
        float[] expected = Scores(Name, static (checkpoint, path) => checkpoint.Write(path, "BF16", shards: 1));

        Assert.Equal(expected, Scores(Name, (checkpoint, path) =>
        {
            checkpoint.Write(path, "BF16", shards: 1, name => prefix == "language_model." || !name.StartsWith("model.", StringComparison.Ordinal)
                ? prefix == "language_model." ? prefix + name : name
                : prefix + name["model.".Length..]);
            string config = Path.Combine(path, "config.json");
            JsonObject outer = new() { ["model_type"] = "kimi_vl", ["vision_config"] = new JsonObject(), ["text_config"] = JsonNode.Parse(File.ReadAllText(config)) };
            File.WriteAllText(config, outer.ToJsonString());
        }));
    }

    private static float[] Scores(string name, Action<VariantCheckpoint, string> write, ModelOptions? options = null)
    {
        using TemporaryDirectory directory = new();
        VariantCheckpoint checkpoint = new(name);
        write(checkpoint, directory.Path);
        using ModelRun run = new(LanguageModel.Load(directory.Path, VariantModels.Classes, options), sequences: 1);
        return run.Feed(0, checkpoint.Golden.Prompt, int.MaxValue, Scored);
    }
}
