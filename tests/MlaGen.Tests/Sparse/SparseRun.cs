using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Sparse;

/// <summary>A stack of sparse layers with a cache, a batch and threads of its own; layers are numbered in the cache as they come.</summary>
internal sealed class SparseRun<TAttention> : IDisposable
    where TAttention : class, IMlaAttention<TAttention>
{
    private readonly TAttention[] _layers;
    private readonly LatentCache<TAttention> _cache;
    private readonly MlaExecutor _executor;

    public SparseRun(TAttention[] layers, int threads = 2, int pageTokens = 0, MlaForm form = MlaForm.Auto, CacheFormat? format = null, int maxTokens = 4096)
    {
        _layers = layers;
        _cache = new LatentCache<TAttention>(layers.Length, maxTokens, new LatentCacheOptions { PageTokens = pageTokens, Format = format });
        _executor = new MlaExecutor(threads);
        Batch = _cache.CreateBatch(_executor);
        Batch.Form = form;
    }

    public MlaBatch<TAttention> Batch { get; }

    public LatentCache<TAttention> Cache => _cache;

    public LatentSequence CreateSequence() => _cache.CreateSequence();

    /// <summary>Runs the layers over the open batch, without committing it.</summary>
    public SparseResult Forward(ReadOnlySpan<float> hidden)
    {
        int rows = Batch.Rows;
        var outputs = new float[_layers.Length][];
        var selected = new int[_layers.Length][][];
        float[] x = hidden.ToArray();
        for (int layer = 0; layer < _layers.Length; layer++)
        {
            float[] y = AttentionRun.Poisoned(x.Length);
            _layers[layer].Forward(Batch, x, y);
            AttentionRun.AssertWritten(y);
            outputs[layer] = y;
            selected[layer] = [.. Enumerable.Range(0, rows).Select(ReadSelection)];
            x = [.. x.Zip(y, static (a, b) => a + b)];
        }

        return new SparseResult(outputs, selected, TAttention.Shape.HiddenSize);
    }

    /// <summary>One committed step.</summary>
    public SparseResult Step(params ReadOnlySpan<Chunk> chunks)
    {
        var hidden = new List<float>();
        foreach (Chunk chunk in chunks)
        {
            Batch.Add(chunk.Sequence, chunk.Prompt.Tokens, chunk.Prompt.Positions);
            hidden.AddRange(chunk.Prompt.Hidden);
        }

        SparseResult result = Forward(hidden.ToArray());
        Batch.Commit();
        return result;
    }

    /// <summary>Feeds a prompt in steps of so many tokens.</summary>
    public SparseResult Feed(LatentSequence sequence, Prompt prompt, int chunk = int.MaxValue)
    {
        SparseResult? all = null;
        for (int start = 0; start < prompt.Tokens; start += Math.Min(chunk, prompt.Tokens))
        {
            SparseResult step = Step(new Chunk(sequence, prompt.Slice(start, Math.Min(chunk, prompt.Tokens - start))));
            all = all is null ? step : all.Then(step);
        }

        return all!;
    }

    public void Dispose()
    {
        Batch.Dispose();
        _cache.Dispose();
        _executor.Dispose();
    }

    private int[] ReadSelection(int row)
    {
        int[] tokens = new int[4096];
        return tokens[..Batch.ReadSelection(row, tokens)];
    }
}

/// <summary>Of each layer the outputs and the selections of some rows.</summary>
/// <param name="Outputs">Of each layer <c>[rows, width]</c>.</param>
/// <param name="Selected">Of each layer and row the tokens.</param>
/// <param name="Width">Width of an output.</param>
internal sealed record SparseResult(float[][] Outputs, int[][][] Selected, int Width)
{
    public SparseResult Then(SparseResult later) => this with
    {
        Outputs = [.. Outputs.Zip(later.Outputs, static (a, b) => (float[])[.. a, .. b])],
        Selected = [.. Selected.Zip(later.Selected, static (a, b) => (int[][])[.. a, .. b])],
    };

    public SparseResult Rows(int first, int count) => this with
    {
        Outputs = [.. Outputs.Select(output => output[(first * Width)..((first + count) * Width)])],
        Selected = [.. Selected.Select(rows => rows[first..(first + count)])],
    };

    /// <summary>That all bits and all selections are those of another result.</summary>
    public void AssertSame(SparseResult other)
    {
        for (int layer = 0; layer < Outputs.Length; layer++)
        {
            Assert.Equal(Selected[layer], other.Selected[layer]);
            Compare.AssertSameBits($"layer {layer}", Outputs[layer], other.Outputs[layer]);
        }
    }
}
