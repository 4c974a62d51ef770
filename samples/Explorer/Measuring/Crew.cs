namespace Explorer.Measuring;

/// <summary>A fixed set of threads that do the same work on different parts; the caller is the first of them.</summary>
internal sealed class Crew : IDisposable
{
    private readonly Barrier _barrier;
    private readonly Thread[] _workers;
    private Action<int> _work = static _ => { };
    private bool _ending;

    public Crew(int threads)
    {
        Threads = threads;
        _barrier = new Barrier(threads);
        _workers = new Thread[threads - 1];
        for (int i = 0; i < _workers.Length; i++)
        {
            int index = i + 1;
            _workers[i] = new Thread(() => Loop(index)) { IsBackground = true };
            _workers[i].Start();
        }
    }

    public int Threads { get; }

    /// <summary>Calls the work once on every thread with its index, and returns when all are done.</summary>
    public void Run(Action<int> work)
    {
        if (Threads == 1)
        {
            work(0);
            return;
        }

        _work = work;
        _barrier.SignalAndWait();
        work(0);
        _barrier.SignalAndWait();
    }

    /// <summary>
    /// Runs every piece once; a thread that is done takes the next, as the kernels' threads do. Where another program holds one of the threads
    /// up, the peak loses no more by it than they.
    /// </summary>
    /// <param name="pieces">How many pieces.</param>
    /// <param name="work">Takes a piece and the index of the thread.</param>
    public void RunPieces(int pieces, Action<int, int> work)
    {
        int next = -1;
        Run(thread =>
        {
            for (int piece = Interlocked.Increment(ref next); piece < pieces; piece = Interlocked.Increment(ref next))
            {
                work(piece, thread);
            }
        });
    }

    /// <summary>The part of <paramref name="count"/> items that falls to a thread.</summary>
    public (int First, int End) Share(int count, int thread) => ((int)((long)count * thread / Threads), (int)((long)count * (thread + 1) / Threads));

    public void Dispose()
    {
        _ending = true;
        if (_workers.Length > 0)
        {
            _barrier.SignalAndWait();
        }

        foreach (Thread worker in _workers)
        {
            worker.Join();
        }

        _barrier.Dispose();
    }

    private void Loop(int index)
    {
        while (true)
        {
            _barrier.SignalAndWait();
            if (_ending)
            {
                return;
            }

            _work(index);
            _barrier.SignalAndWait();
        }
    }
}
