using System.Buffers;
using System.Runtime.InteropServices;
using MlaGen.Tests.Caching;

namespace MlaGen.Tests.Attention;

/// <summary>How a run is set up: what must not change a result, and the form, which may within the tolerance.</summary>
internal sealed record RunOptions
{
    /// <summary>A byte of which NaN consists in every cache format.</summary>
    public const byte NaN = 0xFF;

    public MlaForm Form { get; init; } = MlaForm.Absorbed;

    public int Threads { get; init; } = 2;

    /// <summary>What to run on; null for threads of the run's own.</summary>
    public MlaExecutor? Executor { get; init; }

    /// <summary>Rows that the batch takes memory for when it is made.</summary>
    public int ReserveRows { get; init; } = 1;

    /// <summary>0: the class's own.</summary>
    public int PageTokens { get; init; }

    /// <summary>Null: the class's own.</summary>
    public CacheFormat? Format { get; init; }

    /// <summary>Null: the class's own.</summary>
    public MlaPrecision? Precision { get; init; }

    public int MaxTokens { get; init; } = 16384;

    /// <summary>What fresh cache memory is full of: what no token wrote must not count.</summary>
    public byte FreshByte { get; init; } = NaN;

    /// <summary>Where the cache's memory comes from instead.</summary>
    public MemoryPool<byte>? Memory { get; init; }
}

/// <summary>A sequence's share of a step.</summary>
internal readonly record struct Chunk(LatentSequence Sequence, Prompt Prompt);

/// <summary>One layer with a cache, a batch and threads of its own. Behind the cache's memory lies nothing: to read beyond it ends the process.</summary>
internal abstract class AttentionRun : IDisposable
{
    public static AttentionRun Open<TAttention>(TAttention layer, RunOptions options)
        where TAttention : class, IMlaAttention<TAttention>
        => new Run<TAttention>(layer, options);

    public abstract MlaBatch Batch { get; }

    public abstract PrefixIndex Prefixes { get; }

    /// <summary>The cache's pages, whose numbers say whether anything was lost.</summary>
    public PagePool Pool => Batch.Pool;

    public abstract LatentSequence CreateSequence();

    /// <summary>Another batch over the same cache, with threads of its own; to be disposed before this run.</summary>
    public abstract AttentionRun OpenBeside(int threads);

    public abstract void Save(string path, params ReadOnlySpan<SavedSequence> sequences);

    public abstract SavedSequence[] Load(string path);

    /// <summary>Runs the layer over the open batch.</summary>
    public abstract void Forward(ReadOnlySpan<float> hidden, Span<float> output);

    /// <summary>The core alone over the open batch.</summary>
    public abstract void AttendLatent(ReadOnlySpan<float> queries, Span<float> output, Span<float> logSumExp, int layer = 0);

    public abstract void AppendLatent(ReadOnlySpan<float> rows, int layer = 0);

    /// <summary>What comes before the core, over the open batch.</summary>
    public abstract void ProjectLatent(ReadOnlySpan<float> hidden, Span<float> queries, Span<float> rows);

    /// <summary>What comes after the core, over the open batch.</summary>
    public abstract void ProjectOutput(ReadOnlySpan<float> latents, Span<float> output);

    public abstract void Dispose();

    /// <summary>One committed step; gives the outputs of each chunk.</summary>
    public float[][] Step(params ReadOnlySpan<Chunk> chunks)
    {
        var hidden = new List<float>();
        foreach (Chunk chunk in chunks)
        {
            Batch.Add(chunk.Sequence, chunk.Prompt.Tokens, chunk.Prompt.Positions);
            hidden.AddRange(chunk.Prompt.Hidden);
        }

        float[] output = Poisoned(hidden.Count);
        Forward(hidden.ToArray(), output);
        Batch.Commit();
        AssertWritten(output);

        var outputs = new float[chunks.Length][];
        int start = 0;
        for (int i = 0; i < chunks.Length; i++)
        {
            int length = chunks[i].Prompt.Hidden.Length;
            outputs[i] = output[start..(start + length)];
            start += length;
        }

        return outputs;
    }

    /// <summary>Feeds a whole prompt in steps of <paramref name="chunk"/> tokens and gives all outputs.</summary>
    public float[] Feed(LatentSequence sequence, Prompt prompt, int chunk = int.MaxValue)
    {
        var outputs = new List<float>();
        for (int start = 0; start < prompt.Tokens; start += Math.Min(chunk, prompt.Tokens))
        {
            outputs.AddRange(Step(new Chunk(sequence, prompt.Slice(start, Math.Min(chunk, prompt.Tokens - start))))[0]);
        }

        return [.. outputs];
    }

    /// <summary>Caches rows that were computed elsewhere.</summary>
    public LatentSequence CreateSequence(ReadOnlySpan<float> rows, int width)
    {
        LatentSequence sequence = CreateSequence();
        Append(sequence, rows, width);
        return sequence;
    }

    /// <summary>Caches more rows that were computed elsewhere.</summary>
    public void Append(LatentSequence sequence, ReadOnlySpan<float> rows, int width)
    {
        if (rows.Length > 0)
        {
            Batch.Add(sequence, rows.Length / width);
            AppendLatent(rows);
            Batch.Commit();
        }
    }

    /// <summary>From here on free pages come in random order.</summary>
    public void ShufflePages(int seed)
    {
        var holders = new List<LatentSequence>();
        LatentSequence next = CreateSequence();
        for (; next.TryReserve(1); next = CreateSequence())
        {
            holders.Add(next);
        }

        next.Dispose();
        new Random(seed).Shuffle(CollectionsMarshal.AsSpan(holders));
        holders.ForEach(holder => holder.Dispose());
    }

    /// <summary>What the cache holds of all tokens, <c>[tokens, width]</c>.</summary>
    public static float[] Rows(LatentSequence sequence, int width)
    {
        var rows = new float[sequence.Length * width];
        for (int token = 0; token < sequence.Length; token++)
        {
            sequence.ReadRow(0, token, rows.AsSpan(token * width, width));
        }

        return rows;
    }

    /// <summary>Memory in which whatever is not written shows.</summary>
    public static float[] Poisoned(int length)
    {
        var values = new float[length];
        Array.Fill(values, float.NaN);
        return values;
    }

    /// <summary>That nothing is left of <see cref="Poisoned"/>: two results that nobody wrote would be the same bit for bit.</summary>
    public static void AssertWritten(float[] values) => Assert.Equal(-1, Array.FindIndex(values, float.IsNaN));

    private sealed class Run<TAttention> : AttentionRun
        where TAttention : class, IMlaAttention<TAttention>
    {
        /// <summary>Bytes of a slab, if a page is not larger: many slabs, so that many pages lie before an end of memory.</summary>
        private const int SlabBytes = 1 << 16;

        private readonly TAttention _layer;
        private readonly LatentCache<TAttention> _cache;
        private readonly bool _ownsCache;
        private readonly MlaExecutor? _ownExecutor;
        private readonly MlaBatch<TAttention> _batch;

        public Run(TAttention layer, RunOptions options)
            : this(
                layer,
                new LatentCache<TAttention>(1, options.MaxTokens, new LatentCacheOptions { Format = options.Format, Precision = options.Precision, PageTokens = options.PageTokens, Memory = options.Memory ?? NewMemory(options) }),
                ownsCache: true,
                options)
        {
        }

        private Run(TAttention layer, LatentCache<TAttention> cache, bool ownsCache, RunOptions options)
        {
            _layer = layer;
            _cache = cache;
            _ownsCache = ownsCache;
            _ownExecutor = options.Executor is null ? new MlaExecutor(options.Threads) : null;
            _batch = _cache.CreateBatch(options.Executor ?? _ownExecutor, options.ReserveRows);
            _batch.Form = options.Form;
        }

        public override MlaBatch Batch => _batch;

        public override PrefixIndex Prefixes => _cache.Prefixes;

        public override LatentSequence CreateSequence() => _cache.CreateSequence();

        public override AttentionRun OpenBeside(int threads) => new Run<TAttention>(_layer, _cache, ownsCache: false, new RunOptions { Form = _batch.Form, Threads = threads });

        public override void Save(string path, params ReadOnlySpan<SavedSequence> sequences) => _cache.Save(path, sequences);

        public override SavedSequence[] Load(string path) => _cache.Load(path);

        public override void Forward(ReadOnlySpan<float> hidden, Span<float> output) => _layer.Forward(_batch, hidden, output);

        public override void AttendLatent(ReadOnlySpan<float> queries, Span<float> output, Span<float> logSumExp, int layer = 0)
            => TAttention.AttendLatent(_batch, layer, queries, output, logSumExp);

        public override void AppendLatent(ReadOnlySpan<float> rows, int layer = 0) => TAttention.AppendLatent(_batch, layer, rows);

        public override void ProjectLatent(ReadOnlySpan<float> hidden, Span<float> queries, Span<float> rows) => _layer.ProjectLatent(_batch, hidden, queries, rows);

        public override void ProjectOutput(ReadOnlySpan<float> latents, Span<float> output) => _layer.ProjectOutput(_batch, latents, output);

        public override void Dispose()
        {
            _batch.Dispose();
            if (_ownsCache)
            {
                _cache.Dispose();
            }

            _ownExecutor?.Dispose();
        }

        private static GuardedMemoryPool NewMemory(RunOptions options)
            => new(Math.Max(SlabBytes, (int)CacheLayout.Of<TAttention>().Bytes(1, 1, options.PageTokens)), options.FreshByte);
    }
}
