// An engine that owns its projections writes rows and asks the core alone.
using MlaGen;
using Models;

internal static class OwnProjections
{
    public static void Run(LatentCache<Attention> cache, LatentSequence sequence, int layers)
    {
        using MlaBatch<Attention> batch = cache.CreateBatch();
        batch.Add(sequence, 2);
        for (int layer = 0; layer < layers; layer++)
        {
            Attention.AppendLatent(batch, layer, new float[2 * Attention.CacheRowElements]);
        }

        batch.Commit();

        batch.AddQueries(sequence, 3);
        Attention.AttendLatent(
            batch,
            layer: 0,
            logSumExp: new float[3 * Attention.Heads],
            queries: new float[3 * Attention.Heads * Attention.CacheRowElements],
            output: new float[3 * Attention.Heads * Attention.KvLoraRank]);
        batch.Rollback();
    }

    public static void Ask(LatentCache<Attention> cache, LatentSequence sequence, float[] queries, float[] output, float[] logSumExp)
    {
        // Nothing is appended, so there is nothing to commit.
        using MlaBatch<Attention> batch = cache.CreateBatch();
        batch.AddQueries(sequence, 1);
        Attention.AttendLatent(batch, 0, queries, output, logSumExp);
    }
}
