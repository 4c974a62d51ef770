using System.Globalization;
using MlaGen.Tests.Attention;
using MlaGen.Tests.Caching;
using Xunit.Sdk;

namespace MlaGen.Tests.Serving;

/// <summary>
/// Everything that serving does, at random, on all threads at once, in a cache that is always nearly full: results stay right, and no page and no memory is
/// lost. A short run of fixed length, or as many minutes as <see cref="MinutesVariable"/> says, shared between the formats.
/// </summary>
[Trait("Category", "Soak")]
[Collection(nameof(SoakTests))]
public sealed class SoakTests
{
    public const string MinutesVariable = "MLAGEN_SOAK_MINUTES";

    private const int PageTokens = 16;
    private const int SlabPages = 8;

    /// <summary>Operations of a thread in each half of a short run.</summary>
    private const int ShortRun = 60;

    /// <summary>The most that managed memory may grow from the end of the first half of a run to that of the second.</summary>
    private const long ManagedGrowth = 4 << 20;

    /// <summary>The same for the whole process, mapped files included, whose size depends on when the collector gives memory back.</summary>
    private const long ProcessGrowth = 128 << 20;

    private static readonly int _threads = Math.Max(2, Environment.ProcessorCount);

    public static TheoryData<CacheFormat> Formats => [.. TestLayer.Formats];

    [Theory]
    [MemberData(nameof(Formats))]
    public void Serving_stays_right_and_loses_nothing(CacheFormat format)
    {
        TimeSpan? time = Environment.GetEnvironmentVariable(MinutesVariable) is { Length: > 0 } minutes
            ? TimeSpan.FromMinutes(double.Parse(minutes, CultureInfo.InvariantCulture) / TestLayer.Formats.Count())
            : null;
        int pageBytes = checked((int)Story.Layer(format).Layout.Bytes(1, 1, PageTokens));
        var memory = new TestMemoryPool(SlabPages * pageBytes);
        using (AttentionRun run = Story.Layer(format).Open(new RunOptions { PageTokens = PageTokens, MaxTokens = 24 * _threads * PageTokens, Memory = memory }))
        {
            run.Pool.OnFull = run.Prefixes.Evict;
            Held before = RunHalf(run, format, time, seed: 0);
            Held after = RunHalf(run, format, time, seed: 1);
            Assert.InRange(after.Pages, before.Pages, run.Pool.Bytes);
            Assert.InRange(after.Managed - before.Managed, long.MinValue, ManagedGrowth + (after.Pages - before.Pages));
            Assert.InRange(after.Process - before.Process, long.MinValue, ProcessGrowth);
        }

        Assert.Equal(0, memory.Outstanding);
    }

    /// <summary>Half of a run, at whose end no text is left.</summary>
    private static Held RunHalf(AttentionRun run, CacheFormat format, TimeSpan? time, int seed)
    {
        DateTime? end = DateTime.UtcNow + (time / 2);
        var exceptions = new Exception?[_threads];
        Thread[] threads = [.. Enumerable.Range(0, _threads).Select(i => new Thread(() =>
        {
            using var worker = new SoakWorker(run, Story.Layer(format), seed: (seed * _threads) + i);
            try
            {
                for (int operation = 0; end is null ? operation < ShortRun : DateTime.UtcNow < end; operation++)
                {
                    worker.Operate();
                }
            }
            catch (Exception exception)
            {
                exceptions[i] = exception;
            }
        }))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        if (Array.Find(exceptions, exception => exception is not null) is { } first)
        {
            throw new XunitException($"{format}, half {seed}, thread {Array.IndexOf(exceptions, first)}", first);
        }

        run.Prefixes.Clear();
        Assert.Equal((0, 0, 0L, 0), (run.Pool.UsedPages, run.Pool.SharedPages, run.Pool.Tokens, run.Batch.Rows));
        return new Held(run.Pool.TakenBytes, GC.GetTotalMemory(forceFullCollection: true), Environment.WorkingSet);
    }

    /// <summary>Bytes taken for pages, of managed memory, and of the process.</summary>
    private readonly record struct Held(long Pages, long Managed, long Process);
}

/// <summary>By itself, so that no other test's memory is taken for its own.</summary>
[CollectionDefinition(nameof(SoakTests), DisableParallelization = true)]
public sealed class SoakDefinition;
