using System.Net;
using Cluster.Grains;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MlaGen;
using Orleans.Configuration;
using Orleans.Hosting;
using StackExchange.Redis;

namespace Cluster.Hosting;

/// <summary>A silo in this process: one that holds segments, or the coordinator's, which calls those of others and so is a member like them.</summary>
internal static class SiloHost
{
    /// <param name="options">What it is told.</param>
    /// <param name="holdsSegments">Whether segments may be laid here.</param>
    public static IHost Create(SiloOptions options, bool holdsSegments)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.SetMinimumLevel(LogLevel.None);
        builder.Services.AddSingleton(options.Segments);
        builder.Services.AddSingleton(_ => new MlaExecutor(options.Threads));
        builder.UseOrleans(silo => Configure(silo, options, holdsSegments));
        return builder.Build();
    }

    private static void Configure(ISiloBuilder silo, SiloOptions options, bool holdsSegments)
    {
        silo.Configure<ClusterOptions>(cluster => (cluster.ClusterId, cluster.ServiceId) = (options.Cluster, "segments"));
        silo.Configure<Orleans.Configuration.SiloOptions>(self => self.SiloName = options.Name);
        silo.ConfigureEndpoints(IPAddress.Parse(options.Address), options.Port, gatewayPort: 0, listenOnAnyHostAddress: false);
        silo.Configure<SiloMessagingOptions>(messaging => messaging.ResponseTimeout = messaging.SystemResponseTimeout = TimeSpan.FromSeconds(options.Deadline));
        silo.Configure<ClusterMembershipOptions>(membership => Watch(membership, declares: !holdsSegments));
        silo.Services.AddSingleton(new SegmentPlacementDirector { Placement = options.Placement });
        silo.AddPlacementDirector<SegmentPlacementStrategy>(static services => services.GetRequiredService<SegmentPlacementDirector>());
        if (options.Redis is { } redis)
        {
            silo.UseRedisClustering(clustering => clustering.ConfigurationOptions = Redis(redis));
        }
        else
        {
            silo.UseDevelopmentClustering(IPEndPoint.Parse(options.Primary!));
        }

        if (!holdsSegments)
        {
            silo.Configure<GrainTypeOptions>(static types => types.Classes.Remove(typeof(SegmentGrain)));
        }
    }

    /// <summary>
    /// A silo that cannot be reached any more is to be known as dead in seconds. One that is only slow for so long is, too, and ends. The coordinator
    /// alone decides that, and by its own probes: it is the one that calls segments, and a silo that another would vouch by may be dead as well.
    /// </summary>
    private static void Watch(ClusterMembershipOptions membership, bool declares)
    {
        membership.LivenessEnabled = declares;
        membership.EnableIndirectProbes = false;
        membership.ProbeTimeout = TimeSpan.FromSeconds(1);
        membership.NumMissedProbesLimit = 3;
        membership.NumVotesForDeathDeclaration = 1;
        membership.TableRefreshTimeout = TimeSpan.FromSeconds(5);
    }

    private static ConfigurationOptions Redis(string address)
    {
        var options = ConfigurationOptions.Parse(address);

        // A server that is away for a while is waited for.
        options.AbortOnConnectFail = false;
        return options;
    }
}
