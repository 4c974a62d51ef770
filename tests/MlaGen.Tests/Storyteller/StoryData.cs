using System.Text.Json;
using MlaGen.Tests.Files;
using Storyteller;
using Storyteller.Model;

namespace MlaGen.Tests.Storyteller;

/// <summary>The story model and what transformers made of it.</summary>
internal static class StoryData
{
    private static readonly JsonSerializerOptions _snakeCase = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private static readonly Lazy<LoadedModel> _loaded = new(() => LoadedModel.Load(ModelDirectory));

    private static readonly Lazy<GoldenStory[]> _golden = new(() =>
        JsonSerializer.Deserialize<GoldenStory[]>(File.ReadAllBytes(PathOf("golden.json")), _snakeCase)!);

    public static string ModelDirectory => Path.Combine(AppContext.BaseDirectory, "StoryModel");

    public static LoadedModel Loaded => _loaded.Value;

    public static GoldenStory[] Golden => _golden.Value;

    public static TheoryData<int> Prompts => [.. Enumerable.Range(0, 6)];

    public static string PathOf(string file) => Path.Combine(AppContext.BaseDirectory, "StoryData", file);

    /// <summary>A copy of the model, to be damaged.</summary>
    public static TemporaryDirectory CopyOfModel()
    {
        var copy = new TemporaryDirectory();
        foreach (string file in Directory.EnumerateFiles(ModelDirectory))
        {
            File.Copy(file, copy.At(Path.GetFileName(file)));
        }

        return copy;
    }

    /// <summary>A prompt with its tokens, and the 48 tokens that the model most likely continues it with.</summary>
    internal sealed record GoldenStory(string Prompt, int[] PromptIds, int[] GreedyIds, string GreedyText);
}
