// An iterator holds its sequence from one token to the next, and disposes it when the caller has had enough.
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using MlaGen;
using Models;

internal static class TokenStream
{
    public static IEnumerable<float[]> Tell(Attention layer, LatentCache<Attention> cache)
    {
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<Attention> batch = cache.CreateBatch();
        while (true)
        {
            float[] hidden = new float[Attention.HiddenSize];
            batch.Add(sequence, 1);
            layer.Forward(batch, hidden, hidden);
            batch.Commit();
            yield return hidden;
        }
    }

    public static async Task Serve(Attention layer, LatentCache<Attention> cache, IAsyncEnumerable<float[]> prompts, CancellationToken cancellation)
    {
        using MlaBatch<Attention> batch = cache.CreateBatch();
        batch.CancellationToken = cancellation;
        await foreach (float[] prompt in prompts.WithCancellation(cancellation))
        {
            using LatentSequence sequence = cache.CreateSequence();
            batch.Add(sequence, prompt.Length / Attention.HiddenSize);
            layer.Forward(batch, prompt, prompt);
            batch.Commit();
        }
    }
}
