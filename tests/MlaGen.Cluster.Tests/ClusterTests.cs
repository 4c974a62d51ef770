using Cluster.Grains;
using Cluster.Hosting;
using Cluster.Planning;
using Cluster.Segments;
using Cluster.Telling;

namespace MlaGen.Cluster.Tests;

/// <summary>Segments on silos that are processes of their own.</summary>
public sealed class ClusterTests
{
    private const string Prompt = "Once upon a time";
    private const int Chunk = 64;

    [Theory]
    [InlineData(1, "Packed")]
    [InlineData(2, "Spread")]
    [InlineData(3, "Scattered")]
    [InlineData(5, "Spread")]
    public async Task Stories_and_scores_are_those_of_one_process_bit_for_bit(int silos, string placement)
    {
        SegmentOptions options = ToldStories.Options(16, stories: 2);
        ToldStories expected = ToldStories.Local(options, Chunk, Stories());
        await using ClusterSession session = await Start(silos, options, Enum.Parse<Placement>(placement));
        GrainSegments segments = session.Segments("told");
        ToldStories found = ToldStories.Tell(segments, options, Chunk, Stories());

        ToldStories.AssertSame(expected, found);
        HashSet<string> places = [];
        for (int segment = 0; segment < 5; segment++)
        {
            places.Add((await segments.FindAsync(segment)).Silo);
        }

        Assert.Equal(placement == "Packed" ? 1 : Math.Min(silos, places.Count), places.Count);
        Assert.DoesNotContain("coordinator", places);
        Assert.True(placement != "Spread" || places.Count == silos);

        static ClusterStory[] Stories() => [ToldStories.Story(Prompt, 80), ToldStories.Story("The fox", 60, seed: 1)];
    }

    [Theory]
    [InlineData("Float32")]
    [InlineData("BFloat16")]
    public async Task Bytes_on_the_wire_are_those_of_the_formula_within_a_twentieth(string wire)
    {
        const int Segments = 3;
        const int Tokens = 100;
        SegmentOptions options = ToldStories.Options(160, wire: Enum.Parse<WireFormat>(wire));
        await using ClusterSession session = await Start(Segments, options, Placement.Spread);
        using WireMeter meter = new();
        long start = 0;
        ClusterStory story = ToldStories.Story(Prompt, 450);
        ToldStories.Tell(session.Segments("counted"), options, Chunk, [story], _ =>
        {
            // From here on three segments take part in every token.
            if (story.Cached == 350)
            {
                start = meter.Bytes;
            }
            else if (story.Cached == 350 + Tokens)
            {
                start = meter.Bytes - start;
            }
        });

        double found = (double)start / Tokens / options.Layers;
        LinkPlan plan = new(PlannedModel.All.Single(static model => model.Name == "story"), Segments, options.Wire, 1e9, 0, 1e9);
        Assert.InRange(found / plan.Bytes, 0.95, 1.05);
    }

    private static Task<ClusterSession> Start(int silos, SegmentOptions options, Placement placement)
        => ClusterSession.StartAsync(silos, ClusterSession.Local(options, placement, threads: 1, deadline: 3, redis: null));
}
