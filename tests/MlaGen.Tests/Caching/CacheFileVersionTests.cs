using System.Buffers.Binary;
using System.IO.Hashing;
using MlaGen.Tests.Checkpoints;
using MlaGen.Tests.Files;

namespace MlaGen.Tests.Caching;

/// <summary>Files that an earlier version of the package wrote, and what a file says of its rows' segments.</summary>
public sealed class CacheFileVersionTests : IDisposable
{
    private const int Layers = 2;
    private const int Tokens = 6;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    /// <summary>Written by 0.1: two layers of six tokens whose elements count up, on bf16.</summary>
    [Fact]
    public void A_file_of_the_first_version_is_read()
    {
        using LatentCache<CountedAttention> cache = Cache(CacheFormat.BFloat16);
        SavedSequence saved = Assert.Single(cache.Load(Path.Combine(AppContext.BaseDirectory, "Caching", "Data", "version-1.mlacache")));
        using LatentSequence sequence = saved.Sequence;

        Assert.Equal([7, 8, 9], saved.Tokens.ToArray());
        Assert.Equal(Tokens, sequence.Length);
        float[] row = new float[CountedAttention.CacheRowElements];
        for (int layer = 0; layer < Layers; layer++)
        {
            for (int token = 0; token < Tokens; token++)
            {
                sequence.ReadRow(layer, token, row);
                Assert.Equal(Enumerable.Range(0, row.Length).Select(i => (float)((layer * 100) + (token * row.Length) + i)), row);
            }
        }
    }

    [Fact]
    public void A_file_of_the_first_version_with_another_format_is_refused_by_its_name()
    {
        using LatentCache<CountedAttention> cache = Cache(CacheFormat.Float16);
        CacheFileException refused = Assert.Throws<CacheFileException>(() => cache.Load(Path.Combine(AppContext.BaseDirectory, "Caching", "Data", "version-1.mlacache")));
        Assert.Contains("CacheFormat: Float16 is expected, BFloat16 found", refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, cache.UsedPages);
    }

    [Theory]
    [InlineData(0, 3, "segments of a cache row: 2 is expected, 3 found")]
    [InlineData(0, 1, "segments of a cache row: 2 is expected, 1 found")]
    [InlineData(0, 0, "segments of a cache row: 1 to 16 are expected, 0 found")]
    [InlineData(0, long.MaxValue, "segments of a cache row: 1 to 16 are expected")]
    [InlineData(15, 0x79656b, "name of segment 0: latent is expected, key found")]
    [InlineData(16, 7, "elements of segment 0: 8 is expected, 7 found")]
    [InlineData(21, 0, "encoding of segment 1: BFloat16 is expected, Float32 found")]
    [InlineData(22, 9, "bytes of segment 1: 8 is expected, 9 found")]
    public void What_a_file_says_of_its_segments_must_be_what_the_cache_has(int fact, long value, string message)
    {
        string path = _directory.At("saved");
        using LatentCache<CountedAttention> cache = Cache(CacheFormat.BFloat16);
        using (LatentSequence sequence = cache.CreateSequence())
        {
            cache.Save(path, new SavedSequence(sequence));
        }

        byte[] bytes = [.. File.ReadAllBytes(path), .. new byte[64]];
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(8 * (2 + fact)), value);
        long segments = fact == 0 ? value : 2;
        if (segments is > 0 and < 17)
        {
            int header = 8 * (6 + 15 + (4 * (int)segments));
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(header - 8), Crc64.HashToUInt64(bytes.AsSpan(0, header - 8)));
        }

        File.WriteAllBytes(path, bytes);
        Assert.Contains(message, Assert.Throws<CacheFileException>(() => cache.Load(path)).Message, StringComparison.Ordinal);
    }

    private static LatentCache<CountedAttention> Cache(CacheFormat format) => CountedAttention.CreateCache(Layers, maxTokens: 16, new LatentCacheOptions { PageTokens = 4, Format = format });
}

/// <summary>The class that wrote the file.</summary>
[MlaAttention(HiddenSize = 16, Heads = 2, KvLoraRank = 8, QkNopeHeadDim = 4, QkRopeHeadDim = 4, VHeadDim = 4, MaxPositionEmbeddings = 64, CacheFormat = CacheFormat.BFloat16)]
public sealed partial class CountedAttention;
