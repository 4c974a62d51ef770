// A long prompt in pieces: the last one is shorter, and so are its spans.
using System;
using MlaGen;
using Models;

internal static class ChunkedPrompt
{
    private const int Chunk = 128;

    public static void Feed(Attention layer, LatentCache<Attention> cache, LatentSequence sequence, ReadOnlySpan<float> prompt)
    {
        float[] output = new float[Chunk * Attention.HiddenSize];
        using MlaBatch<Attention> batch = cache.CreateBatch();
        while (!prompt.IsEmpty)
        {
            int tokens = Math.Min(Chunk, prompt.Length / Attention.HiddenSize);
            int floats = tokens * Attention.HiddenSize;
            batch.Add(sequence, tokens);
            layer.Forward(batch, prompt[..floats], output.AsSpan(0, floats));
            batch.Commit();
            prompt = prompt[floats..];
        }
    }
}
