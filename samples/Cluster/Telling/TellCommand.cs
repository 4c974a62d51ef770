using Cluster.Hosting;
using Cluster.Planning;
using Cluster.Segments;
using MlaGen;
using MlaGen.Models;
using Samples;
using Spectre.Console;
using Storyteller;
using Storyteller.Text;
using static System.FormattableString;

namespace Cluster.Telling;

/// <summary>Tells stories over a cluster, and shows what it took.</summary>
internal sealed class TellCommand
{
    /// <summary>Tokens of a prompt that are fed in one step.</summary>
    private const int Chunk = 64;

    private readonly TellOptions _options;
    private readonly TextWriter _output;
    private readonly TextWriter _notes;
    private readonly LoadedModel _loaded;
    private readonly long _fingerprint;

    private TellCommand(TellOptions options, TextWriter output, TextWriter notes)
    {
        _options = options;
        _output = output;
        _notes = TextWriter.Synchronized(notes);
        _loaded = LoadedModel.Load(Path.Combine(AppContext.BaseDirectory, "StoryModel"), AttentionClass.Of<LongStoryAttention>());
        _fingerprint = _loaded.Model.Fingerprint();
    }

    public static async Task RunAsync(TellOptions options, TextWriter output, TextWriter notes)
    {
        if (options.Directory is { } directory)
        {
            System.IO.Directory.CreateDirectory(directory);
        }

        DirectoryInfo? temporary = options.Directory is null && options.Resume is null ? System.IO.Directory.CreateTempSubdirectory("mlagen-cluster-") : null;
        try
        {
            await new TellCommand(options, output, notes).TellAsync(options.Resume ?? options.Directory ?? temporary!.FullName);
        }
        finally
        {
            temporary?.Delete(recursive: true);
        }
    }

    private async Task TellAsync(string directory)
    {
        StoryRecord record = _options.Resume is null ? Begin(directory) : GoOn(directory);
        TextWriter[] texts = [_output, .. record.Texts[1..].Select(static _ => new StringWriter())];
        ClusterStory[] stories = [.. record.Texts.Select((text, i) => Story(text, texts[i]))];
        using MlaExecutor executor = new(_options.Threads);
        if (_options.Silos == 0)
        {
            using LocalSegments segments = new(record.Segments, executor);
            await TellAsync(record, stories, segments, executor, directory, wire: null);
        }
        else
        {
            RedisServer? redis = _options is { UsesRedis: true, Redis: null } ? await RedisServer.StartAsync(Path.Combine(directory, "redis"), ClusterSession.FreePort()) : null;
            SiloOptions silo = ClusterSession.Local(record.Segments, _options.Placement, 1, _options.Deadline, _options.UsesRedis ? _options.Redis ?? redis!.Address : null);
            await using ClusterSession session = await ClusterSession.StartAsync(_options.Silos, silo, redis, _notes.WriteLine);
            using WireMeter wire = new();
            await TellAsync(record, stories, session.Segments(record.Stories), executor, directory, wire);
        }

        for (int i = 0; i < stories.Length; i++)
        {
            stories[i].Text.Complete();
            if (i > 0)
            {
                _output.WriteLine();
                _output.Write(texts[i].ToString());
            }
        }

        _output.WriteLine();
    }

    private async Task TellAsync(StoryRecord record, ClusterStory[] stories, ISegments segments, MlaExecutor executor, string directory, WireMeter? wire)
    {
        int saved = 0;
        CoordinatorOptions own = new(Chunk, TimeSpan.FromSeconds(_options.Patience));
        using Coordinator coordinator = new((LanguageModel<LongStoryAttention>)_loaded.Model, segments, record.Segments, own, executor)
        {
            OnFailure = _notes.WriteLine,
            OnStep = () =>
            {
                int length = stories.Sum(static story => story.Tokens.Length);
                if (length - saved >= record.Segments.SaveInterval)
                {
                    saved = length;
                    Save(record, stories, directory);
                }
            },
        };

        int before = stories.Sum(static story => story.Tokens.Length);
        try
        {
            // The model waits for its segments: it has a thread of its own.
            await Task.Factory.StartNew(() => coordinator.Tell(stories), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        finally
        {
            Save(record, stories, directory);
        }

        long bytes = wire?.Bytes ?? 0;
        await ShowAsync(record, stories, segments, coordinator, stories.Sum(static story => story.Tokens.Length) - before, bytes);
    }

    private StoryRecord Begin(string directory)
    {
        StoryText[] texts = [.. _options.Prompts.Select(prompt => new StoryText(_loaded.TokensOf(prompt), _options.Temperature, _options.Seed, 0, _options.MaxTokens))];
        int longest = texts.Max(static text => text.Tokens.Length) + _options.MaxTokens;
        if (longest > LongStoryAttention.MaxPositionEmbeddings)
        {
            throw new UserException($"a prompt and {Counted.Of(_options.MaxTokens, "token")} after it are {longest}; the context ends at {LongStoryAttention.MaxPositionEmbeddings}");
        }

        SegmentOptions segments = new(_loaded.Model.Config.AttentionLayers, _options.SegmentTokens, texts.Length, CacheFormat.Float32, _options.Wire, SegmentShape.Story, directory, _options.SaveInterval);
        return new StoryRecord(Guid.NewGuid().ToString("N"), _fingerprint, segments, texts);
    }

    private StoryRecord GoOn(string directory)
    {
        StoryRecord record = StoryRecord.Load(directory);
        return record.Model == _fingerprint
            ? record
            : throw new UserException($"{directory} holds stories of another model: {record.Model:x16} is not {_fingerprint:x16}");
    }

    private ClusterStory Story(StoryText text, TextWriter output)
    {
        TextStream stream = new(_loaded.Tokenizer, output);
        stream.Skip(text.Tokens);
        Sampler sampler = new(new SamplingOptions { Temperature = text.Temperature, Seed = text.Seed }, text.Draws);
        return new ClusterStory(text.Tokens, sampler, stream, text.Remaining, _options.IgnoreEnd ? null : _loaded.EndToken);
    }

    private static void Save(StoryRecord record, ClusterStory[] stories, string directory)
    {
        if (Directory.Exists(directory))
        {
            StoryText[] texts = [.. stories.Select(static story => new StoryText([.. story.Tokens], story.Sampler.Options.Temperature, story.Sampler.Options.Seed, story.Sampler.Draws, story.Remaining))];
            (record with { Texts = texts }).Save(directory);
        }
    }

    /// <summary>Where the segments lie, and what a token took.</summary>
    private async Task ShowAsync(StoryRecord record, ClusterStory[] stories, ISegments segments, Coordinator coordinator, int told, long bytes)
    {
        Table table = Tables.Create("segment", "tokens", "silo", "KB", "calls", "ms a call", "saving");
        int count = stories.Max(story => Math.Max(story.Tokens.Length - 2, 0) / record.Segments.Tokens) + 1;
        for (int segment = 0; segment < count; segment++)
        {
            SegmentPlace place = await segments.FindAsync(segment);
            int first = segment * record.Segments.Tokens;
            table.AddRow(
                Invariant($"{segment}"),
                Invariant($"{first}-{first + record.Segments.Tokens - 1}"),
                Markup.Escape(place.Silo),
                Invariant($"{place.Bytes / 1e3:F0}"),
                Invariant($"{place.Calls}"),
                Invariant($"{place.Milliseconds / Math.Max(place.Calls, 1):F3}"),
                Markup.Escape(place.Problem ?? "in order"));
        }

        _notes.WriteLine();
        Tables.Write(table, _notes);
        _notes.WriteLine(Invariant($"{Counted.Of(told, "token")}, {coordinator.Time.TotalMilliseconds / Math.Max(told, 1):F2} ms a token"));
        if (bytes > 0)
        {
            _notes.WriteLine(Invariant($"{Counted.Of((long)Math.Round((double)bytes / Math.Max(told, 1) / record.Segments.Layers), "byte")} on the wire a token and layer"));
        }
    }
}
