namespace Cluster.Links;

/// <summary>One direction of a cable: packets follow each other at its rate, and arrive a while after their last byte was sent.</summary>
/// <param name="bytesPerSecond">Its rate.</param>
/// <param name="delay">The while.</param>
internal sealed class Line(double bytesPerSecond, TimeSpan delay)
{
    private readonly Queue<(TimeSpan Arrival, Packet Packet)> _packets = new();
    private TimeSpan _free;

    /// <summary>When the next packet arrives; never, if there is none.</summary>
    public TimeSpan Next => _packets.TryPeek(out (TimeSpan Arrival, Packet Packet) first) ? first.Arrival : TimeSpan.MaxValue;

    public void Send(Packet packet, TimeSpan now)
    {
        _free = (now > _free ? now : _free) + TimeSpan.FromSeconds(packet.Length / bytesPerSecond);
        _packets.Enqueue((_free + delay, packet));
    }

    /// <summary>Takes the next packet, if it has arrived.</summary>
    public bool TryTake(TimeSpan now, out TimeSpan arrival, out Packet packet)
    {
        if (Next > now)
        {
            (arrival, packet) = (TimeSpan.MaxValue, default);
            return false;
        }

        (arrival, packet) = _packets.Dequeue();
        return true;
    }
}

/// <summary>A packet in memory that is given back to a pool.</summary>
internal readonly record struct Packet(byte[] Buffer, int Length);
