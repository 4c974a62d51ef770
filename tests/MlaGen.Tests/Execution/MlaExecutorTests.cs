using System.Collections.Concurrent;
using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Execution;

/// <summary>What the threads under a step promise, whatever happens in it.</summary>
public sealed class MlaExecutorTests
{
    private const int Units = 40;

    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(9)]
    public void Every_unit_runs_once_and_no_two_under_one_index_at_once(int threads)
    {
        using var executor = new MlaExecutor(threads);
        int[] running = new int[threads];
        for (int units = 0; units < Units; units++)
        {
            int[] runs = new int[units];
            executor.Run(
                (unit, worker) =>
                {
                    Assert.Equal(1, Interlocked.Increment(ref running[worker]));
                    Interlocked.Increment(ref runs[unit]);
                    Thread.Yield();
                    Interlocked.Decrement(ref running[worker]);
                },
                units,
                CancellationToken.None);

            Assert.All(runs, count => Assert.Equal(1, count));
        }
    }

    /// <summary>Each unit waits for all others: they end only if each has a thread of its own, however long the threads have slept.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(7)]
    public void All_threads_share_a_call_that_has_units_for_them(int threads)
    {
        using var executor = new MlaExecutor(threads);
        for (int units = 2; units <= threads; units++)
        {
            AwaitSleep(Workers(executor));
            using var meeting = new Barrier(units);
            executor.Run((_, _) => Assert.True(meeting.SignalAndWait(_patience)), units, CancellationToken.None);
        }
    }

    /// <summary>The threads meet in each of their units, so that none gets ahead and takes another's.</summary>
    [Theory]
    [InlineData(2, 10)]
    [InlineData(3, 12)]
    public void Neighbouring_units_run_on_one_thread(int threads, int units)
    {
        using var executor = new MlaExecutor(threads);
        using var meeting = new Barrier(threads);
        int[] workers = new int[units];

        executor.Run(
            (unit, worker) =>
            {
                workers[unit] = worker;
                Assert.True(meeting.SignalAndWait(_patience));
            },
            units,
            CancellationToken.None);

        Assert.Equal([.. Enumerable.Range(0, units).Select(unit => unit * threads / units)], workers);
    }

    [Fact]
    public void A_thread_without_units_takes_those_that_others_have_left()
    {
        using var executor = new MlaExecutor(2);
        using var others = new CountdownEvent(Units - 1);

        executor.Run(
            (unit, _) =>
            {
                // The first one of the second thread ends last.
                if (unit == Units / 2)
                {
                    Assert.True(others.Wait(_patience));
                }
                else
                {
                    others.Signal();
                }
            },
            Units,
            CancellationToken.None);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void A_unit_that_throws_is_told_and_the_next_call_runs_whole(int threads)
    {
        using var executor = new MlaExecutor(threads);
        for (int bad = 0; bad < Units; bad++)
        {
            var thrown = Assert.Throws<InvalidDataException>(() => executor.Run(
                (unit, _) =>
                {
                    if (unit == bad)
                    {
                        throw new InvalidDataException($"unit {unit}");
                    }
                },
                Units,
                CancellationToken.None));

            Assert.Equal($"unit {bad}", thrown.Message);
            AssertRunsWhole(executor);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void A_cancelled_call_leaves_units_out_and_the_next_call_runs_whole(int threads)
    {
        using var executor = new MlaExecutor(threads);
        for (int last = 0; last < Units - threads; last++)
        {
            using var source = new CancellationTokenSource();
            int runs = 0;
            Assert.Throws<OperationCanceledException>(() => executor.Run(
                (unit, _) =>
                {
                    Interlocked.Increment(ref runs);
                    if (unit == last)
                    {
                        source.Cancel();
                    }
                    else if (unit > last)
                    {
                        Assert.True(source.Token.WaitHandle.WaitOne(_patience));
                    }
                },
                Units,
                source.Token));

            // Those up to the one that cancels do not wait; of the others each thread is at most in one by then, which it finishes.
            Assert.InRange(runs, 1, last + threads);
            AssertRunsWhole(executor);
        }
    }

    [Fact]
    public void Workers_without_work_sleep()
    {
        using var executor = new MlaExecutor(4);
        AssertRunsWhole(executor);

        AwaitSleep(Workers(executor));
    }

    [Fact]
    public void Disposing_ends_the_workers_asleep_or_not()
    {
        for (int i = 0; i < 20; i++)
        {
            var executor = new MlaExecutor(6);
            Thread[] workers = Workers(executor);
            if (i % 2 == 0)
            {
                AwaitSleep(workers);
            }

            Parallel.Invoke(executor.Dispose, executor.Dispose);

            Assert.All(workers, worker => Assert.True(worker.Join(_patience)));
            Assert.Throws<ObjectDisposedException>(() => executor.Run((_, _) => { }, 1, CancellationToken.None));
        }
    }

    [Fact]
    public void Batches_that_run_at_once_on_one_executor_give_the_bits_that_each_gives_alone()
    {
        TestLayer layer = TestLayer.Get("yarn");
        Prompt[] prompts = [.. Enumerable.Range(0, 4).Select(i => Prompt.Random($"executor {i}", 90, layer.Spec.HiddenSize))];
        float[][] alone = [.. prompts.Select(prompt => Feed(prompt, executor: null))];
        using var executor = new MlaExecutor(3);
        var together = new ConcurrentDictionary<int, float[]>();

        // Threads of their own: a pool may run them one after the other.
        Thread[] threads = [.. Enumerable.Range(0, prompts.Length).Select(i => new Thread(() => together[i] = Feed(prompts[i], executor)))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());

        for (int i = 0; i < prompts.Length; i++)
        {
            Compare.AssertSameBits($"prompt {i}", together[i], alone[i]);
        }

        float[] Feed(Prompt prompt, MlaExecutor? executor)
        {
            using AttentionRun run = layer.Open(new RunOptions { Executor = executor, Form = MlaForm.Auto });
            return run.Feed(run.CreateSequence(), prompt, chunk: 7);
        }
    }

    private static void AssertRunsWhole(MlaExecutor executor)
    {
        int[] runs = new int[Units];
        executor.Run((unit, _) => Interlocked.Increment(ref runs[unit]), Units, CancellationToken.None);
        Assert.All(runs, count => Assert.Equal(1, count));
    }

    /// <summary>The threads beside this one.</summary>
    private static Thread[] Workers(MlaExecutor executor)
    {
        var threads = new ConcurrentBag<Thread>();
        using var meeting = new Barrier(executor.Threads);
        executor.Run(
            (_, _) =>
            {
                threads.Add(Thread.CurrentThread);
                Assert.True(meeting.SignalAndWait(_patience));
            },
            executor.Threads,
            CancellationToken.None);
        return [.. threads.Where(thread => thread != Thread.CurrentThread)];
    }

    /// <summary>A thread that waits in the system uses no processor; one that went on spinning would never be found there.</summary>
    private static void AwaitSleep(Thread[] workers) => Assert.All(workers, worker =>
        Assert.True(SpinWait.SpinUntil(() => worker.ThreadState.HasFlag(ThreadState.WaitSleepJoin), _patience)));
}
