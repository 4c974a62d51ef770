using Explorer.Measuring;
using MlaGen;

namespace Explorer.Models;

/// <summary>A kernel and the peak on one thread, to be timed in the rounds of several: what more threads are worth is a ratio within a round.</summary>
internal sealed class OneThread : IDisposable
{
    private readonly MlaExecutor _executor = new(1);
    private readonly Crew _crew = new(1);

    private OneThread(Func<MlaExecutor, Workload> create)
    {
        Kernel = create(_executor);
        Peak = new FmaPeak(_crew);
    }

    public Workload Kernel { get; }

    public FmaPeak Peak { get; }

    /// <summary>The kernel on one thread where it is measured on several, else null.</summary>
    /// <param name="threads">Threads that it is measured on.</param>
    /// <param name="create">Makes the kernel.</param>
    public static OneThread? Beside(int threads, Func<MlaExecutor, Workload> create) => threads > 1 ? new OneThread(create) : null;

    /// <summary>What is timed in addition.</summary>
    public static Workload[] Workloads(OneThread? one) => one is null ? [] : [one.Peak, one.Kernel];

    public void Dispose()
    {
        Kernel.Dispose();
        _crew.Dispose();
        _executor.Dispose();
    }
}
