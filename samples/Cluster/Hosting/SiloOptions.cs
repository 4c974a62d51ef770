using Cluster.Grains;
using Cluster.Segments;

namespace Cluster.Hosting;

/// <summary>What a silo is told when it starts.</summary>
/// <param name="Name">Its name, for those who watch.</param>
/// <param name="Cluster">Name of the cluster.</param>
/// <param name="Address">Where it listens.</param>
/// <param name="Port">At which port.</param>
/// <param name="Primary">Address and port of the silo that keeps the list of members; for a cluster without <paramref name="Redis"/>.</param>
/// <param name="Redis">Address and port of the Redis server that keeps it.</param>
/// <param name="Segments">What segments have in common.</param>
/// <param name="Placement">Where they are laid.</param>
/// <param name="Threads">Threads that attention runs on.</param>
/// <param name="Deadline">Seconds after which a call has failed.</param>
internal sealed record SiloOptions(string Name, string Cluster, string Address, int Port, string? Primary, string? Redis, SegmentOptions Segments, Placement Placement, int Threads, double Deadline);
