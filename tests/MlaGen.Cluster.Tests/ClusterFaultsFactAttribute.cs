using Cluster.Hosting;

namespace MlaGen.Cluster.Tests;

/// <summary>Runs for minutes, in which silos are killed and a Redis server is stopped: only when it is asked for, and where there is a server.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ClusterFaultsFactAttribute : FactAttribute
{
    /// <summary>Set to 1, they run.</summary>
    public const string Variable = "MLAGEN_CLUSTER_FAULTS";

    public ClusterFaultsFactAttribute()
    {
        if (Environment.GetEnvironmentVariable(Variable) != "1")
        {
            Skip = $"This kills silos for minutes; it runs with {Variable}=1.";
        }
        else if (!RedisServer.IsInstalled)
        {
            Skip = "redis-server is not installed; Debian has it in the package redis-server.";
        }
    }
}
