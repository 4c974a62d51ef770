using Cluster.Segments;
using Cluster.Telling;
using Xunit.Abstractions;

namespace MlaGen.Cluster.Tests;

/// <summary>A context in segments, all in this process.</summary>
public sealed class SegmentTests(ITestOutputHelper output)
{
    private const string Prompt = "Once upon a time";

    /// <summary>
    /// All scores of a story together are within a millionth of their length. Of a single token they need not be: attention differs by less than
    /// that, as the next test holds, and layers after it make more of it where a score hangs on little. They do the same with the rounding between
    /// the two forms of attention on a whole context, which is the measure for the worst token.
    /// </summary>
    [Theory]
    [InlineData(16)]
    [InlineData(100)]
    public void Scores_are_those_of_a_context_in_one_piece_within_a_millionth(int segmentTokens)
    {
        ToldStories told = ToldStories.Local(ToldStories.Options(segmentTokens), 64, ToldStories.Story(Prompt, 300));
        float[][] absorbed = [.. Whole(told, MlaForm.Absorbed)];
        Distances segments = new([.. told.Scores[0].Values], absorbed);
        Distances forms = new([.. Whole(told, MlaForm.Decompressed)], absorbed);
        output.WriteLine($"segments of {segmentTokens}: {segments}");
        output.WriteLine($"decompressed: {forms}");

        Assert.InRange(segments.All, double.Epsilon, 1e-6);
        Assert.InRange(segments.NineInTen, double.Epsilon, 1e-6);
        Assert.InRange(segments.Worst, double.Epsilon, 4 * forms.Worst);
    }

    /// <summary>One layer's core: segments against the same rows in one piece.</summary>
    [Theory]
    [InlineData(16)]
    [InlineData(100)]
    public void Attention_is_that_of_a_context_in_one_piece_within_a_millionth(int segmentTokens)
    {
        const int Tokens = 300;
        MlaShape shape = LongStoryAttention.Shape;
        SegmentOptions options = ToldStories.Options(segmentTokens) with { Layers = 1 };
        using MlaExecutor executor = new(1);
        using LocalSegments segments = new(options, executor);
        using LatentCache<LongStoryAttention> cache = new(1, 1024);
        using LatentSequence whole = cache.CreateSequence();
        using LatentSequence placeholder = cache.CreateSequence();
        using MlaBatch<LongStoryAttention> batch = cache.CreateBatch(executor);
        Random random = new(3);
        double worst = 0;
        for (int token = 0; token < Tokens; token++)
        {
            float[] queries = Normal(random, shape.Heads * shape.CacheRowElements, 3);
            float[] row = Normal(random, shape.CacheRowElements, 1);
            batch.Add(whole, 1);
            LongStoryAttention.AppendLatent(batch, 0, row);
            float[] expected = new float[shape.Heads * shape.KvLoraRank];
            LongStoryAttention.AttendLatent(batch, 0, queries, expected, new float[shape.Heads]);
            batch.Commit();
            batch.Add(placeholder, 1);
            SegmentedStep<LongStoryAttention> step = new(segments, options, batch, [new Stretch(0, token, 1)], attempt: token, static (_, _) => { });
            worst = Math.Max(worst, Distance(step.Attend(0, queries, row), expected));
            batch.Rollback();
        }

        Assert.InRange(worst, double.Epsilon, 1e-6);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(16)]
    public void How_a_text_is_fed_changes_no_bit(int chunk)
    {
        ToldStories expected = ToldStories.Local(ToldStories.Options(32), 32, ToldStories.Story(Prompt, 70));
        ToldStories.AssertSame(expected, ToldStories.Local(ToldStories.Options(32), chunk, ToldStories.Story(Prompt, 70)));
    }

    [Theory]
    [InlineData("Float32")]
    [InlineData("BFloat16")]
    public void Stories_that_share_calls_are_those_that_are_told_alone(string format)
    {
        WireFormat wire = Enum.Parse<WireFormat>(format);
        string[] prompts = [Prompt, "Ben walked to the kitchen. Pia slept. The owl followed Ben for a while and the crow slept near the garden.", "The fox"];
        ToldStories together = ToldStories.Local(ToldStories.Options(24, prompts.Length, wire), 16, [.. prompts.Select((prompt, i) => ToldStories.Story(prompt, 60 + (20 * i), seed: i))]);
        for (int i = 0; i < prompts.Length; i++)
        {
            ToldStories alone = ToldStories.Local(ToldStories.Options(24, wire: wire), 16, ToldStories.Story(prompts[i], 60 + (20 * i), seed: i));
            ToldStories.AssertSame(alone, new ToldStories([together.Tokens[i]], [together.Scores[i]]));
        }
    }

    [Fact]
    public void Rounding_on_the_wire_shows_and_stays_small()
    {
        ToldStories exact = ToldStories.Local(ToldStories.Options(32), 32, ToldStories.Story(Prompt, 40));
        ToldStories rounded = ToldStories.Local(ToldStories.Options(32, wire: WireFormat.BFloat16), 32, ToldStories.Story(Prompt, 1));
        Assert.InRange(Distance(rounded.Scores[0].First().Value, exact.Scores[0].First().Value), 1e-6, 3e-2);
    }

    /// <summary>A step that is given up on the way leaves nothing, and one that is asked for again gives the same.</summary>
    [Fact]
    public void A_step_is_never_half_applied()
    {
        SegmentOptions options = ToldStories.Options(32);
        using MlaExecutor executor = new(1);
        using ISegment segment = options.Create(executor);
        SegmentReply first = segment.Attend(Request(attempt: 1, layer: 0, length: 0));
        Assert.Null(first.Refusal);
        Assert.Contains("attempt 0", segment.Attend(Request(attempt: 0, layer: 0, length: 0)).Refusal, StringComparison.Ordinal);
        Assert.Contains("layer 2", segment.Attend(Request(attempt: 1, layer: 2, length: 0)).Refusal, StringComparison.Ordinal);
        Assert.Equal([0], segment.Lengths);
        for (int attempt = 2; attempt < 4; attempt++)
        {
            for (int layer = 0; layer < options.Layers; layer++)
            {
                SegmentReply reply = segment.Attend(Request(attempt, layer, length: 0));
                Assert.Null(reply.Refusal);
                Assert.Equal(first.Output.Values.ToArray(), reply.Output.Values.ToArray());
            }

            Assert.Equal([1], segment.Lengths);
        }

        Assert.Contains("has 1 token here, not 5", segment.Attend(Request(attempt: 5, layer: 0, length: 5)).Refusal, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => segment.Attend(Request(attempt: 6, layer: 0, length: 32)));
        Assert.Throws<ArgumentException>(() => segment.Attend(Request(attempt: 7, layer: 0, length: 0, story: 1)));
        Assert.Equal([1], segment.Lengths);
    }

    [Fact]
    public void A_segment_comes_back_from_its_file_and_from_no_other()
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory("mlagen-segment-");
        try
        {
            string path = Path.Combine(directory.FullName, "segment.mlacache");
            SegmentOptions options = ToldStories.Options(32);
            using MlaExecutor executor = new(1);
            using ISegment segment = options.Create(executor);
            for (int layer = 0; layer < options.Layers; layer++)
            {
                segment.Attend(Request(1, layer, 0));
            }

            segment.Snapshot().Write(path);
            using ISegment same = options.Create(executor);
            same.Load(path);
            Assert.Equal([1], same.Lengths);
            Assert.Equal(segment.Attend(Request(2, 0, 1)).Output.Values.ToArray(), same.Attend(Request(2, 0, 1)).Output.Values.ToArray());

            using ISegment longer = (options with { Tokens = 48 }).Create(executor);
            Assert.Throws<InvalidDataException>(() => longer.Load(path));
            File.WriteAllBytes(path, File.ReadAllBytes(path)[..^9]);
            using ISegment damaged = options.Create(executor);
            Assert.Throws<CacheFileException>(() => damaged.Load(path));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    /// <summary>The scores of a story on a context in one piece.</summary>
    private static IEnumerable<float[]> Whole(ToldStories told, MlaForm form)
    {
        using LatentCache<LongStoryAttention> cache = new(ToldStories.Model.Config.AttentionLayers, 1024);
        using LatentSequence sequence = cache.CreateSequence();
        using MlaExecutor executor = new(1);
        using MlaBatch<LongStoryAttention> batch = cache.CreateBatch(executor);
        batch.Form = form;
        foreach (int tokens in told.Scores[0].Keys)
        {
            float[] scores = new float[ToldStories.Model.Config.VocabularySize];
            int fed = sequence.Length;
            batch.Add(sequence, tokens - fed);
            ToldStories.Model.Forward(batch, told.Tokens[0].AsSpan(fed, tokens - fed), [tokens - fed - 1], scores);
            batch.Commit();
            yield return scores;
        }
    }

    private static float[] Normal(Random random, int count, double deviation)
        => [.. Enumerable.Range(0, count).Select(_ => (float)(deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];

    private static SegmentRequest Request(long attempt, int layer, int length, int story = 0)
    {
        float[] queries = [.. Enumerable.Range(0, LongStoryAttention.Heads * LongStoryAttention.CacheRowElements).Select(static i => MathF.Sin(i))];
        float[] rows = [.. Enumerable.Range(0, LongStoryAttention.CacheRowElements).Select(static i => MathF.Cos(i))];
        return new SegmentRequest
        {
            Attempt = attempt,
            Layer = layer,
            Entries = layer == 0 ? [new SegmentEntry(story, length, 1, Grows: true)] : null,
            Queries = new Numbers(queries, WireFormat.Float32),
            Rows = new Numbers(rows, WireFormat.Float32),
        };
    }

    /// <summary>Length of the difference, as a part of the length of what is expected.</summary>
    private static double Distance(float[] found, float[] expected)
        => Math.Sqrt(found.Zip(expected).Sum(static pair => Math.Pow(pair.First - (double)pair.Second, 2)) / expected.Sum(static value => (double)value * value));

    /// <summary>How far scores are from others: all together, and token by token.</summary>
    private sealed class Distances(float[][] found, float[][] expected)
    {
        private readonly double[] _tokens = [.. found.Zip(expected).Select(static pair => Distance(pair.First, pair.Second)).Order()];

        public double All { get; } = Distance([.. found.SelectMany(static scores => scores)], [.. expected.SelectMany(static scores => scores)]);

        public double NineInTen => _tokens[_tokens.Length * 9 / 10];

        public double Worst => _tokens[^1];

        public override string ToString() => FormattableString.Invariant($"all together {All:E1}, median token {_tokens[_tokens.Length / 2]:E1}, nine in ten {NineInTen:E1}, worst {Worst:E1}");
    }
}
