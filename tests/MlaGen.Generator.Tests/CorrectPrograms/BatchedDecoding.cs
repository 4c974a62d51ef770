// Many texts at once: every sequence is added to one batch, and each layer runs once.
using System.Collections.Generic;
using System.Linq;
using MlaGen;
using Models;

internal static class BatchedDecoding
{
    public static void Step(IReadOnlyList<Attention> layers, LatentCache<Attention> cache, int users)
    {
        List<LatentSequence> sequences = [.. Enumerable.Range(0, users).Select(_ => cache.CreateSequence())];
        try
        {
            using MlaBatch<Attention> batch = cache.CreateBatch();
            foreach (LatentSequence sequence in sequences)
            {
                batch.Add(sequence, 1);
            }

            float[] hidden = new float[batch.Rows * Attention.HiddenSize];
            foreach (Attention layer in layers)
            {
                layer.Forward(batch, hidden, hidden);
            }

            batch.Commit();
        }
        finally
        {
            sequences.ForEach(sequence => sequence.Dispose());
        }
    }
}
