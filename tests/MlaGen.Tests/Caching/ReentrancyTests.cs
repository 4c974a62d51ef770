using System.Buffers;
using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Caching;

/// <summary>Callbacks that use what is being worked on: refused before anything changes, and what is worked on ends as if they had not.</summary>
public sealed class ReentrancyTests : IDisposable
{
    private const int Pages = 4;

    private readonly LatentCache<TinyAttention> _cache = new(layers: 2, maxTokens: 4 * Pages);
    private readonly MlaBatch<TinyAttention> _batch;
    private readonly LatentSequence _first;
    private readonly LatentSequence _second;
    private readonly LatentSequence _idle;

    public ReentrancyTests()
    {
        _batch = _cache.CreateBatch();
        _first = _cache.CreateSequence();
        _second = _cache.CreateSequence();
        _idle = _cache.CreateSequence();
        _batch.Append(_idle, 8);
        _batch.Append(_second, 3, first: 8);
        _batch.Add(_first, 2);
    }

    public static TheoryData<string> Changes => ["add", "add another", "ask", "accept", "accept path", "commit", "rollback", "dispose", "run", "append", "attend",
        "truncate added", "dispose added", "fork added", "reserve added", "register added", "save added", "truncate open", "dispose open", "dispose cache"];

    public void Dispose()
    {
        _batch.Dispose();
        _first.Dispose();
        _second.Dispose();
        _idle.Dispose();
        Assert.Equal((0, 0, 0L), (_cache.UsedPages, _cache.SharedPages, _cache.Tokens));
        _cache.Dispose();
    }

    /// <summary>Twice: the callback sees the refusal and frees something, or lets it out of the call.</summary>
    [Theory]
    [MemberData(nameof(Changes))]
    public void A_full_cache_that_changes_what_is_being_added_to_is_refused(string change)
    {
        List<Exception?> refusals = [];
        _cache.OnFull = _ =>
        {
            refusals.Add(Record.Exception(() => Change(change)));
            _idle.Truncate(0);
            return 2;
        };
        Assert.Equal(2, _batch.Add(_second, 6));
        AssertGoesOn(refusals, added: 6);

        // And once more, where nobody catches it.
        _batch.Add(_first, 1);
        _cache.OnFull = _ =>
        {
            Change(change);
            return 1;
        };
        var exception = Assert.Throws<InvalidOperationException>(() => _batch.Add(_second, 4));
        Assert.NotEmpty(exception.Message);
        Assert.Equal(1, _batch.Rows);
        _batch.Rollback();
        _second.AssertHolds(8, layer: 1, content: 7);
    }

    /// <summary>The same on the way to memory: the pool is asked for it in the middle of things.</summary>
    [Theory]
    [MemberData(nameof(Changes))]
    public void A_memory_pool_that_uses_the_cache_is_refused(string change)
    {
        List<Exception?> refusals = [];
        var memory = new CallingMemoryPool();
        using LatentCache<TinyAttention> cache = new(2, 16, new LatentCacheOptions { Memory = memory });
        using var tests = new Nested(cache);
        memory.Call = () => refusals.Add(Record.Exception(() => tests.Change(change)));
        tests.Batch.Add(tests.Second, 6);
        Assert.NotEmpty(refusals);
        Assert.All(refusals, refusal => Assert.IsType<InvalidOperationException>(refusal));
        memory.Call = null;
        tests.Batch.WriteAllLayers();
        tests.Batch.Commit();
        Assert.Equal((2, 6), (tests.First.Length, tests.Second.Length));
    }

    /// <summary>What it is for: to let go of what is in no open step.</summary>
    [Fact]
    public void A_full_cache_may_free_what_is_not_being_added_to()
    {
        using MlaBatch<TinyAttention> other = _cache.CreateBatch();
        other.AddQueries(_idle, 1);
        _cache.OnFull = _ =>
        {
            other.Rollback();
            _idle.Fork().Dispose();
            _cache.Prefixes.Register(_idle, [1, 2, 3, 4, 5, 6, 7, 8]);
            _idle.Dispose();
            return _cache.Prefixes.Evict(2);
        };
        _batch.Add(_second, 6);
        AssertGoesOn([], added: 6);
    }

    /// <summary>It needs pages itself, of which there are none: it is not asked again in the middle of it.</summary>
    [Fact]
    public void A_full_cache_that_needs_pages_finds_it_full()
    {
        int calls = 0;
        using MlaBatch<TinyAttention> other = _cache.CreateBatch();
        _cache.OnFull = _ =>
        {
            calls++;
            Assert.False(_idle.TryReserve(4));
            Assert.Throws<LatentCacheFullException>(() => other.Add(_idle, 1));
            _idle.Truncate(4);
            Assert.True(_idle.TryReserve(4));
            Assert.True(_idle.TryReserve(0));
            return 1;
        };
        _batch.Add(_second, 2);
        Assert.Equal(1, calls);
        _cache.OnFull = null;
        AssertGoesOn([], added: 2);
    }

    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(1)]
    [InlineData(0)]
    [InlineData(int.MinValue)]
    public void A_full_cache_that_says_that_it_has_freed_what_it_has_not_is_full(int said)
    {
        int calls = 0;
        _cache.OnFull = _ =>
        {
            calls++;
            _idle.Fork().Dispose();
            return said;
        };
        Assert.Throws<LatentCacheFullException>(() => _batch.Add(_second, 8));
        Assert.False(_second.TryReserve(8));
        Assert.Equal(2, calls);
    }

    /// <summary>What was checked is what is added, whatever becomes of the caller's memory meanwhile.</summary>
    [Fact]
    public void Positions_and_parents_are_taken_before_the_callback()
    {
        int[] positions = [3, 4, 4, 5, 5];
        int[] parents = [-1, 0, 0, 1, 2];
        _cache.OnFull = _ =>
        {
            Array.Fill(positions, int.MaxValue);
            Array.Fill(parents, 1_000_000);
            _idle.Truncate(0);
            return 2;
        };
        _batch.Add(_second, 5, positions, parents);
        Assert.Equal([0, 1, 3, 4, 4, 5, 5], _batch.Positions.ToArray());
        _batch.WriteAllLayers();
        _batch.Accept(_second, [0, 2, 4]);
        _batch.Commit();
        Assert.Equal(6, _second.Length);
    }

    /// <summary>Memory whose bytes are asked for in the middle of a layer, or of committing a tree: from this thread or another.</summary>
    [Theory]
    [InlineData(MlaForm.Absorbed, false)]
    [InlineData(MlaForm.Decompressed, false)]
    [InlineData(MlaForm.Absorbed, true)]
    [InlineData(MlaForm.Decompressed, true)]
    public void A_batch_in_the_middle_of_a_layer_is_left_alone(MlaForm form, bool fromAnotherThread)
    {
        TestLayer layer = TestLayer.Get("yarn");
        Prompt prompt = Prompt.Random("middle", 40, layer.Spec.HiddenSize);
        int calls = 0;
        int refused = 0;
        float[] expected = Alone(observed: null);
        var memory = new ObservedMemoryPool();

        Compare.AssertSameBits("output", Alone(memory), expected);

        Assert.True(calls > 0);
        Assert.Equal(calls, refused);

        float[] Alone(ObservedMemoryPool? observed)
        {
            using AttentionRun run = layer.Open(new RunOptions { Form = form, Threads = 1, PageTokens = 16, Memory = observed });
            LatentSequence sequence = run.CreateSequence();
            LatentSequence other = run.CreateSequence();
            float[] output = new float[prompt.Hidden.Length];
            Action[] changes =
            [
                () => run.Batch.Add(other, 1), () => run.Batch.AddQueries(other, 1), () => run.Batch.Accept(sequence, 0), () => run.Batch.Accept(sequence, [0]), run.Batch.Commit,
                run.Batch.Rollback, run.Batch.Dispose, () => run.Forward(prompt.Hidden, output), () => run.AppendLatent(new float[40 * layer.Spec.RowWidth]),
                () => run.AttendLatent(new float[40 * layer.Spec.Heads * layer.Spec.RowWidth], new float[40 * layer.Spec.Heads * layer.Spec.KvLoraRank], new float[40 * layer.Spec.Heads]),
            ];
            int[] parents = [-1, 0, 0, 1, .. Enumerable.Range(3, 36)];
            run.Batch.Add(sequence, 40, parents: form == MlaForm.Absorbed ? parents : []);
            observed?.OnUse = () =>
            {
                Action change = changes[calls++ % changes.Length];
                Exception? exception = null;
                var thread = new Thread(() => exception = Record.Exception(change));
                if (fromAnotherThread)
                {
                    thread.Start();
                    thread.Join();
                }
                else
                {
                    exception = Record.Exception(change);
                }

                refused += exception is InvalidOperationException and not ObjectDisposedException ? 1 : 0;
            };
            run.Forward(prompt.Hidden, output);
            run.Batch.Accept(sequence, form == MlaForm.Absorbed ? [0, 2] : [0, 1]);
            run.Batch.Commit();
            observed?.OnUse = null;
            Assert.Equal((2, 0), (sequence.Length, other.Length));
            return [.. output, .. AttentionRun.Rows(sequence, layer.Spec.RowWidth)];
        }
    }

    /// <summary>Rows of a tree that were moved in part can not be moved again.</summary>
    [Fact]
    public void A_tree_whose_rows_cannot_all_be_moved_can_only_be_rolled_back()
    {
        for (int after = 0; after < 7; after++)
        {
            var memory = new ObservedMemoryPool();
            using LatentCache<TinyAttention> cache = new(2, 64, new LatentCacheOptions { Memory = memory });
            using LatentSequence sequence = cache.CreateSequence();
            using LatentSequence chain = cache.CreateSequence();
            using MlaBatch<TinyAttention> batch = cache.CreateBatch();
            batch.Add(chain, 2);
            batch.Add(sequence, 5, parents: [-1, -1, 1, 1, 3]);
            batch.WriteAllLayers();
            batch.Accept(sequence, [1, 3, 4]);
            int uses = 0;
            memory.OnUse = () =>
            {
                if (uses++ == after)
                {
                    throw new InjectedFaultException();
                }
            };
            Assert.Throws<InjectedFaultException>(batch.Commit);
            memory.OnUse = null;
            Assert.Throws<InvalidOperationException>(batch.Commit);
            Assert.Equal((0, 0), (sequence.Length, chain.Length));
            batch.Rollback();
            batch.Append(sequence, 3, first: 20);
            sequence.AssertHolds(1, layer: 1, content: 21);
        }
    }

    private void AssertGoesOn(List<Exception?> refusals, int added)
    {
        Assert.All(refusals, refusal => Assert.IsType<InvalidOperationException>(refusal));
        Assert.Equal(2 + added, _batch.Rows);
        _batch.WriteAllLayers();
        _batch.Commit();
        Assert.Equal((2, 3 + added), (_first.Length, _second.Length));
        _first.AssertHolds(1, layer: 0, content: 1);
        _second.AssertHolds(2, layer: 1, content: 10);
        _second.AssertHolds(2 + added, layer: 1, content: 1 + added);
        _cache.OnFull = null;
    }

    private void Change(string change) => Change(change, _cache, _batch, _first, _second, _idle);

    private static void Change(string change, LatentCache<TinyAttention> cache, MlaBatch<TinyAttention> batch, LatentSequence open, LatentSequence added, LatentSequence idle)
    {
        switch (change)
        {
            case "add":
                batch.Add(added, 1);
                break;
            case "add another":
                batch.Add(idle, 1);
                break;
            case "ask":
                batch.AddQueries(idle, 1);
                break;
            case "accept":
                batch.Accept(open, 1);
                break;
            case "accept path":
                batch.Accept(open, [0]);
                break;
            case "commit":
                batch.Commit();
                break;
            case "rollback":
                batch.Rollback();
                break;
            case "dispose":
                batch.Dispose();
                break;
            case "run":
                new Runtime.MlaLayer<TinyAttention>(0, null!).Forward(batch, new float[16], new float[16]);
                break;
            case "append":
                Runtime.MlaLayer.AppendLatent(batch, 0, new float[12]);
                break;
            case "attend":
                Runtime.MlaLayer.AttendLatent(batch, 0, new float[24], new float[16], new float[4]);
                break;
            case "truncate added":
                added.Truncate(0);
                break;
            case "dispose added":
                added.Dispose();
                break;
            case "fork added":
                added.Fork().Dispose();
                break;
            case "reserve added":
                added.TryReserve(1);
                break;
            case "register added":
                cache.Prefixes.Register(added, new int[added.Length]);
                break;
            case "save added":
                cache.Save("nowhere", new SavedSequence(added));
                break;
            case "truncate open":
                open.Truncate(0);
                break;
            case "dispose open":
                open.Dispose();
                break;
            default:
                cache.Dispose();
                break;
        }
    }

    /// <summary>A step that is open in a cache whose memory calls back.</summary>
    private sealed class Nested : IDisposable
    {
        private readonly LatentCache<TinyAttention> _cache;
        private readonly LatentSequence _idle;

        public Nested(LatentCache<TinyAttention> cache)
        {
            _cache = cache;
            Batch = cache.CreateBatch();
            First = cache.CreateSequence();
            Second = cache.CreateSequence();
            _idle = cache.CreateSequence();
            Batch.Add(First, 2);
        }

        public MlaBatch<TinyAttention> Batch { get; }

        public LatentSequence First { get; }

        public LatentSequence Second { get; }

        public void Dispose()
        {
            Batch.Dispose();
            First.Dispose();
            Second.Dispose();
            _idle.Dispose();
            Assert.Equal(0, _cache.UsedPages);
        }

        public void Change(string change) => ReentrancyTests.Change(change, _cache, Batch, First, Second, _idle);
    }

    /// <summary>Slabs of one page.</summary>
    private sealed class CallingMemoryPool : MemoryPool<byte>
    {
        public Action? Call { get; set; }

        public override int MaxBufferSize => 2 * 4 * 24;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
        {
            Call?.Invoke();
            return new TestMemoryPool().Rent(minBufferSize);
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
