// What a method returns is its caller's to dispose.
using MlaGen;
using Models;

internal static class Factory
{
    public static LatentCache<Attention> MakeCache(int layers) => Attention.CreateCache(layers, 4096, new LatentCacheOptions());

    public static LatentSequence MakeSequence(LatentCache<Attention> cache)
    {
        LatentSequence sequence = cache.CreateSequence();
        return sequence;
    }

    public static (LatentSequence Sequence, MlaBatch<Attention> Batch) MakeBoth(LatentCache<Attention> cache)
    {
        LatentSequence sequence = cache.CreateSequence();
        MlaBatch<Attention> batch = cache.CreateBatch();
        batch.Add(sequence, 1);
        return (sequence, batch);
    }

    public static bool TryMake(LatentCache<Attention>? cache, out LatentSequence? sequence)
    {
        sequence = cache?.CreateSequence();
        return sequence is not null;
    }
}
