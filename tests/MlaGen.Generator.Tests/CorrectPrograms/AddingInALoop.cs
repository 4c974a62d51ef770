// How many rows there are is known only when it runs.
using System;
using System.Collections.Generic;
using MlaGen;
using Models;

internal static class AddingInALoop
{
    public static void Run(Attention layer, LatentCache<Attention> cache, IEnumerable<LatentSequence> sequences, LatentSequence? extra)
    {
        float[] hidden = new float[8 * Attention.HiddenSize];
        using MlaBatch<Attention> batch = cache.CreateBatch();
        foreach (LatentSequence sequence in sequences)
        {
            batch.Add(sequence, 1);
        }

        if (extra is not null)
        {
            batch.Add(extra, 2);
        }

        Span<float> rows = hidden.AsSpan(..(batch.Rows * Attention.HiddenSize));
        layer.Forward(batch, rows, rows);
        batch.Commit();
    }

    public static void RunFull(Attention layer, LatentCache<Attention> cache, LatentSequence[] eight, float[] output)
    {
        using MlaBatch<Attention> batch = cache.CreateBatch();
        for (int i = 0; i < eight.Length; i++)
        {
            batch.Add(eight[i], 1);
        }

        layer.Forward(batch, new float[8 * Attention.HiddenSize], output);
        batch.Commit();
    }
}
