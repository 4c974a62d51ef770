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
    /// <summary>Between two attempts at what did not go.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    private readonly IHost _host;
    private readonly SiloOptions _options;
    private readonly RedisServer? _redis;
    private readonly Action<string>? _tell;
    private readonly Func<int, (string Address, string[] Prefix)> _placeOf;
    private readonly CancellationTokenSource _ending = new();
    private readonly List<Task> _keeping = [];

    private ClusterSession(IHost host, SiloOptions options, RedisServer? redis, Action<string>? tell, Func<int, (string Address, string[] Prefix)> placeOf)
    {
        _host = host;
        _options = options;
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
        ClusterSession session = new(host, options, redis, tell, placeOf ?? (_ => (options.Address, [])));
        try
        {
            await host.StartAsync();
            await session.AddSilosAsync(silos);
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

    /// <summary>
    /// Starts more silos, for the segments that are activated from then on. One after the other: of several that write themselves to the list of
    /// members at the same time all but one wait for seconds.
    /// </summary>
    public async Task AddSilosAsync(int count)
    {
        for (int i = 0; i < count; i++)
        {
            int index = _keeping.Count;
            _keeping.Add(KeepAsync(index, await StartSiloAsync(index)));
        }
    }

    /// <summary>Where segments are laid that are activated from now on.</summary>
    public Placement Placement
    {
        set => _host.Services.GetRequiredService<SegmentPlacementDirector>().Placement = value;
    }

    /// <summary>The segments of a group of stories.</summary>
    public GrainSegments Segments(string stories) => new(_host.Services.GetRequiredService<IGrainFactory>(), stories);

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await Task.WhenAll(_keeping);

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

    private async Task<SiloProcess> StartSiloAsync(int index)
    {
        (string address, string[] prefix) = _placeOf(index);
        SiloProcess silo = await SiloProcess.StartAsync(_options with { Name = $"silo {index + 1}", Address = address, Port = FreePort() }, prefix, _ending.Token);
        _tell?.Invoke(string.Create(CultureInfo.InvariantCulture, $"silo {index + 1}: process {silo.Id}"));
        return silo;
    }

    /// <summary>Starts a silo anew whenever it has ended, and ends it with the session.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "Without its list of members a cluster takes nobody in: it is tried again as long as the session lasts.")]
    private async Task KeepAsync(int index, SiloProcess silo)
    {
        while (!_ending.IsCancellationRequested)
        {
            try
            {
                await silo.WaitForEndAsync(_ending.Token);
                await DeclareDeadAsync(silo.Options);
                SiloProcess next = await StartSiloAsync(index);
                silo.Dispose();
                silo = next;
            }
            catch (Exception) when (_ending.IsCancellationRequested)
            {
                break;
            }
            catch (Exception problem)
            {
                _tell?.Invoke($"silo {index + 1} does not start: {problem.Message}");
                await Task.WhenAny(Task.Delay(Pause, _ending.Token));
            }
        }

        silo.Dispose();
    }

    /// <summary>
    /// Whose process has ended is dead, whatever probes find out and when: its segments are laid elsewhere at once. To ask for that is not enough:
    /// when somebody else writes to the list of members at the same time, what was asked for is dropped.
    /// </summary>
    private async Task DeclareDeadAsync(SiloOptions silo)
    {
        IClusterMembershipService members = _host.Services.GetRequiredService<IClusterMembershipService>();
        IPEndPoint place = new(IPAddress.Parse(silo.Address), silo.Port);

        // It may have ended before it was heard of here.
        await members.Refresh();
        while (members.CurrentSnapshot.Members.Values.FirstOrDefault(member => member.SiloAddress.Endpoint.Equals(place) && member.Status != SiloStatus.Dead) is { } alive)
        {
            await members.TryKill(alive.SiloAddress);
            await Task.Delay(Pause, _ending.Token);
        }
    }
}
