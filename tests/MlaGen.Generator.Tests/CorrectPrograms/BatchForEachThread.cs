// Each thread has a batch of its own; a layer is everybody's.
using System.Threading.Tasks;
using MlaGen;
using Models;

internal static class BatchForEachThread
{
    public static void Run(Attention layer, LatentCache<Attention> cache, LatentSequence[] sequences, float[][] hidden)
        => Parallel.For(
            0,
            sequences.Length,
            () => cache.CreateBatch(new MlaExecutor(1)),
            (i, _, batch) =>
            {
                batch.Add(sequences[i], 1);
                layer.Forward(batch, hidden[i], hidden[i]);
                batch.Commit();
                return batch;
            },
            batch =>
            {
                batch.Executor.Dispose();
                batch.Dispose();
            });
}
