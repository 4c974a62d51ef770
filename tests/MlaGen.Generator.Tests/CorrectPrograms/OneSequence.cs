// One text, token by token: the prompt in one step, then a step for each token.
using System;
using MlaGen;
using Models;

internal static class OneSequence
{
    public static void Generate(Attention[] layers, float[] prompt, int tokens, int steps)
    {
        using LatentCache<Attention> cache = Attention.CreateCache(layers.Length, tokens + steps);
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<Attention> batch = cache.CreateBatch();

        batch.Add(sequence, tokens);
        foreach (Attention layer in layers)
        {
            layer.Forward(batch, prompt, prompt);
        }

        batch.Commit();

        float[] hidden = new float[Attention.HiddenSize];
        for (int step = 0; step < steps; step++)
        {
            prompt.AsSpan(^Attention.HiddenSize..).CopyTo(hidden);
            batch.Add(sequence, 1);
            foreach (Attention layer in layers)
            {
                layer.Forward(batch, hidden, hidden);
            }

            batch.Commit();
        }
    }
}
