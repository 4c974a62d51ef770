using MlaGen.Tests.Caching;

namespace MlaGen.Tests.Attention;

/// <summary>How a run is set up: what must not change a result, and the form, which may within the tolerance.</summary>
internal sealed record RunOptions
{
    public MlaForm Form { get; init; } = MlaForm.Absorbed;

    public int Threads { get; init; } = 2;

    /// <summary>What to run on; null for threads of the run's own.</summary>
    public MlaExecutor? Executor { get; init; }

    /// <summary>0: the class's own.</summary>
    public int PageTokens { get; init; }

    public int MaxTokens { get; init; } = 16384;
}

/// <summary>A sequence's share of a step.</summary>
internal readonly record struct Chunk(LatentSequence Sequence, Prompt Prompt);

/// <summary>One layer with a cache, a batch and threads of its own. Fresh cache memory is full of NaN: what no token wrote must not count.</summary>
internal abstract class AttentionRun : IDisposable
{
    public static AttentionRun Open<TAttention>(TAttention layer, RunOptions options)
        where TAttention : class, ITestAttention<TAttention>
        => new Run<TAttention>(layer, options);

    public abstract MlaBatch Batch { get; }

    public abstract LatentSequence CreateSequence();

    /// <summary>Runs the layer over the open batch.</summary>
    public abstract void Forward(ReadOnlySpan<float> hidden, Span<float> output);

    /// <summary>The core alone over the open batch.</summary>
    public abstract void AttendLatent(ReadOnlySpan<float> queries, Span<float> output, Span<float> logSumExp, int layer = 0);

    public abstract void AppendLatent(ReadOnlySpan<float> rows, int layer = 0);

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
        if (rows.Length > 0)
        {
            Batch.Add(sequence, rows.Length / width);
            AppendLatent(rows);
            Batch.Commit();
        }

        return sequence;
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
        where TAttention : class, ITestAttention<TAttention>
    {
        private readonly TAttention _layer;
        private readonly TestMemoryPool _memory = new();
        private readonly MlaExecutor? _ownExecutor;
        private readonly LatentCache<TAttention> _cache;
        private readonly MlaBatch<TAttention> _batch;

        public Run(TAttention layer, RunOptions options)
        {
            _layer = layer;
            _ownExecutor = options.Executor is null ? new MlaExecutor(options.Threads) : null;
            _cache = TAttention.CreateCache(1, options.MaxTokens, new LatentCacheOptions { PageTokens = options.PageTokens, Memory = _memory });
            _batch = _cache.CreateBatch(options.Executor ?? _ownExecutor);
            _batch.Form = options.Form;
        }

        public override MlaBatch Batch => _batch;

        public override LatentSequence CreateSequence() => _cache.CreateSequence();

        public override void Forward(ReadOnlySpan<float> hidden, Span<float> output) => _layer.Forward(_batch, hidden, output);

        public override void AttendLatent(ReadOnlySpan<float> queries, Span<float> output, Span<float> logSumExp, int layer = 0)
            => TAttention.AttendLatent(_batch, layer, queries, output, logSumExp);

        public override void AppendLatent(ReadOnlySpan<float> rows, int layer = 0) => TAttention.AppendLatent(_batch, layer, rows);

        public override void Dispose()
        {
            _batch.Dispose();
            _cache.Dispose();
            _ownExecutor?.Dispose();
            _memory.Dispose();
        }
    }
}
