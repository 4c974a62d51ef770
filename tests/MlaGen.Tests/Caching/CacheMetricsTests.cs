using System.Diagnostics.Metrics;

namespace MlaGen.Tests.Caching;

public sealed class CacheMetricsTests
{
    [Fact]
    public void Pages_memory_and_tokens_are_measured_under_the_caches_name()
    {
        const string Name = "measured";
        using LatentCache<TinyAttention> cache = new(layers: 2, maxTokens: 40, new LatentCacheOptions { Name = Name, Memory = new TestMemoryPool(2 * 4 * 24 * 3) });
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<TinyAttention> batch = cache.CreateBatch();
        Assert.Equal((0, 0, 0, 0), Measure(Name));
        batch.Append(sequence, 6);
        using (sequence.Fork())
        {
            Assert.Equal((2, 2, 2 * 4 * 24 * 3, 12), Measure(Name));
        }

        sequence.Truncate(1);
        Assert.Equal((1, 0, 2 * 4 * 24 * 3, 1), Measure(Name));
        Assert.Equal((0, 1L), (cache.SharedPages, cache.Tokens));
    }

    [Fact]
    public void Caches_are_told_apart_and_a_disposed_one_is_measured_no_more()
    {
        LatentCache<TinyAttention> first = new(2, 40, new LatentCacheOptions { Name = "first" });
        using LatentCache<TinyAttention> second = new(2, 40, new LatentCacheOptions { Name = "second" });
        using LatentSequence sequence = second.CreateSequence();
        using MlaBatch<TinyAttention> batch = second.CreateBatch();
        batch.Append(sequence, 5);
        Assert.Equal((0, 0, 0, 0), Measure("first"));
        Assert.Equal((2, 5), (Measure("second")!.Value.Used, Measure("second")!.Value.Tokens));
        first.Dispose();
        Assert.Null(Measure("first"));
    }

    /// <summary>What a listener sees of one cache, or null if it sees nothing.</summary>
    private static (long Used, long Shared, long Memory, long Tokens)? Measure(string name)
    {
        Dictionary<string, long> values = [];
        using MeterListener listener = new()
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == "MlaGen")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            foreach (KeyValuePair<string, object?> tag in tags)
            {
                if (tag.Key == "mlagen.cache.name" && (string?)tag.Value == name)
                {
                    values[instrument.Name] = value;
                }
            }
        });
        listener.Start();
        listener.RecordObservableInstruments();
        return values.Count == 0
            ? null
            : (values["mlagen.cache.pages.used"], values["mlagen.cache.pages.shared"], values["mlagen.cache.memory"], values["mlagen.cache.tokens"]);
    }
}
