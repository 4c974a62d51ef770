using MlaGen.Tests.Acceptance;
using MlaGen.Tests.Caching;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary>A step that ends anywhere in the middle of its work, by cancellation or by an exception, cannot be committed and leaves every sequence as it was.</summary>
public sealed class InterruptedStepTests
{
    private const int Cached = 150;
    private const int Tokens = 3;

    public static TheoryData<CacheFormat, MlaForm> Cases => TestLayer.FormatsWith(MlaForm.Absorbed, MlaForm.Decompressed);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Wherever_a_step_is_cancelled_it_can_only_be_rolled_back(CacheFormat format, MlaForm form)
        => AssertInterruptible<OperationCanceledException>(format, form, source => source.Cancel());

    [Theory]
    [MemberData(nameof(Cases))]
    public void Wherever_a_step_fails_it_can_only_be_rolled_back(CacheFormat format, MlaForm form)
        => AssertInterruptible<InjectedFaultException>(format, form, _ => throw new InjectedFaultException());

    private static void AssertInterruptible<TException>(CacheFormat format, MlaForm form, Action<CancellationTokenSource> interrupt)
        where TException : Exception
    {
        var text = new Continuation(TestLayer.Get(format), "interrupted", Cached, Tokens);
        float[] expected = text.Whole(new RunOptions { Form = form });
        var memory = new ObservedMemoryPool();
        using AttentionRun run = text.Layer.Open(new RunOptions { Form = form, Threads = 1, PageTokens = 16, Memory = memory });
        LatentSequence sequence = text.Start(run);
        using LatentSequence fork = sequence.Fork();
        float[] rows = AttentionRun.Rows(sequence, text.Layer.Spec.RowWidth);
        (int, int, long) counts = Counts();
        float[] output = new float[expected.Length];
        int interrupted = 0;
        for (int after = 0; Interrupt(after); after++)
        {
            run.Batch.Rollback();
            Assert.Equal((Cached, counts), (sequence.Length, Counts()));
            Compare.AssertSameBits("rows", AttentionRun.Rows(sequence, text.Layer.Spec.RowWidth), rows);
        }

        // Every new row and every page of the context is a place to be interrupted at.
        Assert.InRange(interrupted, Tokens + (Cached / 16), int.MaxValue);
        run.Batch.Commit();
        Compare.AssertSameBits("output", output, expected);

        // Runs the step, interrupted at the so-manieth use of the cache; says whether there was one.
        bool Interrupt(int after)
        {
            using var source = new CancellationTokenSource();
            run.Batch.CancellationToken = source.Token;
            run.Batch.Add(sequence, Tokens);
            int uses = 0;
            memory.OnUse = () =>
            {
                if (uses++ == after)
                {
                    interrupt(source);
                }
            };
            Exception? exception = Record.Exception(() => run.Forward(text.Prompt.Hidden, output));
            memory.OnUse = null;
            if (exception is not null)
            {
                Assert.IsType<TException>(exception);
                Assert.Throws<InvalidOperationException>(run.Batch.Commit);
                interrupted++;
            }

            return uses > after;
        }

        (int, int, long) Counts() => (run.Pool.UsedPages, run.Pool.SharedPages, run.Pool.Tokens);
    }
}
