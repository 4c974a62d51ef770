// A text that outlives every method: its owner disposes it.
using System;
using MlaGen;
using Models;

internal sealed class Session : IDisposable
{
    private readonly LatentSequence _sequence;
    private readonly MlaBatch<Attention> _batch;
    private float[] _hidden = new float[1];

    public Session(LatentCache<Attention> cache)
    {
        _sequence = cache.CreateSequence();
        MlaBatch<Attention> batch = cache.CreateBatch();
        _batch = batch;
    }

    public void Feed(Attention layer, int tokens)
    {
        if (_hidden.Length < tokens * Attention.HiddenSize)
        {
            _hidden = new float[tokens * Attention.HiddenSize];
        }

        _batch.Add(_sequence, tokens);
        layer.Forward(_batch, _hidden.AsSpan(0, tokens * Attention.HiddenSize), _hidden.AsSpan(0, tokens * Attention.HiddenSize));
        _batch.Commit();
    }

    public void Dispose()
    {
        _batch.Dispose();
        _sequence.Dispose();
    }
}
