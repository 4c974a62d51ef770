namespace MlaGen;

/// <summary>What the work of a step runs on.</summary>
/// <remarks>Thread safety: may be used by any number of threads at once.</remarks>
public sealed class MlaExecutor : IDisposable
{
    /// <summary>Creates an executor.</summary>
    /// <param name="threads">Threads that work on a step, the caller's included.</param>
    public MlaExecutor(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(threads);
        Threads = threads;
    }

    /// <summary>The executor used where none is given.</summary>
    public static MlaExecutor Shared { get; } = new(Environment.ProcessorCount);

    /// <summary>Threads that work on a step.</summary>
    public int Threads { get; }

    /// <summary>Ends the executor.</summary>
    public void Dispose()
    {
    }
}
