using MlaGen.Tests.Caching;
using MlaGen.Tests.Checkpoints;
using MlaGen.Tests.Processes;

namespace MlaGen.Tests.Files;

/// <summary>Files that another process changes while they are read: an exception, never the end of the process.</summary>
public sealed class ChangedFileTests : IDisposable
{
    private const int Layers = 2;

    private readonly TemporaryDirectory _directory = new();
    private Action? _onFault;

    public void Dispose() => _directory.Dispose();

    /// <summary>At every point of loading, by every amount from one byte to all of them.</summary>
    [Fact]
    public void A_cache_file_that_is_shortened_while_it_is_loaded_is_refused()
    {
        string path = _directory.At("story.cache");
        using LatentCache<LongAttention> cache = new(Layers, maxTokens: 8_192, new LatentCacheOptions { Fault = () => _onFault?.Invoke() });
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<LongAttention> batch = cache.CreateBatch();
        batch.Append(sequence, 3_000);
        cache.Save(path, new SavedSequence(sequence));
        byte[] bytes = File.ReadAllBytes(path);
        int refused = 0;
        bool isWhole = false;
        int used = cache.UsedPages;
        for (int point = 0; !isWhole; point = point < 24 ? point + 1 : point * 2)
        {
            foreach (int length in (int[])[bytes.Length - 1, bytes.Length / 2, 4096, 1, 0])
            {
                File.WriteAllBytes(path, bytes);
                int left = point;
                _onFault = () =>
                {
                    if (left-- == 0)
                    {
                        using FileStream file = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
                        file.SetLength(length);
                    }
                };
                SavedSequence[] loaded = [];
                Exception? e = Record.Exception(() => loaded = cache.Load(path));
                _onFault = null;
                Assert.True(e is null or CacheFileException, e?.ToString());
                refused += e is null ? 0 : 1;
                isWhole = left >= 0;
                Array.ForEach(loaded, saved => saved.Sequence.Dispose());
                Assert.Equal(used, cache.UsedPages);
            }
        }

        Assert.InRange(refused, 100, int.MaxValue);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(-34)]
    [InlineData(1)]
    [InlineData(4096)]
    public void A_checkpoint_of_another_length_than_it_had_is_refused_by_the_next_read(int change)
    {
        string path = _directory.Write("model.safetensors", SafetensorsBytes.Legal);
        using Checkpoint checkpoint = Checkpoint.Open(path);
        Assert.True(checkpoint.TryGetTensor("a", out CheckpointTensor? tensor));
        tensor.Read(0, new byte[24]);

        int length = SafetensorsBytes.Legal.Length;
        SetLength(path, length + change);
        CheckpointException e = Assert.Throws<CheckpointException>(() => tensor.Read(0, new byte[24]));
        Assert.Contains($"it was {length} bytes long when it was opened, and {length + change} when it was read", e.Message, StringComparison.Ordinal);
        Assert.Equal(path, e.File);

        SetLength(path, length);
        tensor.Read(0, new byte[24]);
    }

    /// <summary>Windows lets nobody rename over a mapped file.</summary>
    [PlatformFact(Platform.Unix)]
    public void A_checkpoint_under_whose_name_there_is_another_file_now_is_read_as_it_was()
    {
        string path = _directory.Write("model.safetensors", SafetensorsBytes.Legal);
        using Checkpoint checkpoint = Checkpoint.Open(path);
        Assert.True(checkpoint.TryGetTensor("b", out CheckpointTensor? tensor));
        File.Move(_directory.Write("new", "something else"), path, overwrite: true);
        byte[] bytes = new byte[8];
        tensor.Read(0, bytes);
        Assert.Equal(Enumerable.Range(26, 8).Select(value => (byte)value), bytes);
    }

    [Fact]
    public async Task A_checkpoint_that_is_shortened_again_and_again_ends_no_process()
    {
        const int Length = 1 << 20;
        byte[] whole = SafetensorsBytes.OfVectors(("a", Length));
        string path = _directory.Write("model.safetensors", whole);
        using Checkpoint checkpoint = Checkpoint.Open(path);
        Assert.True(checkpoint.TryGetTensor("a", out CheckpointTensor? tensor));
        using CancellationTokenSource stop = new();
        Task shortening = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                SetLength(path, 0);
                SetLength(path, whole.Length);
            }
        });
        byte[] destination = new byte[Length];
        for (int i = 0; i < 2_000; i++)
        {
            Exception? e = Record.Exception(() => tensor.Read(0, destination));
            Assert.True(e is null or CheckpointException, e?.ToString());
        }

        await stop.CancelAsync();
        await shortening;
    }

    private static void SetLength(string path, int length)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        file.SetLength(length);
    }
}
