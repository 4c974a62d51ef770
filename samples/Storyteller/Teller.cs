using System.Diagnostics;
using System.Globalization;
using System.Text;
using MlaGen;
using MlaGen.Models;
using Samples;
using Storyteller.Model;
using Storyteller.Text;

namespace Storyteller;

/// <summary>Continues prompts, or stories of a file, token by token: all of them in one batch, each as if it were told alone.</summary>
internal sealed class Teller
{
    /// <summary>How a story begins when the user names no beginning.</summary>
    private const string OnceUponATime = "The owl looked at the moon. Kai walked to the tower. Kai picked up the golden key. Nora went to the harbor.";

    /// <summary>The story model goes round in circles at temperature 0: fine for comparing, dull for a first story.</summary>
    private const double FirstTemperature = 0.8;

    /// <summary>Characters of a story's beginning by which it is known among several.</summary>
    private const int LongestBeginning = 60;

    private readonly StoryOptions _options;
    private readonly LoadedModel _loaded;
    private readonly StorySession _session;
    private readonly List<Telling> _stories = [];

    private Teller(StoryOptions options, LoadedModel loaded, StorySession session)
    {
        _options = options;
        _loaded = loaded;
        _session = session;
    }

    public static void Run(StoryOptions options, TextWriter output, TextWriter summary)
    {
        string[] texts = options.ResumeFile is null ? Prompts(options) : [];
        LoadedModel loaded = LoadedModel.Load(options.Model);
        int[][] prompts = [.. texts.Select(loaded.TokensOf)];
        using MlaExecutor executor = new(options.Threads);
        using StorySession session = new(loaded.Model, executor, options.ResumeFile is null ? prompts.Length : StoryFile.MostStories, options.Cache, options.Precision, options.Chunk)
        {
            // Pinned, so that a story is the same alone and beside others, from its whole prompt, from a beginning it shares, and from a file.
            Form = MlaForm.Absorbed,
        };
        if (!options.IsBeginningGiven)
        {
            summary.Write(OnceUponATime);
            summary.Flush();
        }

        new Teller(options, loaded, session).Tell(texts, prompts, output, summary);
    }

    private static string[] Prompts(StoryOptions options) => options switch
    {
        { PromptFile: { } file } => [ReadVerbatim(file)],
        { Prompts: [] } => [OnceUponATime],
        _ => options.Prompts,
    };

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

    private void Tell(string[] beginnings, int[][] prompts, TextWriter output, TextWriter summary)
    {
        SavedStory[] saved = _options.ResumeFile is { } resumed ? StoryFile.Load(resumed, _session.Cache, _loaded) : [];

        // The first story appears while it is told; the others wait for it.
        int stories = prompts.Length + saved.Length;
        TextWriter[] texts = [output, .. Enumerable.Range(1, stories - 1).Select(static _ => new StringWriter())];
        if (stories > 1)
        {
            beginnings = [.. beginnings, .. saved.Select(story => _loaded.Tokenizer.Decode(story.Tokens.Span))];
            for (int i = 0; i < stories; i++)
            {
                texts[i].WriteLine($"--- {i + 1} of {stories}: \"{PlainText.Excerpt(beginnings[i], LongestBeginning)}\"");
            }
        }

        long start = Stopwatch.GetTimestamp();
        int shared = 0;
        for (int i = 0; i < prompts.Length; i++)
        {
            shared += Begin(prompts[i], texts[i]);
        }

        TimeSpan prefill = Stopwatch.GetElapsedTime(start);
        for (int i = 0; i < saved.Length; i++)
        {
            GoOn(saved[i], texts[i]);
        }

        start = Stopwatch.GetTimestamp();
        int decoded = Decode();
        TimeSpan decode = Stopwatch.GetElapsedTime(start);

        Print(texts, output);
        if (_options.SaveFile is { } file)
        {
            StoryFile.Save(file, _session.Cache, _loaded, _stories);
        }

        Summarize(summary, prompts.Sum(static prompt => prompt.Length), shared, prefill, decoded, decode);
    }

    /// <summary>Feeds a prompt, except what it shares with an earlier one, and tells the first token.</summary>
    /// <returns>Tokens that it shares.</returns>
    private int Begin(int[] prompt, TextWriter text)
    {
        LatentSequence sequence = _session.Start(prompt, _stories);
        int shared = sequence.Length;
        Sampler sampler = SamplerOf(_options.Temperature ?? (_options.IsBeginningGiven ? 0 : FirstTemperature), _options.Seed ?? 0);
        Telling story = new(sequence, prompt, sampler, new TextStream(_loaded.Tokenizer, text), Room(prompt.Length), EndToken);
        story.Continue(_session.Feed(sequence, prompt.AsSpan(shared)));
        _stories.Add(story);
        return shared;
    }

    private void GoOn(SavedStory saved, TextWriter text)
    {
        ReadOnlySpan<int> tokens = saved.Tokens.Span;
        Sampler sampler = SamplerOf(_options.Temperature ?? saved.Temperature, _options.Seed ?? saved.Seed, saved.Draws);
        TextStream stream = new(_loaded.Tokenizer, text);
        stream.Skip(tokens);
        _stories.Add(new Telling(saved.Sequence, tokens, sampler, stream, tokens[^1] == EndToken ? 0 : Room(tokens.Length), EndToken));
    }

    /// <summary>Tells all stories to their ends.</summary>
    /// <returns>Tokens that were fed.</returns>
    private int Decode()
    {
        List<Telling> going = [.. _stories];
        int fed = 0;
        while (true)
        {
            going.RemoveAll(static story => story.Remaining == 0);
            if (going.Count == 0)
            {
                return fed;
            }

            _session.Continue(going);
            fed += going.Count;
        }
    }

    private void Print(TextWriter[] texts, TextWriter output)
    {
        // Bytes that wait for the rest of their character are left to whoever goes on with a saved story.
        if (_options.SaveFile is null)
        {
            _stories.ForEach(static story => story.Text.Complete());
        }

        foreach (TextWriter text in texts[1..])
        {
            output.WriteLine();
            output.Write(text.ToString());
        }
    }

    private void Summarize(TextWriter summary, int promptTokens, int shared, TimeSpan prefill, int decodedTokens, TimeSpan decode)
    {
        MlaShape shape = StoryAttention.Shape;
        int layers = _loaded.Model.Config.AttentionLayers;
        long latentBytes = (long)layers * CacheLayout.Of<StoryAttention>(_options.Cache).RowBytes;
        long fullBytes = (long)layers * shape.Heads * (shape.QkHeadDim + shape.VHeadDim) * sizeof(float);
        summary.WriteLine();
        if (promptTokens > 0)
        {
            string ofThem = shared == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $", {shared} of them shared");
            summary.WriteLine(string.Create(CultureInfo.InvariantCulture, $"prompt: {Counted.Of(promptTokens, "token")}{ofThem}, {Rate(promptTokens, prefill):F0} tokens/s"));
        }

        summary.WriteLine(string.Create(CultureInfo.InvariantCulture, $"decode: {Counted.Of(decodedTokens, "token")}, {Rate(decodedTokens, decode):F0} tokens/s"));
        summary.WriteLine(string.Create(CultureInfo.InvariantCulture, $"cache:  {Counted.Of(latentBytes, "byte")} a token; keys and values of full multi-head attention would take {fullBytes}"));
        if (_options.Precision != MlaPrecision.Highest)
        {
            summary.WriteLine(_session.Cache.Cores);
        }
    }

    private static double Rate(int tokens, TimeSpan time) => tokens == 0 ? 0 : tokens / time.TotalSeconds;

    private static Sampler SamplerOf(double temperature, int seed, int draws = 0) => new(new SamplingOptions { Temperature = temperature, Seed = seed }, draws);

    private int? EndToken => _options.IgnoreEnd ? null : _loaded.EndToken;

    /// <summary>Tokens that may follow so many. The last position can still be fed, so one more can be told than there is room for.</summary>
    private int Room(int tokens) => Math.Min(_options.MaxTokens, StoryAttention.Shape.MaxPositionEmbeddings + 1 - tokens);
}
