using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Cluster.Grains;
using Cluster.Hosting;
using Cluster.Segments;

namespace MlaGen.Cluster.Tests;

/// <summary>A cluster whose silos are killed and stopped by their names, and come back.</summary>
internal sealed class WatchedCluster : IAsyncDisposable
{
    /// <summary>Seconds that a call waits.</summary>
    public const int Deadline = 3;

    private readonly ConcurrentDictionary<string, int> _processes = new();
    private ClusterSession _session = null!;

    public static async Task<WatchedCluster> StartAsync(int silos, SegmentOptions options, string? redis = null)
    {
        WatchedCluster cluster = new();
        cluster._session = await ClusterSession.StartAsync(silos, ClusterSession.Local(options, Placement.Spread, threads: 1, Deadline, redis), redis: null, cluster.Take);
        return cluster;
    }

    public GrainSegments Segments(string stories) => _session.Segments(stories);

    /// <summary>The process of a silo; one that is dead has to come back first.</summary>
    public Process Running(string silo)
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

    public void Kill(string silo)
    {
        using Process process = Running(silo);
        _processes[silo] = 0;
        process.Kill();
    }

    /// <summary>Stops a silo, which keeps its memory and its connections, and lets it go on in the end.</summary>
    public async Task HangAsync(string silo, Task end)
    {
        using Process process = Running(silo);
        Processes.Signal(process.Id, "STOP");
        await end;
        if (!process.HasExited)
        {
            Processes.Signal(process.Id, "CONT");
        }
    }

    /// <summary>Waits until another process is the silo.</summary>
    public bool IsReplaced(string silo, int process) => SpinWait.SpinUntil(() => _processes[silo] != process, TimeSpan.FromSeconds(30));

    public async ValueTask DisposeAsync() => await _session.DisposeAsync();

    private void Take(string line)
    {
        if (line.Split(": process ") is [string name, string process])
        {
            _processes[name] = int.Parse(process, CultureInfo.InvariantCulture);
        }
    }
}
