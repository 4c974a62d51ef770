// A draft is verified in one step; what was wrong is cut off.
using System;
using MlaGen;
using Models;

internal static class SpeculativeDecoding
{
    private const int Draft = 4;

    public static void Verify(Attention[] layers, LatentCache<Attention> cache, LatentSequence sequence, Func<float[], int> accepted)
    {
        float[] hidden = new float[Draft * Attention.HiddenSize];
        using MlaBatch<Attention> batch = cache.CreateBatch();
        int before = sequence.Length;
        batch.Add(sequence, Draft);
        for (int i = 0; i < layers.Length; i++)
        {
            layers[i].Forward(batch, hidden, hidden);
        }

        batch.Commit();
        sequence.Truncate(before + accepted(hidden));
    }
}
