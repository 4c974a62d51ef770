using MlaGen.Runtime;
using MlaGen.Tests.Caching;

namespace MlaGen.Tests.Execution;

public sealed class StepContextTests
{
    private const int Units = 10;
    private const int LastUnit = 3;

    /// <summary>A prompt on one thread takes seconds: it must not go on to its end once it is cancelled.</summary>
    [Fact]
    public void On_one_thread_too_a_cancelled_stage_ends_after_the_unit_in_hand()
    {
        using var cache = new LatentCache<TinyAttention>(layers: 1, maxTokens: 1);
        using var executor = new MlaExecutor(threads: 1);
        using MlaBatch<TinyAttention> batch = cache.CreateBatch(executor);
        using var cancellation = new CancellationTokenSource();
        batch.CancellationToken = cancellation.Token;
        var step = new StepContext(batch, TinyAttention.Definition);
        var ran = new List<int>();

        Assert.Throws<OperationCanceledException>(() => step.Run(Unit, Units, multiplications: long.MaxValue));

        Assert.Equal(Enumerable.Range(0, LastUnit + 1), ran);

        void Unit(int unit, int worker)
        {
            ran.Add(unit);
            if (unit == LastUnit)
            {
                cancellation.Cancel();
            }
        }
    }
}
