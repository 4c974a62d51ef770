using System.Diagnostics;
using System.Text.Json;
using Cluster.Grains;
using Cluster.Hosting;
using Cluster.Segments;
using Cluster.Telling;
using Samples;

namespace MlaGen.Cluster.Tests;

/// <summary>Silos that are killed or hang, storage that is gone, a list of members that is away.</summary>
public sealed class FaultTests(FaultTests.Pair pair) : IClassFixture<FaultTests.Pair>
{
    private const string Prompt = "Once upon a time";
    private const int Chunk = 64;

    private readonly List<string> _failures = [];
    private readonly string _stories = Guid.NewGuid().ToString("N");

    /// <summary>Both at once leave no silo that could be asked about the other.</summary>
    [Theory]
    [InlineData("silo 1")]
    [InlineData("silo 1", "silo 2")]
    public void Silos_that_are_killed_change_nothing(params string[] killed)
    {
        ToldStories expected = Local(pair.Options, 120);
        Array.ForEach(["silo 1", "silo 2"], silo => pair.Cluster.Running(silo).Dispose());
        bool done = false;
        ToldStories found = Tell(pair.Cluster, pair.Options, 120, story =>
        {
            if (story.Cached == 90 && !done)
            {
                done = true;
                Array.ForEach(killed, pair.Cluster.Kill);
            }
        });

        Assert.NotEmpty(_failures);
        Assert.Equal(expected.Tokens, found.Tokens);
    }

    /// <summary>For less than a call waits.</summary>
    [Fact]
    public async Task A_silo_that_hangs_for_a_moment_changes_nothing()
    {
        await TellBesideHanging(_ => Task.Delay(TimeSpan.FromSeconds(1)));
        Assert.Empty(_failures);
    }

    /// <summary>The story is told without it: declared dead by then, it finds that out when it goes on, ends, and is started anew.</summary>
    [ClusterFaultsFact]
    [Trait("Category", "ClusterFaults")]
    public async Task A_silo_that_hangs_to_the_end_changes_nothing()
    {
        using Process silo = pair.Cluster.Running("silo 1");
        await TellBesideHanging(static told => told);
        Assert.NotEmpty(_failures);
        Assert.True(pair.Cluster.IsReplaced("silo 1", silo.Id));
    }

    /// <summary>The first segment is full and saved; then its silo and its file go.</summary>
    [Fact]
    public void A_segment_that_is_lost_twice_is_said_to_be()
    {
        bool done = false;
        UserException problem = Assert.Throws<UserException>(() => Tell(pair.Cluster, pair.Options, 120, story =>
        {
            if (story.Cached == 90 && !done)
            {
                done = true;
                File.Delete(SegmentGrain.FileOf(pair.Options.Directory!, _stories, 0));
                pair.Cluster.Kill(pair.Cluster.Segments(_stories).FindAsync(0).GetAwaiter().GetResult().Silo);
            }
        }));

        Assert.Contains("segment 0 (tokens 0 to 31) was saved", problem.Message, StringComparison.Ordinal);
        Assert.Contains($"--resume {pair.Options.Directory}", problem.Message, StringComparison.Ordinal);
    }

    /// <summary>The cluster that it waits to be taken into is not there.</summary>
    [Fact]
    public async Task A_silo_ends_with_its_starter_before_it_is_a_member()
    {
        SiloOptions options = ClusterSession.Local(ToldStories.Options(32), Placement.Spread, threads: 1, deadline: 3, redis: null) with { Port = ClusterSession.FreePort() };
        ProcessStartInfo start = new("dotnet", [Path.Combine(AppContext.BaseDirectory, "Cluster.dll"), "silo"]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        using Process silo = Process.Start(start)!;
        try
        {
            await silo.StandardInput.WriteLineAsync(JsonSerializer.Serialize(options));
            await silo.StandardInput.FlushAsync();
            await Task.Delay(TimeSpan.FromSeconds(1));
            Assert.False(silo.HasExited);
            silo.StandardInput.Close();
            Assert.True(silo.WaitForExit(TimeSpan.FromSeconds(20)));
        }
        finally
        {
            silo.Kill();
        }
    }

    [ClusterFaultsFact]
    [Trait("Category", "ClusterFaults")]
    public async Task A_long_story_survives_twenty_killed_silos_and_its_list_of_members_away()
    {
        const int Tokens = 2000;
        const int Kills = 20;
        SegmentOptions options = ToldStories.Options(128, directory: pair.Options.Directory);
        ToldStories expected = Local(options, Tokens);

        int port = ClusterSession.FreePort();
        string data = Path.Combine(pair.Options.Directory!, "redis");
        RedisServer redis = await RedisServer.StartAsync(data, port);
        try
        {
            await using WatchedCluster cluster = await WatchedCluster.StartAsync(3, options, redis.Address);
            int seed = Environment.TickCount;
            Random random = new(seed);
            HashSet<int> moments = Moments(random, Kills, Tokens - 300);
            Task? away = null;
            ToldStories found = Tell(cluster, options, Tokens, story =>
            {
                if (story.Cached == Tokens - 200)
                {
                    away ??= Task.Run(async () =>
                    {
                        redis.Dispose();
                        await Task.Delay(TimeSpan.FromSeconds(10));
                        redis = await RedisServer.StartAsync(data, port);
                    });
                }

                // The end of the story must not come before the end of the pause: a step takes a tenth of a second there.
                if (story.Cached > Tokens - 200)
                {
                    Thread.Sleep(100);
                }

                if (moments.Remove(story.Cached))
                {
                    cluster.Kill($"silo {random.Next(3) + 1}");
                }
            });

            await away!;
            Assert.Empty(moments);
            AssertTold(expected, found, seed);
        }
        finally
        {
            redis.Dispose();
        }
    }

    [ClusterFaultsFact]
    [Trait("Category", "ClusterFaults")]
    public async Task A_long_story_survives_ten_silos_that_hang()
    {
        const int Tokens = 2000;
        const int Hangs = 10;
        SegmentOptions options = ToldStories.Options(128, directory: pair.Options.Directory);
        ToldStories expected = Local(options, Tokens);
        await using WatchedCluster cluster = await WatchedCluster.StartAsync(3, options);
        int seed = Environment.TickCount;
        Random random = new(seed);
        HashSet<int> moments = Moments(random, Hangs, Tokens - 100);
        List<Task> hanging = [];
        ToldStories found = Tell(cluster, options, Tokens, story =>
        {
            if (moments.Remove(story.Cached))
            {
                hanging.Add(cluster.HangAsync($"silo {random.Next(3) + 1}", Task.Delay(TimeSpan.FromSeconds(random.NextDouble() * 8))));
            }
        });

        await Task.WhenAll(hanging);
        Assert.Equal(Hangs, hanging.Count);
        AssertTold(expected, found, seed);
    }

    private static HashSet<int> Moments(Random random, int count, int end)
    {
        HashSet<int> moments = [];
        while (moments.Count < count)
        {
            moments.Add(random.Next(20, end));
        }

        return moments;
    }

    private static ToldStories Local(SegmentOptions options, int tokens) => ToldStories.Local(options, Chunk, ToldStories.Story(Prompt, tokens));

    /// <summary>Tells a story while a silo hangs, until what is made of the end of the story.</summary>
    private async Task TellBesideHanging(Func<Task, Task> end)
    {
        ToldStories expected = Local(pair.Options, 120);
        TaskCompletionSource told = new();
        Task? hanging = null;
        ToldStories found = Tell(pair.Cluster, pair.Options, 120, story =>
        {
            if (story.Cached == 90)
            {
                hanging ??= pair.Cluster.HangAsync("silo 1", end(told.Task));
            }
        });

        told.SetResult();
        await hanging!;
        Assert.Equal(expected.Tokens, found.Tokens);
    }

    /// <summary>Tells a story, and does something after each step.</summary>
    private ToldStories Tell(WatchedCluster cluster, SegmentOptions options, int tokens, Action<ClusterStory> onStep)
    {
        ClusterStory story = ToldStories.Story(Prompt, tokens);
        return ToldStories.Tell(cluster.Segments(_stories), options, Chunk, [story], _ => onStep(story), _failures.Add);
    }

    private void AssertTold(ToldStories expected, ToldStories found, int seed)
        => Assert.True(expected.Tokens[0].AsSpan().SequenceEqual(found.Tokens[0]), $"seed {seed}: {string.Join(Environment.NewLine, _failures)}");

    /// <summary>Two silos that all short tests share.</summary>
    public sealed class Pair : IAsyncLifetime
    {
        private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("mlagen-cluster-test-");

        internal SegmentOptions Options => ToldStories.Options(32, directory: _directory.FullName);

        internal WatchedCluster Cluster { get; private set; } = null!;

        public async Task InitializeAsync() => Cluster = await WatchedCluster.StartAsync(2, Options);

        public async Task DisposeAsync()
        {
            await Cluster.DisposeAsync();
            _directory.Delete(recursive: true);
        }
    }
}
