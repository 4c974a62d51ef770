using MlaGen.Runtime;
using MlaGen.Tests.Files;

namespace MlaGen.Tests.Caching;

/// <summary>A file that was written by another kind of cache is refused by the name of what differs.</summary>
public sealed class CacheFileFitTests : IDisposable
{
    private const int Layers = 2;

    private readonly TemporaryDirectory _folder = new();

    private string File => _folder.At("story.cache");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_does_not_fit_is_refused_by_name_with_what_was_expected_and_found()
    {
        Save<TinyAttention>();
        AssertRefused<OtherHeads>(new(Layers, 80), "Heads: 3 is expected, 2 found");
        AssertRefused<OtherLayout>(new(Layers, 80), "RopeLayout: HalfSplit is expected, Interleaved found");
        AssertRefused<OtherScale>(new(Layers, 80), "hash of position parameters and scales: ");
        AssertRefused<OtherFrequency>(new(Layers, 80), "hash of position parameters and scales: ");
        AssertRefused<TinyAttention>(new(3, 80), "layers: 3 is expected, 2 found");
        AssertRefused<TinyAttention>(new(Layers, 80, new LatentCacheOptions { PageTokens = 5 }), "tokens a page: 5 is expected, 4 found");
    }

    /// <summary>Their rows take 656 bytes both, so that nothing but the format's name tells them apart.</summary>
    [Fact]
    public void A_format_is_refused_by_name_although_its_rows_are_as_long()
    {
        LatentCacheOptions float8 = new() { Format = CacheFormat.Float8 };
        Save<WideRows>(float8);
        AssertRefused<WideRows>(new(Layers, 80, new LatentCacheOptions { Format = CacheFormat.Int8 }), "CacheFormat: Int8 is expected, Float8 found");
        using LatentCache<WideRows> fitting = new(Layers, 80, float8);
        Assert.Single(fitting.Load(File)).Sequence.Dispose();
    }

    private void Save<T>(LatentCacheOptions? options = null)
        where T : class, IMlaAttention<T>
    {
        using LatentCache<T> cache = new(Layers, 80, options);
        using LatentSequence sequence = cache.CreateSequence();
        cache.Save(File, new SavedSequence(sequence));
    }

    private void AssertRefused<T>(LatentCache<T> cache, string message)
        where T : class, IMlaAttention<T>
    {
        using (cache)
        {
            Assert.Contains(message, Assert.Throws<CacheFileException>(() => cache.Load(File)).Message, StringComparison.Ordinal);
            Assert.Equal(0, cache.UsedPages);
        }
    }

    private sealed class WideRows : CacheOnly<WideRows>, IMlaAttention<WideRows>
    {
        public static MlaDefinition Definition { get; } = new TestDefinition(TinyAttention.Shape with { KvLoraRank = 512, QkRopeHeadDim = 64 }).Build();
    }

    private sealed class OtherHeads : CacheOnly<OtherHeads>, IMlaAttention<OtherHeads>
    {
        public static MlaDefinition Definition { get; } = new TestDefinition(TinyAttention.Shape with { Heads = 3 }).Build();
    }

    private sealed class OtherLayout : CacheOnly<OtherLayout>, IMlaAttention<OtherLayout>
    {
        public static MlaDefinition Definition { get; } = new TestDefinition(TinyAttention.Shape) { RopeLayout = RopeLayout.HalfSplit }.Build();
    }

    private sealed class OtherScale : CacheOnly<OtherScale>, IMlaAttention<OtherScale>
    {
        public static MlaDefinition Definition { get; } = new TestDefinition(TinyAttention.Shape) { SoftmaxScale = 2 }.Build();
    }

    private sealed class OtherFrequency : CacheOnly<OtherFrequency>, IMlaAttention<OtherFrequency>
    {
        public static MlaDefinition Definition { get; } = new TestDefinition(TinyAttention.Shape) { InverseFrequencies = [0.5f] }.Build();
    }
}
