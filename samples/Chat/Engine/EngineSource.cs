using MlaGen;
using MlaGen.Models;
using Samples;

namespace Chat.Engine;

/// <summary>Loads models.</summary>
internal static class EngineSource
{
    private const string StoryModel = "StoryModel";

    /// <summary>Loads a checkpoint.</summary>
    /// <param name="directory">Its directory, or <see langword="null"/> for the model that comes with the program.</param>
    /// <param name="settings">How it runs.</param>
    /// <param name="told">Where progress is told.</param>
    public static LoadedEngine Load(string? directory, EngineSettings settings, TextWriter told)
    {
        if (directory is not null)
        {
            NamedFiles.CheckDirectory("--model", directory);
        }

        directory ??= Path.Combine(AppContext.BaseDirectory, StoryModel);
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory)));
        ModelTokenizer tokenizer = ModelTokenizer.Load(directory);
        ChatTemplate? template = ChatTemplate.Load(directory);
        told.WriteLine($"{name}: loading …");
        LanguageModel model = LanguageModel.Load(directory, KnownModels.Classes, new ModelOptions { Weights = settings.Weights, KeepWeights = settings.KeepWeights });

        List<IDisposable> resources = [];
        try
        {
            MlaExecutor executor = new(settings.Threads);
            resources.Add(executor);
            TextGenerator generator = new(model, tokenizer, new TextGeneratorOptions
            {
                CacheTokens = settings.CacheTokens,
                MaxActive = settings.MaxActive,
                Executor = executor,
                Cache = new LatentCacheOptions { Format = settings.Cache },
                DraftTokens = settings.DraftTokens,
            });
            resources.Insert(0, generator);
            PlainTemplate plain = new(tokenizer.BosToken is { } bos && (template is null || tokenizer.Encode("", addSpecialTokens: true).Contains(bos)) ? tokenizer.TokenOf(bos)! : "");
            return new LoadedEngine(
                name, new MlaChatClient(generator, (IChatTemplate?)template ?? plain, name), new MlaChatClient(generator, plain, name), [.. resources]);
        }
        catch
        {
            resources.ForEach(static resource => resource.Dispose());
            throw;
        }
    }

    /// <summary>Whether the user can change what a problem is about.</summary>
    public static bool IsUserError(Exception problem) => problem is ModelConfigException or CheckpointException or ChatTemplateException or InvalidDataException or LatentCacheFullException;
}

/// <summary>How a model runs.</summary>
/// <param name="Threads">Threads to compute on.</param>
/// <param name="Weights">How weights are kept.</param>
/// <param name="Cache">How the cache keeps a token.</param>
/// <param name="CacheTokens">Tokens of all requests together.</param>
/// <param name="MaxActive">Requests that generate at a time.</param>
/// <param name="DraftTokens">Candidates for coming tokens that a step verifies.</param>
/// <param name="KeepWeights">Whether packed weights are kept in a file, and mapped from there.</param>
internal sealed record EngineSettings(int Threads, WeightFormat Weights, CacheFormat Cache, long CacheTokens, int MaxActive, int DraftTokens = 0, bool KeepWeights = false);
