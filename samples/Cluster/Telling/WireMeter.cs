using System.Diagnostics.Metrics;

namespace Cluster.Telling;

/// <summary>Counts the bytes of messages that this process sends to other silos and gets from them, as Orleans measures them.</summary>
internal sealed class WireMeter : IDisposable
{
    private readonly MeterListener _listener = new();
    private long _bytes;

    public WireMeter()
    {
        _listener.InstrumentPublished = static (instrument, listener) =>
        {
            if (instrument.Meter.Name == "Microsoft.Orleans" && instrument.Name is "orleans-messaging-sent-messages-size" or "orleans-messaging-received-messages-size")
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<int>((_, bytes, _, _) => Interlocked.Add(ref _bytes, bytes));
        _listener.SetMeasurementEventCallback<long>((_, bytes, _, _) => Interlocked.Add(ref _bytes, bytes));
        _listener.Start();
    }

    public long Bytes => Interlocked.Read(ref _bytes);

    public void Dispose() => _listener.Dispose();
}
