using Cluster.Hosting;
using Cluster.Segments;
using Cluster.Telling;
using MlaGen.Models;
using Storyteller;
using Storyteller.Text;

namespace MlaGen.Cluster.Tests;

/// <summary>Stories that were told, and the scores by which each token was chosen.</summary>
/// <param name="Tokens">Tokens of each story.</param>
/// <param name="Scores">Of each story the scores after so many tokens.</param>
internal sealed record ToldStories(int[][] Tokens, SortedDictionary<int, float[]>[] Scores)
{
    public const double Temperature = 0.8;
    public const int Seed = 7;

    private static readonly LoadedModel _loaded = LoadedModel.Load(Path.Combine(AppContext.BaseDirectory, "StoryModel"), AttentionClass.Of<LongStoryAttention>());

    public static LanguageModel<LongStoryAttention> Model => (LanguageModel<LongStoryAttention>)_loaded.Model;

    /// <summary>What segments have in common that a test does not care about.</summary>
    public static SegmentOptions Options(int tokens, int stories = 1, WireFormat wire = WireFormat.Float32, string? directory = null)
        => new(Model.Config.AttentionLayers, tokens, stories, CacheFormat.Float32, wire, SegmentShape.Story, directory, SaveInterval: 16);

    /// <summary>A story that goes on past its end.</summary>
    public static ClusterStory Story(string prompt, int tokens, int seed = Seed)
        => new(_loaded.TokensOf(prompt), new Sampler(new SamplingOptions { Temperature = Temperature, Seed = seed }), new TextStream(_loaded.Tokenizer, TextWriter.Null), tokens, endToken: null);

    /// <summary>Tells stories over segments of this process.</summary>
    public static ToldStories Local(SegmentOptions options, int chunk, params ClusterStory[] stories)
    {
        using MlaExecutor executor = new(1);
        using LocalSegments segments = new(options, executor);
        return Tell(segments, options, chunk, stories);
    }

    /// <summary>Tells stories over segments, wherever they lie.</summary>
    public static ToldStories Tell(ISegments segments, SegmentOptions options, int chunk, ClusterStory[] stories, Action<Coordinator>? onStep = null, Action<string>? onFailure = null)
    {
        using MlaExecutor executor = new(1);
        SortedDictionary<int, float[]>[] scores = [.. stories.Select(static _ => new SortedDictionary<int, float[]>())];
        Coordinator coordinator = null!;
        using (coordinator = new Coordinator(Model, segments, options, new CoordinatorOptions(chunk, TimeSpan.FromSeconds(60)), executor)
        {
            OnScores = (story, tokens, values) => scores[story].Add(tokens, values.ToArray()),
            OnStep = () => onStep?.Invoke(coordinator),
            OnFailure = onFailure,
        })
        {
            coordinator.Tell(stories);
        }

        return new ToldStories([.. stories.Select(static story => story.Tokens.ToArray())], scores);
    }

    /// <summary>That two runs chose the same tokens by the same scores, bit for bit.</summary>
    public static void AssertSame(ToldStories expected, ToldStories found)
    {
        Assert.Equal(expected.Tokens, found.Tokens);
        for (int story = 0; story < expected.Scores.Length; story++)
        {
            Assert.Equal(expected.Scores[story].Keys, found.Scores[story].Keys);
            Assert.All(expected.Scores[story], pair => Assert.Equal(Bits(pair.Value), Bits(found.Scores[story][pair.Key])));
        }
    }

    private static int[] Bits(float[] values) => [.. values.Select(BitConverter.SingleToInt32Bits)];
}
