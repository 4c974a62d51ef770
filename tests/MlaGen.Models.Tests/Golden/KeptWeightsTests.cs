using MlaGen.Models.Tests.Configs;

namespace MlaGen.Models.Tests.Golden;

/// <summary>Models whose packed weights are kept in a file.</summary>
public class KeptWeightsTests
{
    private static readonly int[] _prompt = [.. Enumerable.Range(1, 20).Select(static i => i * 7 % 300)];

    public static TheoryData<string> Names => [.. TinyModels.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public void Scores_from_the_file_have_the_bits_of_those_without_it(string name)
    {
        foreach (WeightFormat format in new[] { WeightFormat.Stored, WeightFormat.Int4Group32 })
        {
            using ModelDirectory directory = new(name);
            string kept = LanguageModel.KeptPath(directory.Path, format);
            float[] expected = Scores(directory, new ModelOptions { Weights = format });
            Assert.False(File.Exists(kept));

            ModelOptions keeping = new() { Weights = format, KeepWeights = true };
            Assert.Equal(expected, Scores(directory, keeping));
            DateTime written = File.GetLastWriteTimeUtc(kept);
            Assert.Equal(expected, Scores(directory, keeping));
            Assert.Equal(written, File.GetLastWriteTimeUtc(kept));
        }
    }

    [Fact]
    public void A_model_whose_weights_are_missing_leaves_no_file()
    {
        using ModelDirectory directory = new ModelDirectory("axk1").With("num_hidden_layers", "4");

        Assert.Throws<CheckpointException>(() => LanguageModel.Load(directory.Path, TinyModels.Classes, new ModelOptions { KeepWeights = true }));
        Assert.Equal(["config.json", "model.safetensors"], Directory.GetFiles(directory.Path).Select(Path.GetFileName).Order());
    }

    private static float[] Scores(ModelDirectory directory, ModelOptions options)
    {
        LanguageModel model = LanguageModel.Load(directory.Path, TinyModels.Classes, options);
        using ModelRun run = new(model, 1);
        return [.. run.Feed(0, _prompt, _prompt.Length, 3), .. run.Feed(0, [5], 1, 1)];
    }
}
