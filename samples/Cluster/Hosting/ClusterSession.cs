using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Cluster.Grains;
using Cluster.Segments;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Cluster.Hosting;

/// <summary>A cluster on this machine: the coordinator's silo in this process, and others in processes that it starts, and starts anew when they end.</summary>
internal sealed class ClusterSession : IAsyncDisposable
{
    private readonly IHost _host;
    private readonly SiloOptions _options;
    private readonly SiloProcess[] _silos;
    private readonly RedisServer? _redis;
    private readonly Action<string>? _tell;
    private readonly Func<int, (string Address, string[] Prefix)> _placeOf;
    private readonly CancellationTokenSource _ending = new();
    private Task _watching = Task.CompletedTask;

    private ClusterSession(IHost host, SiloOptions options, SiloProcess[] silos, RedisServer? redis, Action<string>? tell, Func<int, (string Address, string[] Prefix)> placeOf)
    {
        _host = host;
        _options = options;
        _silos = silos;
        _redis = redis;
        _tell = tell;
        _placeOf = placeOf;
    }

    /// <summary>Starts coordinator and silos.</summary>
    /// <param name="silos">Silos that hold segments.</param>
    /// <param name="options">What the coordinator's silo is told; others the same but for name and port.</param>
    /// <param name="redis">A server that ends with the session, if it was started for it.</param>
    /// <param name="tell">Told what processes start.</param>
    /// <param name="placeOf">Where a silo listens, and what stands before its program; left out, at the coordinator's address.</param>
    public static async Task<ClusterSession> StartAsync(
        int silos,
        SiloOptions options,
        RedisServer? redis = null,
        Action<string>? tell = null,
        Func<int, (string Address, string[] Prefix)>? placeOf = null)
    {
        IHost host = SiloHost.Create(options, holdsSegments: false);
        ClusterSession session = new(host, options, new SiloProcess[silos], redis, tell, placeOf ?? (_ => (options.Address, [])));
        try
        {
            await host.StartAsync();
            await Task.WhenAll(Enumerable.Range(0, silos).Select(session.StartSiloAsync));
            session._watching = Task.WhenAll(Enumerable.Range(0, silos).Select(session.WatchAsync));
            return session;
        }
        catch
        {
            await session.DisposeAsync();
            throw;
        }
    }

    /// <summary>Options of a coordinator on this machine.</summary>
    public static SiloOptions Local(SegmentOptions segments, Placement placement, int threads, double deadline, string? redis)
    {
        int port = FreePort();
        string name = Guid.NewGuid().ToString("N");
        return new SiloOptions("coordinator", name, "127.0.0.1", port, string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}"), redis, segments, placement, threads, deadline);
    }

    /// <summary>A port of this machine that nobody listens at.</summary>
    public static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>The segments of a group of stories.</summary>
    public GrainSegments Segments(string stories) => new(_host.Services.GetRequiredService<IGrainFactory>(), stories);

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _watching;
        foreach (SiloProcess? silo in _silos)
        {
            silo?.Dispose();
        }

        // A silo that ends in order takes leave of the others, who are gone already.
        await EndAsync(_host);
        _redis?.Dispose();
        _ending.Dispose();
    }

    [SuppressMessage("Design", "CA1031", Justification = "What an end cannot do in order is not done.")]
    private static async Task EndAsync(IHost host)
    {
        try
        {
            using CancellationTokenSource soon = new(TimeSpan.FromSeconds(1));
            await host.StopAsync(soon.Token);
        }
        catch (Exception)
        {
            // The process ends, or its tests go on: nobody waits for it.
        }

        host.Dispose();
    }

    private async Task StartSiloAsync(int index)
    {
        (string address, string[] prefix) = _placeOf(index);
        SiloProcess silo = await SiloProcess.StartAsync(_options with { Name = $"silo {index + 1}", Address = address, Port = FreePort() }, prefix, _ending.Token);
        _silos[index]?.Dispose();
        _silos[index] = silo;
        _tell?.Invoke(string.Create(CultureInfo.InvariantCulture, $"silo {index + 1}: process {silo.Id}"));
    }

    /// <summary>Starts a silo anew whenever it has ended.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "Without its list of members a cluster takes nobody in: it is tried again as long as the session lasts.")]
    private async Task WatchAsync(int index)
    {
        while (!_ending.IsCancellationRequested)
        {
            try
            {
                await _silos[index].WaitForEndAsync(_ending.Token);
                await DeclareDeadAsync(_silos[index].Options);
                await StartSiloAsync(index);
            }
            catch (Exception) when (_ending.IsCancellationRequested)
            {
                return;
            }
            catch (Exception problem)
            {
                _tell?.Invoke($"silo {index + 1} does not start: {problem.Message}");
                await Task.WhenAny(Task.Delay(200, _ending.Token));
            }
        }
    }

    /// <summary>Whose process has ended is dead, whatever probes find out and when: its segments are laid elsewhere at once.</summary>
    private async Task DeclareDeadAsync(SiloOptions silo)
    {
        IClusterMembershipService members = _host.Services.GetRequiredService<IClusterMembershipService>();
        IPEndPoint place = new(IPAddress.Parse(silo.Address), silo.Port);
        foreach (ClusterMember member in members.CurrentSnapshot.Members.Values)
        {
            if (member.SiloAddress.Endpoint.Equals(place) && member.Status != SiloStatus.Dead)
            {
                await members.TryKill(member.SiloAddress);
            }
        }
    }
}
