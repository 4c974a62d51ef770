using MlaGen.Runtime;

namespace MlaGen.Tests.Caching;

/// <summary>A file that was written by another kind of cache is refused by the name of what differs.</summary>
public sealed class CacheFileFitTests : IDisposable
{
    private const int Layers = 2;

    private readonly string _folder = Directory.CreateTempSubdirectory("mlagen-cache-").FullName;

    private string File => Path.Combine(_folder, "story.cache");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

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
        Save<Float8Rows>();
        AssertRefused<Int8Rows>(new(Layers, 80), "CacheFormat: Int8 is expected, Float8 found");
        using LatentCache<Float8Rows> fitting = new(Layers, 80);
        Assert.Single(fitting.Load(File)).Sequence.Dispose();
    }

    private void Save<T>()
        where T : class, IMlaAttention<T>
    {
        using LatentCache<T> cache = new(Layers, 80);
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

    private sealed class Float8Rows : IMlaAttention<Float8Rows>
    {
        public static MlaShape Shape { get; } = TinyAttention.Shape with { KvLoraRank = 512, QkRopeHeadDim = 64, CacheFormat = CacheFormat.Float8, CacheRowBytes = 656 };

        public static MlaDefinition Definition { get; } = TestDefinitions.With(Shape);

        public void Forward(MlaBatch<Float8Rows> batch, ReadOnlySpan<float> hidden, Span<float> output) => throw new NotSupportedException("Only the cache is under test.");
    }

    private sealed class Int8Rows : IMlaAttention<Int8Rows>
    {
        public static MlaShape Shape { get; } = Float8Rows.Shape with { CacheFormat = CacheFormat.Int8 };

        public static MlaDefinition Definition { get; } = TestDefinitions.With(Shape);

        public void Forward(MlaBatch<Int8Rows> batch, ReadOnlySpan<float> hidden, Span<float> output) => throw new NotSupportedException("Only the cache is under test.");
    }

    private sealed class OtherHeads : IMlaAttention<OtherHeads>
    {
        public static MlaShape Shape { get; } = TinyAttention.Shape with { Heads = 3 };

        public static MlaDefinition Definition { get; } = TestDefinitions.With(Shape);

        public void Forward(MlaBatch<OtherHeads> batch, ReadOnlySpan<float> hidden, Span<float> output) => throw new NotSupportedException("Only the cache is under test.");
    }

    private sealed class OtherLayout : IMlaAttention<OtherLayout>
    {
        public static MlaShape Shape => TinyAttention.Shape;

        public static MlaDefinition Definition { get; } = TestDefinitions.With(Shape, layout: RopeLayout.HalfSplit);

        public void Forward(MlaBatch<OtherLayout> batch, ReadOnlySpan<float> hidden, Span<float> output) => throw new NotSupportedException("Only the cache is under test.");
    }

    private sealed class OtherScale : IMlaAttention<OtherScale>
    {
        public static MlaShape Shape => TinyAttention.Shape;

        public static MlaDefinition Definition { get; } = TestDefinitions.With(Shape, scale: 2);

        public void Forward(MlaBatch<OtherScale> batch, ReadOnlySpan<float> hidden, Span<float> output) => throw new NotSupportedException("Only the cache is under test.");
    }

    private sealed class OtherFrequency : IMlaAttention<OtherFrequency>
    {
        public static MlaShape Shape => TinyAttention.Shape;

        public static MlaDefinition Definition { get; } = TestDefinitions.With(Shape, frequency: 0.5f);

        public void Forward(MlaBatch<OtherFrequency> batch, ReadOnlySpan<float> hidden, Span<float> output) => throw new NotSupportedException("Only the cache is under test.");
    }
}
