using System.Globalization;
using MlaGen.Tests.Attention;
using MlaGen.Tests.Caching;
using Xunit.Sdk;

namespace MlaGen.Tests.Serving;

/// <summary>
/// Public calls in any order with any arguments, right and wrong, on several threads that share a small cache: what is right succeeds with the bits
/// of a run alone, what is wrong is refused as documented and changes nothing, and no page is lost. A short run of fixed length, or as many minutes
/// as <see cref="MinutesVariable"/> says, shared between the formats. What fails names its seed, with which one thread's calls repeat.
/// </summary>
[Trait("Category", "Fuzz")]
[Collection(nameof(SoakTests))]
public sealed class ApiFuzzTests
{
    public const string MinutesVariable = "MLAGEN_FUZZ_MINUTES";

    private const int PageTokens = 8;

    /// <summary>Calls of a thread in a short run.</summary>
    private const int ShortRun = 8_000;

    private const int Threads = 3;

    /// <summary>Fewer, and the calls would be refused for the most part: nothing would be told of what they do.</summary>
    private const int LeastCommits = 500;

    private const int LeastComparisons = 1_500;

    public static TheoryData<CacheFormat> Formats => [.. TestLayer.Formats];

    [Theory]
    [MemberData(nameof(Formats))]
    public void Any_calls_are_right_or_refused(CacheFormat format)
    {
        DateTime? end = Environment.GetEnvironmentVariable(MinutesVariable) is { Length: > 0 } minutes
            ? DateTime.UtcNow + TimeSpan.FromMinutes(double.Parse(minutes, CultureInfo.InvariantCulture) / TestLayer.Formats.Count())
            : null;
        int first = end is null ? 0 : Environment.TickCount;
        for (int round = 0; round == 0 || DateTime.UtcNow < end; round++)
        {
            Run(format, first + (round * Threads));
        }
    }

    private static void Run(CacheFormat format, int seed)
    {
        var memory = new TestMemoryPool(4 * checked((int)Story.Layer(format).Layout.Bytes(1, 1, PageTokens)));
        using (AttentionRun run = Story.Layer(format).Open(new RunOptions { PageTokens = PageTokens, MaxTokens = 14 * Threads * PageTokens, Memory = memory }))
        {
            var failures = new Exception?[Threads];
            int commits = 0;
            int comparisons = 0;
            Thread[] threads = [.. Enumerable.Range(0, Threads).Select(i => new Thread(() =>
            {
                int call = 0;
                ApiFuzzWorker? worker = null;
                try
                {
                    using (worker = new ApiFuzzWorker(run, format, seed + i))
                    {
                        for (; call < ShortRun; call++)
                        {
                            worker.Call();
                        }

                        Interlocked.Add(ref commits, worker.Commits);
                        Interlocked.Add(ref comparisons, worker.Comparisons);
                    }
                }
                catch (Exception exception)
                {
                    failures[i] = new XunitException($"{format}, seed {seed + i}, call {call}: {string.Join(", ", worker?.Last ?? [])}", exception);
                }
            }))];
            Array.ForEach(threads, thread => thread.Start());
            Array.ForEach(threads, thread => thread.Join());
            if (Array.Find(failures, failure => failure is not null) is { } failure)
            {
                throw failure;
            }

            Assert.True(commits >= LeastCommits && comparisons >= LeastComparisons, $"{commits} commits, {comparisons} comparisons");
            run.Pool.OnFull = null;
            run.Prefixes.Clear();
            Assert.Equal((0, 0, 0L), (run.Pool.UsedPages, run.Pool.SharedPages, run.Pool.Tokens));
        }

        Assert.Equal(0, memory.Outstanding);
    }
}
