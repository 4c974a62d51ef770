// A step only to see its output: it is taken back by name.
using MlaGen;
using Models;

internal static class LookAhead
{
    public static float Score(Attention layer, LatentCache<Attention> cache, LatentSequence sequence, float[] hidden)
    {
        float[] output = new float[hidden.Length];
        using MlaBatch<Attention> batch = cache.CreateBatch();
        batch.Add(sequence, hidden.Length / Attention.HiddenSize);
        layer.Forward(batch, hidden, output);
        batch.Rollback();
        return output[0];
    }
}
