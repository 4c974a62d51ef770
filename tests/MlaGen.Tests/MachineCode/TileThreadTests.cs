using System.Runtime.CompilerServices;
using MlaGen.Runtime;
using MlaGen.Tests.Attention;
using MlaGen.Tests.Golden;

namespace MlaGen.Tests.MachineCode;

/// <summary>A process that has run tiles goes on: exceptions that are signals, garbage collections, deep stacks and the end of threads.</summary>
public sealed class TileThreadTests
{
    private const int Threads = 4;
    private const int Exceptions = 10_000;

    [AmxFact]
    public void Threads_that_ran_tiles_survive_signals_collections_deep_stacks_and_their_end()
    {
        using var collecting = new CancellationTokenSource();
        var collector = new Thread(() =>
        {
            while (!collecting.IsCancellationRequested)
            {
                GC.Collect();
                Thread.Sleep(1);
            }
        });
        collector.Start();
        foreach (int exceptions in (int[])[Exceptions, 100, 100])
        {
            using var executor = new MlaExecutor(Threads);
            float[] before = Attend(executor);
            int prepared = 0;
            executor.RunApart(
                (_, _) =>
                {
                    // Every thread takes one unit: none ends before all have begun.
                    Assert.True(TileThread.IsPrepared);
                    Interlocked.Increment(ref prepared);
                    SpinWait.SpinUntil(() => Volatile.Read(ref prepared) == Threads);
                    Fail(exceptions);
                },
                Threads,
                CancellationToken.None);
            Fail(exceptions);
            Assert.Equal(before, Attend(executor));
        }

        collecting.Cancel();
        collector.Join();
        Fail(Exceptions);
    }

    [Fact]
    public void Threads_of_the_executors_own_have_another_stack_for_signals_and_no_others()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        using var executor = new MlaExecutor(Threads);
        Thread caller = Thread.CurrentThread;
        int runs = 0;
        for (int units = 1; units <= 3 * Threads; units++)
        {
            executor.RunApart(
                (_, worker) =>
                {
                    Assert.NotSame(caller, Thread.CurrentThread);
                    Assert.InRange(worker, 0, Threads - 1);
                    Assert.True(TileThread.IsPrepared);
                    Fail(10);
                    Interlocked.Increment(ref runs);
                },
                units,
                CancellationToken.None);
            executor.Run((_, _) => Interlocked.Increment(ref runs), units, CancellationToken.None);
        }

        Assert.Equal(2 * Enumerable.Range(1, 3 * Threads).Sum(), runs);
        Assert.False(TileThread.IsPrepared);
        Assert.Throws<InvalidOperationException>(() => executor.RunApart((_, _) => throw new InvalidOperationException("unit"), 2, CancellationToken.None));
        Assert.Throws<OperationCanceledException>(() => executor.RunApart((_, _) => { }, 2, new CancellationToken(canceled: true)));
        executor.Dispose();
        Assert.Throws<ObjectDisposedException>(() => executor.RunApart((_, _) => { }, 1, CancellationToken.None));
    }

    private static float[] Attend(MlaExecutor executor)
    {
        List<float> outputs = [];
        foreach (MlaPrecision precision in (MlaPrecision[])[MlaPrecision.High, MlaPrecision.Medium])
        {
            using LatentCache<Medium40Attention> cache = Medium40Attention.CreateCache(1, 4096, new LatentCacheOptions { Precision = precision });
            Assert.Equal(CoreTarget.Amx, cache.Cores.Absorbed.Single(core => core.Runs).Target);
            using LatentSequence sequence = cache.CreateSequence();
            using MlaBatch<Medium40Attention> batch = cache.CreateBatch(executor);
            batch.Add(sequence, 2000);
            Medium40Attention.AppendLatent(batch, 0, CounterRandom.Hidden("tiles", 2000, 288));
            batch.Commit();
            batch.AddQueries(sequence, 1);
            float[] output = new float[40 * 256];
            Medium40Attention.AttendLatent(batch, 0, CounterRandom.Hidden("tiles queries", 40, 288), output, new float[40]);
            AttentionRun.AssertWritten(output);
            outputs.AddRange(output);
        }

        return [.. outputs];
    }

    /// <summary>Exceptions that the processor raises, and a stack that is deep.</summary>
    private static void Fail(int exceptions)
    {
        int caught = 0;
        for (int i = 0; i < exceptions; i++)
        {
            try
            {
                caught += Dereference(null);
            }
            catch (NullReferenceException)
            {
                caught++;
            }

            try
            {
                caught += Divide(i, 0);
            }
            catch (DivideByZeroException)
            {
                caught++;
            }
        }

        Assert.Equal(2 * exceptions, caught);
        Assert.Equal(1000, Deep(1000));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Dereference(int[]? values) => values!.Length;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Divide(int one, int other) => one / other;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Deep(int depth)
    {
        Span<long> room = stackalloc long[32];
        room[depth % room.Length] = depth;
        return depth == 0 ? 0 : 1 + Deep(depth - 1) + (int)(room[depth % room.Length] - depth);
    }
}
