using System.Diagnostics;
using System.Globalization;
using System.Text;
using MlaGen;
using Storyteller.Model;
using Storyteller.Text;

namespace Storyteller;

/// <summary>Continues a prompt, token by token.</summary>
internal static class Teller
{
    /// <summary>How a story begins when the user names no beginning.</summary>
    private const string OnceUponATime = "The owl looked at the moon. Kai walked to the tower. Kai picked up the golden key. Nora went to the harbor.";

    public static void Run(StoryOptions options, TextWriter output, TextWriter summary)
    {
        string prompt = options.Prompt ?? (options.PromptFile is null ? OnceUponATime : ReadVerbatim(options.PromptFile));
        LoadedModel loaded = LoadedModel.Load(options.Model);
        int[] tokens = loaded.TokensOf(prompt);

        using MlaExecutor executor = new(options.Threads);
        using LatentCache<StoryAttention> cache = StoryAttention.CreateCache(loaded.Model.Config.Layers, StoryAttention.MaxPositionEmbeddings);
        using StorySession session = new(loaded.Model, cache, executor, options.Chunk);
        Sampler sampler = new(options.Temperature, options.Seed);
        TextStream text = new(loaded.Tokenizer, output);
        if (options is { Prompt: null, PromptFile: null })
        {
            summary.Write(prompt);
            summary.Flush();
        }

        long start = Stopwatch.GetTimestamp();
        int token = sampler.Choose(session.Feed(tokens));
        TimeSpan prefill = Stopwatch.GetElapsedTime(start);

        // The last position can still be fed, so one token more than there is room for can be made.
        int most = Math.Min(options.MaxTokens, StoryAttention.MaxPositionEmbeddings - tokens.Length + 1);
        start = Stopwatch.GetTimestamp();
        int fed = 0;
        for (int made = 0; ; fed++)
        {
            if (token == loaded.Model.Config.EndToken && !options.IgnoreEnd)
            {
                break;
            }

            text.Write(token);
            if (++made == most)
            {
                break;
            }

            token = sampler.Choose(session.Feed([token]));
        }

        TimeSpan decode = Stopwatch.GetElapsedTime(start);
        text.Complete();
        Summarize(summary, tokens.Length, prefill, fed, decode, loaded.Model.Config.Layers);
    }

    private static string ReadVerbatim(string path)
    {
        try
        {
            return new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(File.ReadAllBytes(path));
        }
        catch (DecoderFallbackException error)
        {
            throw new UserException($"{path} is not UTF-8: {error.Message}");
        }
    }

    private static void Summarize(TextWriter summary, int promptTokens, TimeSpan prefill, int decodedTokens, TimeSpan decode, int layers)
    {
        long latentBytes = (long)layers * StoryAttention.Shape.CacheRowBytes;
        long fullBytes = (long)layers * StoryAttention.Heads * (StoryAttention.Shape.QkHeadDim + StoryAttention.VHeadDim) * sizeof(float);
        summary.WriteLine();
        summary.WriteLine(string.Create(CultureInfo.InvariantCulture, $"prompt: {promptTokens} tokens, {Rate(promptTokens, prefill):F0} tokens/s"));
        summary.WriteLine(string.Create(CultureInfo.InvariantCulture, $"decode: {decodedTokens} tokens, {Rate(decodedTokens, decode):F0} tokens/s"));
        summary.WriteLine(string.Create(CultureInfo.InvariantCulture, $"cache:  {latentBytes} bytes a token; keys and values of full multi-head attention would take {fullBytes}"));
    }

    private static double Rate(int tokens, TimeSpan time) => tokens == 0 ? 0 : tokens / time.TotalSeconds;
}
