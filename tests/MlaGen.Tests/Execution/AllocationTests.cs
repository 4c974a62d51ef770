using MlaGen.Tests.Attention;
using MlaGen.Tests.Sparse;

namespace MlaGen.Tests.Execution;

/// <summary>No managed memory is allocated in a step after the first ones, on none of its threads.</summary>
[Collection(nameof(AllocationTests))]
public sealed class AllocationTests
{
    private const int Threads = 2;
    private const int RoundCount = 50;
    private const int StepsPerRound = 20;
    private const int PromptTokens = 40;
    private const int AllocatedAtMost = 1 << 20;

    /// <summary>What the first step of a batch keeps beside its working memory, lists of rows and units, and what a collection meanwhile counts.</summary>
    private const int SmallBytes = 16 << 10;

    public static TheoryData<string, MlaForm> LayersAndForms => ForwardTests.LayersAndPinnedForms;

    [Theory]
    [MemberData(nameof(LayersAndForms))]
    public void A_thousand_steps_allocate_nothing_on_any_thread(string name, MlaForm form)
    {
        TestLayer layer = TestLayer.Get(name);
        Prompt prompt = Prompt.Random(name, PromptTokens, layer.Spec.HiddenSize);
        float[] output = new float[prompt.Hidden.Length];
        using AttentionRun run = layer.Open(new RunOptions { Form = form, Threads = Threads });
        LatentSequence sequence = run.CreateSequence();
        layer.Warmup();

        AssertRoundsAllocateNothing(run.Batch.Executor, Round);

        // A prompt, then tokens one by one.
        void Round()
        {
            sequence.Truncate(0);
            Step(PromptTokens);
            for (int i = 1; i < StepsPerRound; i++)
            {
                Step(1);
            }
        }

        void Step(int tokens)
        {
            int elements = tokens * prompt.Width;
            run.Batch.Add(sequence, tokens);
            run.Forward(prompt.Hidden.AsSpan(0, elements), output.AsSpan(0, elements));
            run.Batch.Commit();
        }
    }

    [Theory]
    [InlineData(MlaForm.Auto)]
    [InlineData(MlaForm.Absorbed)]
    [InlineData(MlaForm.Decompressed)]
    public void Steps_that_select_allocate_nothing(MlaForm form)
    {
        Rounds(SparseTestLayers.Layers(), form);
        Rounds([PoolTests.Layer], form);
    }

    private static void Rounds<T>(T[] layers, MlaForm form)
        where T : class, IMlaAttention<T>
    {
        Prompt prompt = Prompt.Random("steps that select", PromptTokens, T.Shape.HiddenSize);
        float[] output = new float[prompt.Hidden.Length];
        using SparseRun<T> run = new(layers, Threads, form: form);
        LatentSequence sequence = run.CreateSequence();
        T.Warmup();

        AssertRoundsAllocateNothing(run.Batch.Executor, () =>
        {
            sequence.Truncate(0);
            for (int i = 0; i < StepsPerRound; i++)
            {
                int tokens = i == 0 ? PromptTokens : 1;
                run.Batch.Add(sequence, tokens);
                foreach (T layer in layers)
                {
                    layer.Forward(run.Batch, prompt.Hidden.AsSpan(0, tokens * prompt.Width), output.AsSpan(0, tokens * prompt.Width));
                }

                run.Batch.Commit();
            }
        });
    }

    /// <summary>What .NET keeps of a thread's waits is made with the thread: in a busy first step a worker need not have slept.</summary>
    [Fact]
    public void A_worker_that_sleeps_for_the_first_time_allocates_nothing()
    {
        for (int i = 0; i < 10; i++)
        {
            using MlaExecutor executor = new(Threads);
            ThreadBytes bytes = new(executor);
            StartWithoutCollections();
            long awake = bytes.Count()[1];
            Thread.Sleep(20);
            long asleep = bytes.Count()[1];
            GC.EndNoGCRegion();

            Assert.Equal(awake, asleep);
        }
    }

    /// <summary>After a first round, many more allocate nothing on any thread.</summary>
    private static void AssertRoundsAllocateNothing(MlaExecutor executor, Action round)
    {
        ThreadBytes before = new(executor);
        ThreadBytes after = new(executor);
        round();
        StartWithoutCollections();
        before.Count();
        for (int i = 0; i < RoundCount; i++)
        {
            round();
        }

        after.Count();
        GC.EndNoGCRegion();

        Assert.Equal(before.Bytes, after.Bytes);
    }

    /// <summary>A collection, also one that goes on in the background, takes the rest of a thread's allocation buffer away and counts it as allocated.</summary>
    private static void StartWithoutCollections() => Assert.True(GC.TryStartNoGCRegion(AllocatedAtMost));

    [Theory]
    [MemberData(nameof(LayersAndForms))]
    public void A_batch_takes_the_memory_of_its_steps_when_it_is_made(string name, MlaForm form)
    {
        const int Rows = 20;
        TestLayer layer = TestLayer.Get(name);
        Prompt prompt = Prompt.Random(name, Rows, layer.Spec.HiddenSize);
        float[] output = new float[prompt.Hidden.Length];
        layer.Warmup();

        Assert.InRange(BytesOfFirstStep(reserveRows: Rows), 0, SmallBytes);
        Assert.True(BytesOfFirstStep(reserveRows: 0) > 2 * SmallBytes);

        long BytesOfFirstStep(int reserveRows)
        {
            using AttentionRun run = layer.Open(new RunOptions { Form = form, Threads = Threads, ReserveRows = reserveRows });
            LatentSequence sequence = run.CreateSequence();
            run.Batch.Add(sequence, Rows);
            long before = GC.GetAllocatedBytesForCurrentThread();
            run.Forward(prompt.Hidden, output);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    /// <summary>What each thread of an executor has allocated. They count for themselves, so that what other tests allocate does not.</summary>
    private sealed class ThreadBytes
    {
        private readonly MlaExecutor _executor;
        private readonly Action<int, int> _count;
        private int _arrived;

        public ThreadBytes(MlaExecutor executor)
        {
            _executor = executor;
            _count = Count;
        }

        public long[] Bytes { get; } = new long[Threads];

        public long[] Count()
        {
            _executor.Run(_count, Threads, CancellationToken.None);
            return Bytes;
        }

        /// <summary>Each thread takes one unit, because it waits in it for the others: in a way that allocates nothing.</summary>
        private void Count(int unit, int worker)
        {
            int all = (Interlocked.Increment(ref _arrived) + Threads - 1) / Threads * Threads;
            SpinWait spin = default;
            while (Volatile.Read(ref _arrived) < all)
            {
                spin.SpinOnce();
            }

            Bytes[worker] = GC.GetAllocatedBytesForCurrentThread();
        }
    }
}

[CollectionDefinition(nameof(AllocationTests), DisableParallelization = true)]
public sealed class AllocationTestsAlone;
