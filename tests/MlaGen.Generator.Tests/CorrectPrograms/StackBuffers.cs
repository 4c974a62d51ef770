// One row fits on the stack.
using System;
using MlaGen;
using Models;

internal static class StackBuffers
{
    public static float Run(Attention layer, LatentCache<Attention> cache, LatentSequence sequence)
    {
        Span<float> hidden = stackalloc float[Attention.HiddenSize];
        Span<float> output = stackalloc float[256];
        using MlaBatch<Attention> batch = cache.CreateBatch();
        batch.Add(sequence, 1);
        layer.Forward(batch, hidden, output);
        layer.Forward(batch, output[..Attention.HiddenSize], hidden[0..256]);
        batch.Commit();
        return hidden[^1];
    }
}
