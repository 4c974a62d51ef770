// Disposal without using: in finally, by a null check, through the interface.
using System;
using MlaGen;
using Models;

internal static class ManualDisposal
{
    public static void Run(Attention layer, float[] hidden, bool needed)
    {
        LatentCache<Attention>? cache = null;
        LatentSequence? sequence = null;
        try
        {
            cache = Attention.CreateCache(1, 64);
            sequence = cache.CreateSequence();
            MlaBatch<Attention> batch = cache.CreateBatch();
            using (batch)
            {
                batch.Add(sequence, 1);
                layer.Forward(batch, hidden, hidden);
                batch.Commit();
            }
        }
        finally
        {
            sequence?.Dispose();
            cache?.Dispose();
        }

        IDisposable? late = needed ? Attention.CreateCache(1, 64) : null;
        late?.Dispose();
    }
}
