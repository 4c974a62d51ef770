using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>What the stages of a step share: the batch, the layer in hand, the threads and their memory.</summary>
internal sealed class StepContext
{
    private readonly WorkerSpace[] _workers;

    public StepContext(MlaBatch batch, MlaDefinition definition)
    {
        Batch = batch;
        Definition = definition;
        _workers = new WorkerSpace[batch.Executor.Threads];
        for (int i = 0; i < _workers.Length; i++)
        {
            _workers[i] = new WorkerSpace(Memory);
        }
    }

    public MlaBatch Batch { get; }

    public MlaDefinition Definition { get; }

    public MlaShape Shape => Definition.Shape;

    public WorkingMemory Memory { get; } = new();

    /// <summary>Layer of the cache that the step is at.</summary>
    public int Layer { get; set; }

    public int Threads => _workers.Length;

    public WorkerSpace Worker(int index) => _workers[index];

    /// <summary>Memory of the threads that may come to run one of so many units: it is reserved before they run, because which thread gets one is chance.</summary>
    public ReadOnlySpan<WorkerSpace> WorkersOf(int units) => _workers.AsSpan(0, Math.Min(units, _workers.Length));

    /// <summary>Whether so much work is shared between threads.</summary>
    public bool IsShared(long multiplications) => _workers.Length > 1 && multiplications >= MlaExecutor.WorthSharing;

    /// <summary>Runs a stage on the batch's threads, or on this one alone where it is too little to share.</summary>
    /// <param name="work">Takes a unit and the index of the worker.</param>
    /// <param name="units">How many units.</param>
    /// <param name="multiplications">About how much work all of them are.</param>
    /// <param name="apart">Whether it must be on threads of the executor's own.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(Action<int, int> work, int units, long multiplications, bool apart = false)
    {
        if (apart)
        {
            Batch.Executor.RunApart(work, units, Batch.CancellationToken);
            return;
        }

        if (multiplications >= MlaExecutor.WorthSharing)
        {
            // Also on one thread: there too a cancelled step ends between two units.
            Batch.Executor.Run(work, units, Batch.CancellationToken);
            return;
        }

        Batch.CancellationToken.ThrowIfCancellationRequested();
        for (int unit = 0; unit < units; unit++)
        {
            work(unit, 0);
        }
    }
}
