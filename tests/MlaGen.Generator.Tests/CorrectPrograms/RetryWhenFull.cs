// A full cache: the step is rolled back, room is made, and it is tried again.
using MlaGen;
using Models;

internal static class RetryWhenFull
{
    public static void Run(Attention layer, LatentCache<Attention> cache, LatentSequence oldest, LatentSequence sequence)
    {
        using MlaBatch<Attention> batch = cache.CreateBatch();
        int tokens = 2;
        try
        {
            batch.Add(sequence, tokens);
        }
        catch (LatentCacheFullException)
        {
            oldest.Dispose();
            tokens = 1;
            batch.Add(sequence, tokens);
        }

        float[] hidden = new float[tokens * Attention.HiddenSize];
        layer.Forward(batch, hidden, hidden);
        batch.Commit();
    }
}
