using System.Buffers.Binary;
using System.IO.Hashing;
using MlaGen.Runtime;
using MlaGen.Tests.Files;

namespace MlaGen.Tests.Caching;

public sealed class CacheFileTests : IDisposable
{
    private const int Layers = 2;
    private const int Pages = 4;

    private static readonly int[] Note = [42, -1, int.MaxValue];

    private readonly TemporaryDirectory _folder = new();
    private readonly FaultPlan _faults = new();
    private readonly LatentCache<TinyAttention> _cache;
    private readonly MlaBatch<TinyAttention> _batch;
    private readonly LatentSequence _sequence;
    private readonly LatentSequence _fork;
    private readonly LatentSequence _empty;

    /// <summary>Two sequences that share a page and a half, and an empty one: four pages in all.</summary>
    public CacheFileTests()
    {
        _cache = new(Layers, maxTokens: 80, new LatentCacheOptions { Fault = _faults.Hit, Memory = new TestMemoryPool(Layers * 4 * 24) });
        _batch = _cache.CreateBatch();
        _sequence = _cache.CreateSequence();
        _empty = _cache.CreateSequence();
        _batch.Append(_sequence, 6);
        _fork = _sequence.Fork();
        _batch.Append(_sequence, 5, first: 20);
        _batch.Add(_fork, 1, [33]);
        _batch.WriteAllLayers(_ => 40);
        _batch.Commit();
    }

    private string File => _folder.At("story.cache");

    public void Dispose()
    {
        _batch.Dispose();
        _sequence.Dispose();
        _fork.Dispose();
        _empty.Dispose();
        try
        {
            Assert.Equal((0, 0, 0L), (_cache.UsedPages, _cache.SharedPages, _cache.Tokens));
        }
        finally
        {
            _cache.Dispose();
            _folder.Dispose();
        }
    }

    [Fact]
    public void Saved_sequences_come_back_with_contents_positions_and_notes()
    {
        Save();
        int used = _cache.UsedPages;
        SavedSequence[] loaded = _cache.Load(File);
        AssertLoaded(loaded);
        Assert.Equal(used + 4, _cache.UsedPages);
        Free(loaded);
        Assert.Equal(used, _cache.UsedPages);
    }

    [Fact]
    public void Loaded_sequences_go_on_and_share_what_was_shared()
    {
        Save();
        SavedSequence[] loaded = _cache.Load(File);
        Assert.Equal(loaded[0].Sequence.Pages[0], loaded[1].Sequence.Pages[0]);
        Assert.NotEqual(loaded[0].Sequence.Pages[1], loaded[1].Sequence.Pages[1]);
        _batch.Append(loaded[0].Sequence, 2, first: 60);
        loaded[1].Sequence.Truncate(2);
        _batch.Append(loaded[1].Sequence, 2, first: 70);
        loaded[0].Sequence.AssertHolds(12, layer: 1, content: 61);
        loaded[0].Sequence.AssertHolds(2, layer: 1, content: 2);
        loaded[1].Sequence.AssertHolds(2, layer: 1, content: 70);
        Free(loaded);
    }

    [Fact]
    public void Another_cache_of_the_same_class_can_read_the_file()
    {
        Save();
        using LatentCache<TinyAttention> other = new(Layers, 4 * 4);
        SavedSequence[] loaded = other.Load(File);
        AssertLoaded(loaded);
        Assert.Equal(0, other.FreePages);
        Free(loaded);
        Assert.Equal(0, other.UsedPages);
    }

    [Fact]
    public void No_sequence_is_a_file_too()
    {
        _cache.Save(File);
        Assert.Empty(_cache.Load(File));
    }

    [Fact]
    public void The_same_sequences_make_the_same_file_whatever_memory_held_before()
    {
        Save();
        byte[] bytes = System.IO.File.ReadAllBytes(File);
        using LatentCache<TinyAttention> other = new(Layers, 80);
        SavedSequence[] loaded = other.Load(File);
        using (MlaBatch<TinyAttention> batch = other.CreateBatch())
        {
            batch.Add(loaded[0].Sequence, 1);
            batch.WriteAllLayers(_ => 99);
        }

        other.Save(File, loaded);
        Assert.Equal(bytes, System.IO.File.ReadAllBytes(File));
        Free(loaded);
    }

    [Fact]
    public void A_page_that_was_truncated_in_one_sequence_keeps_the_tokens_of_the_other()
    {
        _fork.Truncate(2);
        _cache.Save(File, new SavedSequence(_fork), new SavedSequence(_sequence));
        SavedSequence[] loaded = _cache.Load(File);
        loaded[1].Sequence.AssertHolds(3, layer: 1, content: 3);
        Free(loaded);
    }

    /// <summary>Single bytes: every one of header and index, every one of the pages, and so of the whole file.</summary>
    [Theory]
    [InlineData(0xFF)]
    [InlineData(0x01)]
    [InlineData(0x80)]
    public void Any_byte_that_is_flipped_is_refused(byte flip)
    {
        Save();
        byte[] bytes = System.IO.File.ReadAllBytes(File);
        (int, int) before = (_cache.UsedPages, _cache.SharedPages);
        for (int i = 0; i < bytes.Length; i++)
        {
            bytes[i] ^= flip;
            System.IO.File.WriteAllBytes(File, bytes);
            Exception? e = Record.Exception(() => _cache.Load(File));
            Assert.True(e is CacheFileException, $"byte {i} of {bytes.Length}: {e}");
            bytes[i] ^= flip;
        }

        Assert.Equal(before, (_cache.UsedPages, _cache.SharedPages));
    }

    [Fact]
    public void Ten_thousand_random_bytes_of_the_pages_of_a_larger_file_are_refused_when_flipped()
    {
        using LatentCache<LongAttention> cache = new(layers: 3, maxTokens: 8_192, new LatentCacheOptions { PageTokens = 16 });
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<LongAttention> batch = cache.CreateBatch();
        batch.Append(sequence, 100);
        cache.Save(File, new SavedSequence(sequence, Note));
        Random random = new(5);
        int pageBytes = sequence.Pool.PageBytes * cache.UsedPages;
        using FileStream file = new(File, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
        for (int i = 0; i < 10_000; i++)
        {
            long at = random.NextInt64(file.Length - pageBytes, file.Length);
            byte original = Exchange(file, at, value => (byte)(value ^ (1 + random.Next(255))));
            Assert.Throws<CacheFileException>(() => cache.Load(File));
            Exchange(file, at, _ => original);
        }

        file.Dispose();
        Free(cache.Load(File));
    }

    [Fact]
    public void Every_shorter_and_any_longer_file_is_refused()
    {
        Save();
        byte[] bytes = System.IO.File.ReadAllBytes(File);
        for (int length = 0; length < bytes.Length; length++)
        {
            System.IO.File.WriteAllBytes(File, bytes[..length]);
            Assert.Throws<CacheFileException>(() => _cache.Load(File));
        }

        System.IO.File.WriteAllBytes(File, [.. bytes, 0]);
        Assert.Throws<CacheFileException>(() => _cache.Load(File));
    }

    /// <summary>Checksums are recomputed, so that only the checks behind them can refuse.</summary>
    [Theory]
    [InlineData(0, -1, "sequence 0 has -1 tokens")]
    [InlineData(0, int.MaxValue, "beyond the end of the index")]
    [InlineData(1, int.MaxValue, "beyond the end of the index")]
    [InlineData(2, 64, "sequence 0 has position 64: they run from 0 to 63")]
    [InlineData(2, -1, "sequence 0 has position -1")]
    [InlineData(13, 4, "sequence 0 has page 4: they run from 0 to 3")]
    [InlineData(13, -1, "sequence 0 has page -1")]
    public void A_well_checksummed_file_that_makes_no_sense_is_refused(int number, int value, string message)
    {
        Save();
        byte[] bytes = System.IO.File.ReadAllBytes(File);
        int header = CacheFileFormat.HeaderBytes(CacheFileFormat.Facts(_sequence.Pool, TinyAttention.Definition).Length);
        int index = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(header - 16));
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(header + (Pages * 8) + (number * 4)), value);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(header + index - 8), Crc64.HashToUInt64(bytes.AsSpan(header, index - 8)));
        System.IO.File.WriteAllBytes(File, bytes);
        Assert.Contains(message, Assert.Throws<CacheFileException>(() => _cache.Load(File)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(4, -1L)]
    [InlineData(4, long.MaxValue)]
    [InlineData(4, 5L)]
    [InlineData(3, -1L)]
    [InlineData(3, long.MaxValue)]
    [InlineData(2, -1L)]
    [InlineData(2, 0L)]
    [InlineData(2, long.MaxValue)]
    public void A_well_checksummed_header_whose_counts_make_no_sense_is_refused(int wordFromTheEnd, long value)
    {
        Save();
        byte[] bytes = System.IO.File.ReadAllBytes(File);
        int header = CacheFileFormat.HeaderBytes(CacheFileFormat.Facts(_sequence.Pool, TinyAttention.Definition).Length);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(header - (8 * wordFromTheEnd)), value);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(header - 8), Crc64.HashToUInt64(bytes.AsSpan(0, header - 8)));
        System.IO.File.WriteAllBytes(File, bytes);
        Assert.Throws<CacheFileException>(() => _cache.Load(File));
    }

    [Fact]
    public void Another_version_is_named_although_its_checksum_cannot_be_known()
    {
        Save();
        byte[] bytes = System.IO.File.ReadAllBytes(File);
        bytes[8] = 3;
        System.IO.File.WriteAllBytes(File, bytes);
        CacheFileException e = Assert.Throws<CacheFileException>(() => _cache.Load(File));
        Assert.Contains("version 2 of the format is expected, 3 found", e.Message, StringComparison.Ordinal);
        Assert.Equal(File, e.Path);
    }

    [Fact]
    public void A_file_that_needs_more_pages_than_are_free_is_refused_and_takes_none()
    {
        Save();
        using LatentCache<TinyAttention> small = new(Layers, 3 * 4);
        Assert.Equal(4, Assert.Throws<LatentCacheFullException>(() => small.Load(File)).WantedPages);
        Assert.Equal(0, small.UsedPages);
        using LatentSequence sequence = small.CreateSequence();
    }

    [Fact]
    public void Wherever_saving_fails_the_previous_file_stays_and_nothing_beside_it()
    {
        _cache.Save(File, new SavedSequence(_fork, Note));
        byte[] previous = System.IO.File.ReadAllBytes(File);
        int faults = _faults.FailEverywhere(Save, () =>
        {
            Assert.Equal(previous, System.IO.File.ReadAllBytes(File));
            Assert.Equal([File], Directory.GetFiles(_folder.Path));
            _sequence.Truncate(_sequence.Length); // No sequence is left held.
        });
        Assert.InRange(faults, 10, 1000);
        Free(_cache.Load(File));
    }

    [Fact]
    public void Wherever_loading_fails_no_page_is_lost()
    {
        Save();
        (int, int, long) before = (_cache.UsedPages, _cache.SharedPages, _cache.Tokens);
        SavedSequence[] loaded = [];
        int faults = _faults.FailEverywhere(() => loaded = _cache.Load(File), () => Assert.Equal(before, (_cache.UsedPages, _cache.SharedPages, _cache.Tokens)));
        Assert.InRange(faults, 15, 1000);
        AssertLoaded(loaded);
        Free(loaded);
    }

    [Fact]
    public void What_the_hook_of_a_full_cache_throws_comes_out_of_loading_and_no_page_is_lost()
    {
        Save();
        using LatentCache<TinyAttention> small = new(Layers, 3 * 4);
        small.OnFull = _ => throw new InjectedFaultException();
        Assert.Throws<InjectedFaultException>(() => small.Load(File));
        Assert.Equal((0, 0L), (small.UsedPages, small.Tokens));
    }

    [Fact]
    public void A_save_that_was_killed_at_any_point_leaves_the_previous_file_and_does_not_hinder_the_next()
    {
        Save();
        byte[] next = System.IO.File.ReadAllBytes(File);
        _cache.Save(File, new SavedSequence(_fork, Note));
        byte[] previous = System.IO.File.ReadAllBytes(File);
        string leftover = _folder.At(".mlagen-0.tmp");
        for (int written = 0; written <= next.Length; written += 7)
        {
            System.IO.File.WriteAllBytes(leftover, next[..written]);
            SavedSequence[] loaded = _cache.Load(File);
            Assert.Equal(7, Assert.Single(loaded).Sequence.Length);
            Free(loaded);
            _cache.Save(File, new SavedSequence(_fork, Note));
            Assert.Equal(previous, System.IO.File.ReadAllBytes(File));
            Assert.Equal(written, new FileInfo(leftover).Length);
            Assert.Equal(2, Directory.GetFiles(_folder.Path).Length);
        }
    }

    [Fact]
    public void Misuse_is_refused()
    {
        using LatentCache<TinyAttention> other = new(Layers, 80);
        using LatentSequence foreign = other.CreateSequence();
        Assert.Throws<ArgumentException>(() => _cache.Save(File, new SavedSequence(foreign)));
        Assert.Throws<ArgumentNullException>(() => _cache.Save(File, default(SavedSequence)));
        Assert.Throws<ArgumentException>(() => _cache.Save("", new SavedSequence(_sequence)));
        Assert.Contains("given twice", Assert.Throws<InvalidOperationException>(() => _cache.Save(File, new SavedSequence(_fork), new SavedSequence(_fork))).Message, StringComparison.Ordinal);
        _batch.Add(_sequence, 1);
        Assert.Contains("open batch", Assert.Throws<InvalidOperationException>(() => _cache.Save(File, new SavedSequence(_fork), new SavedSequence(_sequence))).Message, StringComparison.Ordinal);
        _batch.Rollback();
        Assert.Throws<DirectoryNotFoundException>(() => _cache.Save(_folder.At("none/file"), new SavedSequence(_fork)));
        Assert.Throws<FileNotFoundException>(() => _cache.Load(File));
        Assert.Empty(Directory.GetFiles(_folder.Path));
        _fork.Truncate(_fork.Length);
        other.Dispose();
        Assert.Throws<ObjectDisposedException>(() => other.Load(File));
        Assert.Throws<ObjectDisposedException>(() => other.Save(File));
    }

    private void Save() => _cache.Save(File, new SavedSequence(_sequence), new SavedSequence(_fork, Note), new SavedSequence(_empty));

    private static void AssertLoaded(SavedSequence[] loaded)
    {
        Assert.Equal([11, 7, 0], loaded.Select(saved => saved.Sequence.Length));
        Assert.Equal(Enumerable.Range(0, 11), loaded[0].Sequence.Positions.ToArray());
        Assert.Equal([0, 1, 2, 3, 4, 5, 33], loaded[1].Sequence.Positions.ToArray());
        Assert.Equal([0, 3, 0], loaded.Select(saved => saved.Tokens.Length));
        Assert.Equal(Note, loaded[1].Tokens.ToArray());
        for (int layer = 0; layer < Layers; layer++)
        {
            for (int token = 0; token < 11; token++)
            {
                loaded[0].Sequence.AssertHolds(token, layer, token < 6 ? token : token + 14);
            }

            for (int token = 0; token < 7; token++)
            {
                loaded[1].Sequence.AssertHolds(token, layer, token < 6 ? token : 40);
            }
        }
    }

    private static void Free(SavedSequence[] loaded) => Array.ForEach(loaded, saved => saved.Sequence.Dispose());

    private static byte Exchange(FileStream file, long at, Func<byte, byte> change)
    {
        Span<byte> value = stackalloc byte[1];
        RandomAccess.Read(file.SafeFileHandle, value, at);
        byte original = value[0];
        value[0] = change(original);
        RandomAccess.Write(file.SafeFileHandle, value, at);
        return original;
    }
}
