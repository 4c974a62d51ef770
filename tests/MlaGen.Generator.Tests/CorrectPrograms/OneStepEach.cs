// Texts that do not run in step with each other: each is told to its end, one after the other.
using MlaGen;
using Models;

internal static class OneStepEach
{
    public static void Run(Attention layer, LatentCache<Attention> cache, float[][] prompts, int steps)
    {
        using MlaBatch<Attention> batch = cache.CreateBatch();
        foreach (float[] prompt in prompts)
        {
            using LatentSequence sequence = cache.CreateSequence();
            float[] hidden = prompt;
            for (int step = 0; step < steps; step++)
            {
                batch.Add(sequence, hidden.Length / Attention.HiddenSize);
                layer.Forward(batch, hidden, hidden);
                batch.Commit();
                hidden = hidden[^Attention.HiddenSize..];
            }
        }
    }
}
