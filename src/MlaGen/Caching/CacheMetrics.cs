using System.Diagnostics.Metrics;

namespace MlaGen;

/// <summary>What a cache lets be measured. Values are read when a listener asks, so that measuring costs the kernels nothing.</summary>
internal sealed class CacheMetrics : IDisposable
{
    private const string MeterName = "MlaGen";
    private const string NameTag = "mlagen.cache.name";

    private readonly Meter _meter = new(MeterName, typeof(CacheMetrics).Assembly.GetName().Version?.ToString(3));
    private readonly KeyValuePair<string, object?> _name;

    /// <summary>Weak, for every live meter is held by a list of the process: a cache that nobody disposes must not stay with it.</summary>
    private readonly WeakReference<PagePool> _pool;

    public CacheMetrics(PagePool pool, string name)
    {
        _pool = new WeakReference<PagePool>(pool);
        _name = new KeyValuePair<string, object?>(NameTag, name);
        Observe("mlagen.cache.pages.used", "{page}", "Pages that are held.", pool => pool.UsedPages);
        Observe("mlagen.cache.pages.shared", "{page}", "Pages that are held more than once.", pool => pool.SharedPages);
        Observe("mlagen.cache.memory", "By", "Memory that was taken for pages, used or free.", pool => pool.TakenBytes);
        Observe("mlagen.cache.tokens", "{token}", "Committed tokens of all sequences, shared ones counted in each.", pool => pool.Tokens);
    }

    /// <summary>Withdraws the instruments.</summary>
    public void Dispose() => _meter.Dispose();

    private void Observe(string instrument, string unit, string description, Func<PagePool, long> value) =>
        _meter.CreateObservableUpDownCounter<long>(instrument, () => Measure(value), unit, description);

    private Measurement<long>[] Measure(Func<PagePool, long> value) =>
        _pool.TryGetTarget(out PagePool? pool) ? [new Measurement<long>(value(pool), _name)] : [];
}
