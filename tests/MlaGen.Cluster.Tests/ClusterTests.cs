using Cluster.Grains;
using Cluster.Hosting;
using Cluster.Planning;
using Cluster.Segments;
using Cluster.Telling;

namespace MlaGen.Cluster.Tests;

/// <summary>Segments on silos that are processes of their own.</summary>
public sealed class ClusterTests(ClusterTests.Growing cluster) : IClassFixture<ClusterTests.Growing>
{
    private const string Prompt = "Once upon a time";
    private const int Chunk = 64;

    private static readonly SegmentOptions _options = ToldStories.Options(16, stories: 2);

    [Fact]
    public async Task Stories_and_scores_are_those_of_one_process_bit_for_bit()
    {
        ToldStories expected = ToldStories.Local(_options, Chunk, Stories());
        foreach ((int silos, Placement placement) in new[] { (1, Placement.Spread), (2, Placement.Spread), (3, Placement.Scattered), (3, Placement.Packed), (5, Placement.Spread) })
        {
            ClusterSession session = await cluster.GrowAsync(silos);
            session.Placement = placement;
            GrainSegments segments = session.Segments($"told {silos} {placement}");
            ToldStories.AssertSame(expected, ToldStories.Tell(segments, _options, Chunk, Stories()));

            HashSet<string> places = [];
            for (int segment = 0; segment < 5; segment++)
            {
                places.Add((await segments.FindAsync(segment)).Silo);
            }

            Assert.DoesNotContain("coordinator", places);
            Assert.InRange(places.Count, placement == Placement.Spread ? silos : 1, placement == Placement.Packed ? 1 : silos);
        }

        static ClusterStory[] Stories() => [ToldStories.Story(Prompt, 80), ToldStories.Story("The fox", 60, seed: 1)];
    }

    /// <summary>One segment more takes part every sixteen tokens.</summary>
    [Theory]
    [InlineData("Float32")]
    [InlineData("BFloat16")]
    public async Task Bytes_on_the_wire_are_those_of_the_formula_within_a_twentieth(string wire)
    {
        SegmentOptions options = _options with { Wire = Enum.Parse<WireFormat>(wire) };
        ClusterSession session = await cluster.GrowAsync(1);
        using WireMeter meter = new();
        ClusterStory story = ToldStories.Story(Prompt, 100);
        long start = 0;
        long planned = 0;
        ToldStories.Tell(session.Segments($"counted {wire}"), options, Chunk, [story], _ =>
        {
            if (start == 0)
            {
                // The prompt is fed; from here on every step is one token.
                start = meter.Bytes;
                return;
            }

            int segments = ((story.Cached - 1) / options.Tokens) + 1;
            planned += options.Layers * new LinkPlan(PlannedModel.Story, segments, options.Wire, 1e9, 0, 1e9).Bytes;
        });

        Assert.InRange((double)(meter.Bytes - start) / planned, 0.95, 1.05);
    }

    /// <summary>One cluster for all tests, to which silos are added as they need them.</summary>
    public sealed class Growing : IAsyncLifetime
    {
        private ClusterSession _session = null!;
        private int _silos = 1;

        public async Task InitializeAsync()
            => _session = await ClusterSession.StartAsync(_silos, ClusterSession.Local(_options, Placement.Spread, threads: 1, deadline: 3, redis: null));

        public async Task DisposeAsync() => await _session.DisposeAsync();

        /// <summary>The cluster, with at least so many silos.</summary>
        internal async Task<ClusterSession> GrowAsync(int silos)
        {
            await _session.AddSilosAsync(Math.Max(silos - _silos, 0));
            _silos = Math.Max(silos, _silos);
            return _session;
        }
    }
}
