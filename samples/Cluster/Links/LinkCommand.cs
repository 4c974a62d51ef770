using System.Buffers;
using System.Diagnostics;

namespace Cluster.Links;

/// <summary>What <c>link</c> is asked for.</summary>
/// <param name="Name">What the names of devices begin with.</param>
/// <param name="Count">Hosts beside the coordinator's.</param>
/// <param name="DelayMilliseconds">Of each host's link, out of it.</param>
/// <param name="LinkGigabits">Gigabits a second of each host's link, in each direction.</param>
internal sealed record LinkOptions(string Name, int Count, double DelayMilliseconds, double LinkGigabits);

/// <summary>
/// A switch, and the links between it and hosts, in this process: for kernels that cannot delay packets themselves. Each host has a device; what it
/// sends waits as it would on the way, out of the host and into the next one, and comes out of the device whose address it is for. For experiments:
/// packets of version 4 alone, and none is ever dropped.
/// </summary>
internal static class LinkCommand
{
    private const int LongestPacket = 65536;
    private const int DestinationEnd = 20;

    /// <summary>Makes the devices, says so, and passes packets on until they are gone.</summary>
    public static void Run(LinkOptions options, TextWriter output)
    {
        double rate = options.LinkGigabits * 1e9 / 8;
        TunDevice[] hosts = [.. Enumerable.Range(0, options.Count + 1).Select(host => new TunDevice(FormattableString.Invariant($"{options.Name}-{host}")))];
        Line[] outwards = [.. hosts.Select(_ => new Line(rate, TimeSpan.FromMilliseconds(options.DelayMilliseconds)))];
        Line[] inwards = [.. hosts.Select(_ => new Line(rate, TimeSpan.Zero))];
        Line[] lines = [.. outwards, .. inwards];
        output.WriteLine("ready");
        output.Flush();

        Waiting waiting = new(hosts);
        Stopwatch clock = Stopwatch.StartNew();
        while (true)
        {
            TimeSpan next = lines.Min(static line => line.Next);
            TimeSpan wait = next == TimeSpan.MaxValue ? TimeSpan.FromSeconds(1) : next - clock.Elapsed;
            waiting.For(wait > TimeSpan.Zero ? wait : TimeSpan.Zero);
            try
            {
                PassOn(hosts, waiting, outwards, inwards, clock);
            }
            catch (IOException)
            {
                // The namespaces were taken away, and the devices with them.
                return;
            }
        }
    }

    private static void PassOn(TunDevice[] hosts, Waiting waiting, Line[] outwards, Line[] inwards, Stopwatch clock)
    {
        for (int host = 0; host < hosts.Length; host++)
        {
            if (waiting.Has(host))
            {
                byte[] buffer = ArrayPool<byte>.Shared.Rent(LongestPacket);
                outwards[host].Send(new Packet(buffer, hosts[host].Read(buffer)), clock.Elapsed);
            }
        }

        TimeSpan now = clock.Elapsed;
        foreach (Line line in outwards)
        {
            while (line.TryTake(now, out TimeSpan arrival, out Packet packet))
            {
                // The last byte of the address it is for numbers the hosts from 1.
                int destination = packet.Length >= DestinationEnd && packet.Buffer[0] >> 4 == 4 ? packet.Buffer[DestinationEnd - 1] - 1 : -1;
                if ((uint)destination < (uint)hosts.Length)
                {
                    inwards[destination].Send(packet, arrival);
                }
                else
                {
                    ArrayPool<byte>.Shared.Return(packet.Buffer);
                }
            }
        }

        for (int host = 0; host < hosts.Length; host++)
        {
            while (inwards[host].TryTake(now, out _, out Packet packet))
            {
                hosts[host].Write(packet.Buffer.AsSpan(0, packet.Length));
                ArrayPool<byte>.Shared.Return(packet.Buffer);
            }
        }
    }
}
