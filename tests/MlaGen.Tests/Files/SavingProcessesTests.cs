using System.Diagnostics;
using System.Globalization;
using MlaGen.Tests.Caching;
using MlaGen.Tests.Processes;

namespace MlaGen.Tests.Files;

/// <summary>Several savers of one path: whoever loads it finds one whole file of one of them, always.</summary>
public sealed class SavingProcessesTests : IDisposable
{
    /// <summary>Set for a child process: the file, and for how many seconds it saves.</summary>
    private const string PathVariable = "MLAGEN_TEST_SAVED_FILE";
    private const string SecondsVariable = "MLAGEN_TEST_SAVED_SECONDS";

    private const int Seconds = 20;
    private const int Layers = 2;

    private readonly TemporaryDirectory _directory = new();

    private string Saved => _directory.At("story.cache");

    private static string Filter => $"FullyQualifiedName={typeof(SavingProcessesTests).FullName}.{nameof(A_saver)}";

    public void Dispose() => _directory.Dispose();

    /// <summary>What a child process does.</summary>
    [ChildFact(PathVariable)]
    public void A_saver() => SaveAndLoad(
        Environment.GetEnvironmentVariable(PathVariable)!,
        Environment.ProcessId,
        TimeSpan.FromSeconds(double.Parse(Environment.GetEnvironmentVariable(SecondsVariable)!, CultureInfo.InvariantCulture)));

    [Fact]
    public async Task Two_processes_that_save_to_one_path_lose_nothing()
    {
        using Saver reader = new(id: 0);
        reader.Save(Saved);
        Task<int>[] savers = [Run(), Run()];
        HashSet<int> seen = [];
        while (!Array.TrueForAll(savers, saver => saver.IsCompleted))
        {
            seen.Add(reader.Load(Saved));
        }

        int[] passed = await Task.WhenAll(savers);
        Assert.All(passed, count => Assert.Equal(1, count));
        Assert.Equal(3, seen.Count);
        Assert.Equal([Saved], Directory.GetFiles(_directory.Path));

        Task<int> Run() => TestProcess.Run(Filter, (PathVariable, Saved), (SecondsVariable, Seconds.ToString(CultureInfo.InvariantCulture)));
    }

    [Fact]
    public async Task Threads_that_save_to_one_path_lose_nothing()
    {
        await Task.WhenAll(Enumerable.Range(1, 3).Select(id => Task.Factory.StartNew(() => SaveAndLoad(Saved, id, TimeSpan.FromSeconds(2)), TaskCreationOptions.LongRunning)));
        Assert.Equal([Saved], Directory.GetFiles(_directory.Path));
    }

    [Fact]
    public async Task A_saver_that_is_killed_leaves_a_whole_file_and_hinders_nobody()
    {
        using Saver reader = new(id: 0);
        Random random = new(11);
        for (int round = 0; round < 5; round++)
        {
            reader.Save(Saved);
            using Process saver = TestProcess.Start(Filter, (PathVariable, Saved), (SecondsVariable, "600"));
            try
            {
                while (reader.Load(Saved) == 0)
                {
                    Assert.False(saver.HasExited, "the saver has ended by itself");
                    await Task.Delay(1);
                }

                await Task.Delay(random.Next(100));
            }
            finally
            {
                // Whatever has failed: it would go on for its ten minutes.
                saver.Kill(entireProcessTree: true);
                await saver.WaitForExitAsync();
            }

            Assert.NotEqual(0, reader.Load(Saved));
        }

        reader.Save(Saved);
        Assert.Equal(0, reader.Load(Saved));
        Assert.All(Directory.GetFiles(_directory.Path), file => Assert.True(file == Saved || Path.GetFileName(file).StartsWith(".mlagen-", StringComparison.Ordinal), file));
    }

    private static void SaveAndLoad(string path, int id, TimeSpan time)
    {
        using Saver saver = new(id);
        long start = Stopwatch.GetTimestamp();
        for (int count = 0; count < 2 || Stopwatch.GetElapsedTime(start) < time; count++)
        {
            saver.Save(path);
            saver.Load(path);
        }
    }

    /// <summary>A cache with a sequence that only this saver has: how long it is and what it holds follow from a number.</summary>
    private sealed class Saver : IDisposable
    {
        private readonly LatentCache<LongAttention> _cache = new(Layers, maxTokens: 16_384);
        private readonly LatentSequence _sequence;
        private readonly int _id;

        public Saver(int id)
        {
            _id = id;
            _sequence = _cache.CreateSequence();
            using MlaBatch<LongAttention> batch = _cache.CreateBatch();
            batch.Append(_sequence, Length(id), first: id % 1000);
        }

        public void Save(string path) => _cache.Save(path, new SavedSequence(_sequence, new[] { _id }));

        /// <summary>Loads, checks what is loaded, and says whose it is.</summary>
        public int Load(string path)
        {
            SavedSequence saved = Assert.Single(_cache.Load(path));
            using LatentSequence sequence = saved.Sequence;
            int id = Assert.Single(saved.Tokens.ToArray());
            Assert.Equal(Length(id), sequence.Length);
            for (int token = 0; token < sequence.Length; token += 97)
            {
                sequence.AssertHolds(token, Layers - 1, (id % 1000) + token);
            }

            return id;
        }

        public void Dispose()
        {
            _sequence.Dispose();
            _cache.Dispose();
        }

        private static int Length(int id) => 1_000 + (id % 5_000);
    }
}
