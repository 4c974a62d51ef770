using System.Buffers;
using MlaGen.Tests.Acceptance;
using MlaGen.Tests.Attention;
using MlaGen.Tests.Caching;
using MlaGen.Tests.Oracles;
using Stopwatch = System.Diagnostics.Stopwatch;

namespace MlaGen.Tests.Execution;

/// <summary><see cref="Thread.Interrupt"/>, wherever it meets a call: no thread goes on with the work behind the caller's back, and nothing is half done.</summary>
public sealed class InterruptTests
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    public void An_interrupted_call_returns_after_every_thread_has_left_it(int threads)
    {
        using var executor = new MlaExecutor(threads);
        using var gate = new ManualResetEventSlim();
        using var started = new CountdownEvent(threads - 1);
        int running = 0;
        int left = -1;
        Exception? exception = null;
        var caller = new Thread(() =>
        {
            exception = Record.Exception(() => executor.Run(
                (_, worker) =>
                {
                    if (worker > 0)
                    {
                        Interlocked.Increment(ref running);
                        started.Signal();
                        gate.Wait(_patience);
                        Interlocked.Decrement(ref running);
                    }
                    else
                    {
                        started.Wait(_patience);
                    }
                },
                threads,
                CancellationToken.None));
            left = Volatile.Read(ref running);
        });
        caller.Start();
        Assert.True(started.Wait(_patience));
        for (int i = 0; i < 50; i++)
        {
            caller.Interrupt();
            Thread.Sleep(1);
            Assert.True(caller.IsAlive);
        }

        gate.Set();
        Assert.True(caller.Join(_patience));
        Assert.Equal(0, left);
        Assert.IsType<ThreadInterruptedException>(exception);
        int[] runs = new int[40];
        executor.Run((unit, _) => Interlocked.Increment(ref runs[unit]), runs.Length, CancellationToken.None);
        Assert.All(runs, count => Assert.Equal(1, count));
    }

    /// <summary>A unit may give its thread away: workers go on, asleep or not.</summary>
    [Fact]
    public void Workers_outlive_an_interrupt()
    {
        using var executor = new MlaExecutor(3);
        for (int round = 0; round < 20; round++)
        {
            Thread?[] threads = new Thread?[3];
            using var meeting = new Barrier(3);
            executor.Run(
                (_, worker) =>
                {
                    threads[worker] = Thread.CurrentThread;

                    // An interrupt of the last round may wait for its thread still, and is not what this round is about.
                    Record.Exception(() => Thread.Sleep(1));
                    Assert.True(meeting.SignalAndWait(_patience));
                },
                3,
                CancellationToken.None);
            foreach (Thread? worker in threads.Where(thread => thread != Thread.CurrentThread))
            {
                Assert.True(round % 2 == 0 || SpinWait.SpinUntil(() => worker!.ThreadState.HasFlag(ThreadState.WaitSleepJoin), _patience));
                worker!.Interrupt();
            }
        }
    }

    /// <summary>At any time, while other threads use the same cache: a step that is interrupted cannot be committed, and steps after it are right.</summary>
    [Theory]
    [InlineData(MlaForm.Absorbed)]
    [InlineData(MlaForm.Decompressed)]
    public void Interrupted_steps_are_rolled_back_and_the_others_lose_nothing(MlaForm form)
    {
        var text = new Continuation(TestLayer.Get("yarn"), "interrupted", 400, 24);
        float[] expected = text.Whole(new RunOptions { Form = form });
        using AttentionRun run = text.Layer.Open(new RunOptions { Form = form, Threads = 4, PageTokens = 16 });
        LatentSequence sequence = text.Start(run);
        LatentSequence shared = text.Start(run);
        (int Used, int Shared, long Tokens) before = Counts();
        bool done = false;
        Exception? failure = null;
        Exception? neighbourFailure = null;
        int interrupted = 0;
        int committed = 0;
        long start = Stopwatch.GetTimestamp();
        var neighbour = new Thread(() => neighbourFailure = Record.Exception(() =>
        {
            while (!Volatile.Read(ref done))
            {
                shared.Fork().Dispose();
            }
        }));
        var worker = new Thread(() => failure = Record.Exception(() =>
        {
            float[] output = new float[expected.Length];

            // Until there have been enough of both.
            for (int step = 0; Math.Min(interrupted, committed) < 10 && Stopwatch.GetElapsedTime(start) < _patience; step++)
            {
                bool failed = false;
                try
                {
                    run.Batch.Add(sequence, text.Prompt.Tokens);
                    run.Forward(text.Prompt.Hidden, output);
                }
                catch (ThreadInterruptedException)
                {
                    failed = true;
                }

                if (failed)
                {
                    interrupted++;
                    Assert.Throws<InvalidOperationException>(run.Batch.Commit);
                    run.Batch.Rollback();
                }
                else
                {
                    committed++;
                    Compare.AssertSameBits($"step {step}", output, expected);
                    run.Batch.Commit();
                    sequence.Truncate(400);
                }
            }
        }));
        neighbour.Start();
        worker.Start();

        // At once again and after a while, in which a step can end.
        var random = new Random(7);
        while (worker.IsAlive)
        {
            worker.Interrupt();
            Thread.Sleep(random.Next(40));
        }

        worker.Join();
        Volatile.Write(ref done, true);
        neighbour.Join();
        Assert.Null(failure);
        Assert.Null(neighbourFailure);
        Assert.Equal(10, Math.Min(interrupted, committed));
        Assert.Equal(before, Counts());

        (int, int, long) Counts() => (run.Pool.UsedPages, run.Pool.SharedPages, run.Pool.Tokens);
    }

    /// <summary>What waits for the cache's lock ends what it has begun, and the interrupt is there for the next wait.</summary>
    [Theory]
    [InlineData("rollback")]
    [InlineData("dispose batch")]
    [InlineData("commit")]
    [InlineData("dispose")]
    [InlineData("truncate")]
    [InlineData("fork")]
    [InlineData("evict")]
    [InlineData("clear")]
    [InlineData("register")]
    public void An_interrupt_that_meets_a_lock_leaves_nothing_half_done(string what)
    {
        var memory = new SlowMemoryPool();
        using LatentCache<TinyAttention> cache = new(1, 400, new LatentCacheOptions { Memory = memory });
        using MlaBatch<TinyAttention> batch = cache.CreateBatch();
        LatentSequence sequence = cache.CreateSequence();
        LatentSequence other = cache.CreateSequence();
        batch.Append(sequence, 10);
        int[] tokens = [.. Enumerable.Range(0, 10)];
        LatentSequence fork = sequence.Fork();
        if (what is "evict" or "clear")
        {
            cache.Prefixes.Register(sequence, tokens);
            fork.Dispose();
            sequence.Dispose();
        }

        if (what is "rollback" or "dispose batch" or "commit")
        {
            batch.Add(fork, 7);
            batch.WriteAllLayers();
        }

        LatentSequence? second = null;
        Action action = what switch
        {
            "rollback" => batch.Rollback,
            "dispose batch" => batch.Dispose,
            "commit" => batch.Commit,
            "dispose" => fork.Dispose,
            "truncate" => () => fork.Truncate(3),
            "fork" => () => second = fork.Fork(),
            "evict" => () => cache.Prefixes.Evict(5),
            "clear" => cache.Prefixes.Clear,
            _ => () => Assert.Equal(2, cache.Prefixes.Register(fork, tokens)),
        };

        // One thread takes memory, in the lock, for as long as it is told to.
        memory.IsSlow = true;
        Exception? failure = null;
        var taker = new Thread(() => failure = Record.Exception(() => Assert.True(other.TryReserve(60))));
        taker.Start();
        Assert.True(memory.Entered.Wait(_patience));
        Exception? exception = null;
        bool told = false;
        var waiter = new Thread(() =>
        {
            exception = Record.Exception(action);
            told = Record.Exception(() => Thread.Sleep(0)) is ThreadInterruptedException;
        });
        waiter.Start();
        Assert.True(SpinWait.SpinUntil(() => waiter.ThreadState.HasFlag(ThreadState.WaitSleepJoin), _patience));
        waiter.Interrupt();
        Assert.False(waiter.Join(20));
        memory.Go.Set();
        Assert.True(waiter.Join(_patience) && taker.Join(_patience));

        Assert.Null(failure);
        Assert.Null(exception);
        Assert.True(told);
        second?.Dispose();
        batch.Dispose();
        fork.Dispose();
        sequence.Dispose();
        other.Dispose();
        cache.Prefixes.Clear();
        Assert.Equal((0, 0, 0L, 0), (cache.UsedPages, cache.SharedPages, cache.Tokens, cache.Prefixes.Pages));
    }

    /// <summary>Slabs of one page, each of which can be made to take long.</summary>
    private sealed class SlowMemoryPool : MemoryPool<byte>
    {
        public bool IsSlow { get; set; }

        public ManualResetEventSlim Entered { get; } = new();

        public ManualResetEventSlim Go { get; } = new();

        public override int MaxBufferSize => 4 * 24;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
        {
            if (IsSlow)
            {
                Entered.Set();
                Assert.True(Go.Wait(_patience));
            }

            return new TestMemoryPool().Rent(minBufferSize);
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
