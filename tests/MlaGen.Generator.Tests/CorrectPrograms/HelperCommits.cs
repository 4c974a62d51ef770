// The step is finished by a method of its own.
using MlaGen;
using Models;

internal static class HelperCommits
{
    public static void Run(Attention[] layers, LatentCache<Attention> cache, LatentSequence sequence, float[] hidden)
    {
        using MlaBatch<Attention> batch = cache.CreateBatch();
        batch.Add(sequence, 1);
        layers[0].Forward(batch, hidden, hidden);
        Finish(layers, batch, hidden);
    }

    private static void Finish(Attention[] layers, MlaBatch batch, float[] hidden)
    {
        var typed = (MlaBatch<Attention>)batch;
        for (int i = 1; i < layers.Length; i++)
        {
            layers[i].Forward(typed, hidden, hidden);
        }

        batch.Commit();
    }
}
