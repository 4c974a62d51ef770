// A prompt and two decoding texts in one step, with lengths that the compiler knows.
using MlaGen;
using Models;

internal static class MixedBatch
{
    public static void Step(Attention layer, LatentCache<Attention> cache, LatentSequence prompt, LatentSequence first, LatentSequence second)
    {
        using var batch = cache.CreateBatch();
        int start = batch.Add(prompt, 3);
        batch.Add(first, 1);
        batch.Add(second, newTokens: start + 1);
        layer.Forward(batch, new float[5 * Attention.HiddenSize], new float[5 * Attention.HiddenSize]);
        batch.Commit();

        batch.Add(first, 2);
        layer.Forward(batch, new float[512], new float[512]);
        batch.Commit();
    }
}
