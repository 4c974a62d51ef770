using Cluster.Links;

namespace MlaGen.Cluster.Tests;

/// <summary>A link between hosts, as a program plays it.</summary>
public sealed class LineTests
{
    /// <summary>A million bytes a second: a thousand of them take a millisecond, and then the way begins.</summary>
    [Fact]
    public void Packets_follow_each_other_at_the_rate_and_arrive_after_the_delay()
    {
        Line line = new(bytesPerSecond: 1e6, TimeSpan.FromMilliseconds(10));
        line.Send(new Packet([1], 1000), TimeSpan.Zero);
        line.Send(new Packet([2], 3000), TimeSpan.Zero);
        line.Send(new Packet([3], 500), TimeSpan.FromMilliseconds(20));
        Assert.False(line.TryTake(TimeSpan.FromMilliseconds(10.9), out _, out _));

        List<(byte, double)> arrivals = [];
        while (line.TryTake(TimeSpan.FromSeconds(1), out TimeSpan arrival, out Packet packet))
        {
            arrivals.Add((packet.Buffer[0], arrival.TotalMilliseconds));
        }

        Assert.Equal([(1, 11), (2, 14), (3, 30.5)], arrivals);
        Assert.Equal(TimeSpan.MaxValue, line.Next);
    }
}
