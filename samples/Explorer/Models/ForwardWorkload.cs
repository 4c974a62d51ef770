using Explorer.Measuring;
using MlaGen;

namespace Explorer.Models;

/// <summary>What a <c>Forward</c> computes.</summary>
/// <param name="Sequences">Sequences in the batch.</param>
/// <param name="Context">Tokens that each has in the cache.</param>
/// <param name="NewTokens">Tokens that each appends.</param>
/// <param name="Form">How attention is carried out.</param>
/// <param name="Operations">What is counted as its operations.</param>
/// <param name="Bytes">What is counted as read.</param>
internal sealed record Step(int Sequences, int Context, int NewTokens, MlaForm Form, long Operations, long Bytes);

/// <summary>A layer's <c>Forward</c>, rolled back after each run so that all runs are alike.</summary>
internal abstract class ForwardWorkload : Workload
{
    /// <summary>Which cores run, and why no better ones.</summary>
    public abstract MlaCores Cores { get; }
}

/// <summary>The same, of one generated class.</summary>
/// <typeparam name="T">The generated class.</typeparam>
internal sealed class ForwardWorkload<T> : ForwardWorkload
    where T : class, IMlaAttention<T>
{
    private readonly string _kernel;
    private readonly Step _step;
    private readonly T _layer;
    private readonly FilledCache<T> _cache;
    private readonly MlaBatch<T> _batch;
    private readonly float[] _hidden;
    private readonly float[] _output;

    public ForwardWorkload(string kernel, Step step, T layer, MlaExecutor executor, CacheFormat format, MlaPrecision precision)
    {
        _kernel = kernel;
        _step = step;
        _layer = layer;
        _cache = new FilledCache<T>(step.Sequences, step.Context, step.NewTokens, format, precision);
        _batch = _cache.CreateBatch(executor, step.Sequences * step.NewTokens);
        _batch.Form = step.Form;
        _hidden = RandomData.Floats(step.Sequences * step.NewTokens * T.Shape.HiddenSize, seed: 3);
        _output = new float[_hidden.Length];
    }

    public override string Kernel => _kernel;

    public override long Operations => _step.Operations;

    public override long Bytes => _step.Bytes;

    public override MlaCores Cores => _cache.Cores;

    public override void Run()
    {
        foreach (LatentSequence sequence in _cache.Sequences)
        {
            _batch.Add(sequence, _step.NewTokens);
        }

        _layer.Forward(_batch, _hidden, _output);
        _batch.Rollback();
    }

    public override void Dispose()
    {
        _batch.Dispose();
        _cache.Dispose();
        base.Dispose();
    }
}
