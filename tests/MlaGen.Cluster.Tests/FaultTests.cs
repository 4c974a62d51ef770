using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Cluster.Grains;
using Cluster.Hosting;
using Cluster.Segments;
using Cluster.Telling;
using Samples;

namespace MlaGen.Cluster.Tests;

/// <summary>Silos that are killed or hang, storage that is gone, a list of members that is away.</summary>
public sealed class FaultTests : IDisposable
{
    private const string Prompt = "Once upon a time";
    private const int Chunk = 64;
    private const int Deadline = 3;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("mlagen-cluster-test-");
    private readonly ConcurrentDictionary<string, int> _processes = new();
    private readonly List<string> _failures = [];
    private int _kills;

    public void Dispose() => _directory.Delete(recursive: true);

    /// <summary>Both at once leave no silo that could be asked about the other.</summary>
    [Theory]
    [InlineData("silo 1")]
    [InlineData("silo 1", "silo 2")]
    public async Task Silos_that_are_killed_change_nothing(params string[] killed)
    {
        SegmentOptions options = ToldStories.Options(32, directory: _directory.FullName);
        ToldStories expected = ToldStories.Local(options, Chunk, ToldStories.Story(Prompt, 120));
        await using ClusterSession session = await Start(2, options);
        ToldStories found = Tell(session, options, 120, story => story.Cached == 90 && _kills == 0 ? killed : []);

        Assert.Equal(killed.Length, _kills);
        Assert.NotEmpty(_failures);
        Assert.Equal(expected.Tokens, found.Tokens);
    }

    /// <summary>For less than a call waits; and until the story is told without it: declared dead by then, it finds that out, ends, and is started anew.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_silo_that_hangs_changes_nothing(bool toTheEnd)
    {
        SegmentOptions options = ToldStories.Options(32, directory: _directory.FullName);
        ToldStories expected = ToldStories.Local(options, Chunk, ToldStories.Story(Prompt, 120));
        await using ClusterSession session = await Start(2, options);
        int silo = _processes["silo 1"];
        TaskCompletionSource told = new();
        Task? hanging = null;
        ToldStories found = Tell(session, options, 120, story =>
        {
            if (story.Cached == 90)
            {
                hanging ??= HangAsync("silo 1", toTheEnd ? told.Task : Task.Delay(TimeSpan.FromSeconds(1)));
            }

            return [];
        });

        told.SetResult();
        await hanging!;
        Assert.Equal(expected.Tokens, found.Tokens);
        Assert.Equal(toTheEnd, _failures.Count > 0);
        Assert.True(!toTheEnd || SpinWait.SpinUntil(() => _processes["silo 1"] != silo, TimeSpan.FromSeconds(30)));
    }

    /// <summary>The first segment is full and saved; then its silo and its file go.</summary>
    [Fact]
    public async Task A_segment_that_is_lost_twice_is_said_to_be()
    {
        SegmentOptions options = ToldStories.Options(32, directory: _directory.FullName);
        await using ClusterSession session = await Start(1, options);
        UserException problem = Assert.Throws<UserException>(() => Tell(session, options, 120, story =>
        {
            if (story.Cached != 90)
            {
                return [];
            }

            File.Delete(SegmentGrain.FileOf(_directory.FullName, "told", 0));
            return ["silo 1"];
        }));

        Assert.Contains("segment 0 (tokens 0 to 31) was saved", problem.Message, StringComparison.Ordinal);
        Assert.Contains($"--resume {_directory.FullName}", problem.Message, StringComparison.Ordinal);
    }

    /// <summary>The cluster that it waits to be taken into is not there.</summary>
    [Fact]
    public async Task A_silo_ends_with_its_starter_before_it_is_a_member()
    {
        SiloOptions options = ClusterSession.Local(ToldStories.Options(32), Placement.Spread, threads: 1, Deadline, redis: null) with { Port = ClusterSession.FreePort() };
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
        SegmentOptions options = ToldStories.Options(128, directory: _directory.FullName);
        ToldStories expected = ToldStories.Local(options, Chunk, ToldStories.Story(Prompt, Tokens));

        int port = ClusterSession.FreePort();
        string data = Path.Combine(_directory.FullName, "redis");
        RedisServer redis = await RedisServer.StartAsync(data, port);
        try
        {
            await using ClusterSession session = await Start(3, options, redis.Address);
            int seed = Environment.TickCount;
            Random random = new(seed);
            HashSet<int> moments = Moments(random, Kills, Tokens - 300);
            Task away = Task.CompletedTask;
            ToldStories found = Tell(session, options, Tokens, story =>
            {
                if (story.Cached == Tokens - 200)
                {
                    away = Task.Run(async () =>
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

                return moments.Remove(story.Cached) ? [$"silo {random.Next(3) + 1}"] : [];
            });

            await away;
            Assert.Empty(moments);
            Assert.Equal(Kills, _kills);
            Assert.True(expected.Tokens[0].AsSpan().SequenceEqual(found.Tokens[0]), $"seed {seed}: {string.Join(Environment.NewLine, _failures)}");
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
        SegmentOptions options = ToldStories.Options(128, directory: _directory.FullName);
        ToldStories expected = ToldStories.Local(options, Chunk, ToldStories.Story(Prompt, Tokens));
        await using ClusterSession session = await Start(3, options);
        int seed = Environment.TickCount;
        Random random = new(seed);
        HashSet<int> moments = Moments(random, Hangs, Tokens - 100);
        List<Task> hanging = [];
        ToldStories found = Tell(session, options, Tokens, story =>
        {
            if (moments.Remove(story.Cached))
            {
                hanging.Add(HangAsync($"silo {random.Next(3) + 1}", Task.Delay(TimeSpan.FromSeconds(random.NextDouble() * 8))));
            }

            return [];
        });

        await Task.WhenAll(hanging);
        Assert.Equal(Hangs, hanging.Count);
        Assert.True(expected.Tokens[0].AsSpan().SequenceEqual(found.Tokens[0]), $"seed {seed}: {string.Join(Environment.NewLine, _failures)}");
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

    private Task<ClusterSession> Start(int silos, SegmentOptions options, string? redis = null)
        => ClusterSession.StartAsync(silos, ClusterSession.Local(options, Placement.Spread, threads: 1, Deadline, redis), redis: null, line =>
        {
            if (line.Split(": process ") is [string name, string process])
            {
                _processes[name] = int.Parse(process, CultureInfo.InvariantCulture);
            }
        });

    /// <summary>Tells a story and kills silos whenever the story says so.</summary>
    private ToldStories Tell(ClusterSession session, SegmentOptions options, int tokens, Func<ClusterStory, string[]> kills)
    {
        ClusterStory story = ToldStories.Story(Prompt, tokens);
        return ToldStories.Tell(
            session.Segments("told"),
            options,
            Chunk,
            [story],
            _ => Array.ForEach(kills(story), Kill),
            _failures.Add);
    }

    /// <summary>Kills a silo; one that is dead already has to come back first.</summary>
    private void Kill(string silo)
    {
        using (Process process = Running(silo))
        {
            _processes[silo] = 0;
            process.Kill();
        }

        _kills++;
    }

    /// <summary>Stops a silo, which keeps its memory and its connections, and lets it go on in the end.</summary>
    private async Task HangAsync(string silo, Task end)
    {
        using Process process = Running(silo);
        Processes.Signal(process.Id, "STOP");
        await end;
        if (!process.HasExited)
        {
            Processes.Signal(process.Id, "CONT");
        }
    }

    private Process Running(string silo)
    {
        Process? found = null;
        Assert.True(SpinWait.SpinUntil(
            () =>
            {
                try
                {
                    // 0 until it has been started anew: no process that is killed has that number.
                    found = _processes[silo] is > 0 and int id ? Process.GetProcessById(id) : throw new ArgumentException(silo);
                    return true;
                }
                catch (ArgumentException)
                {
                    Thread.Sleep(100);
                    return false;
                }
            },
            TimeSpan.FromMinutes(1)));
        return found!;
    }
}
