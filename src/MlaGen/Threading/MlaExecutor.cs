using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace MlaGen;

/// <summary>
/// The threads that kernels run on: the calling thread and a fixed set of workers, which spin shortly for the next piece of work and then sleep.
/// </summary>
/// <remarks>
/// Thread-safe. One call at a time uses the workers, as many as it has units for; a call that finds them busy runs on its own thread alone.
/// Each thread takes a run of neighbouring units from its beginning, and then what others have left of theirs: what a unit asks for ahead of its
/// use is mostly used by the same thread. Results do not depend on the number of threads.
/// </remarks>
public sealed class MlaExecutor : IDisposable
{
    /// <summary>Multiplications below which work is not worth sharing between threads: some tens of microseconds, about what waking one takes.</summary>
    internal const long WorthSharing = 1 << 20;

    /// <summary>Looks a worker takes for work before it sleeps: some hundred microseconds on any processor, longer than what a model does between two layers.</summary>
    private const int SpinRounds = 2000;

    /// <summary>Low bits of a round: how many workers it is for.</summary>
    private const int WorkerBits = 10;

    private static readonly Lazy<MlaExecutor> _shared = new(() => new MlaExecutor(Environment.ProcessorCount));

    private readonly Thread[] _workers;
    private readonly AutoResetEvent[] _wake;
    private readonly int[] _asleep;

    /// <summary>The next unit of each thread's run.</summary>
    private readonly LoneNumber[] _next;

    private Action<int, int>? _work;
    private CancellationToken _cancellation;
    private ExceptionDispatchInfo? _failure;
    private int _unitCount;
    private int _runCount;
    private int _busy;
    private LoneNumber _running;

    /// <summary>Changes when there is work; both its number and its workers in one, so that they are read as one.</summary>
    private LoneNumber _round;
    private volatile bool _disposed;

    /// <summary>Starts <paramref name="threads"/> - 1 workers; the caller of a kernel is the remaining one.</summary>
    /// <param name="threads">Threads that one call uses, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="threads"/> is below 1 or above 1,024.</exception>
    public MlaExecutor(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threads, 1024);
        Threads = threads;
        _workers = new Thread[threads - 1];
        _wake = new AutoResetEvent[threads - 1];
        _asleep = new int[threads - 1];
        _next = new LoneNumber[threads];
        for (int i = 0; i < _workers.Length; i++)
        {
            int index = i;
            _wake[i] = new AutoResetEvent(initialState: false);
            _workers[i] = new Thread(() => Loop(index)) { IsBackground = true, Name = $"MlaGen worker {i + 1}" };

            // Not with what the creator's flow carries: a worker lives longer, and would hold it.
            _workers[i].UnsafeStart();
        }
    }

    /// <summary>The executor that batches use when they are given none: one thread for each processor.</summary>
    public static MlaExecutor Shared => _shared.Value;

    /// <summary>Threads that one call uses, the calling one included.</summary>
    public int Threads { get; }

    /// <summary>Ends the workers after the work in hand. The shared executor must not be disposed.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        SpinWait spin = default;
        while (Interlocked.CompareExchange(ref _busy, 1, 0) != 0)
        {
            if (_disposed)
            {
                return;
            }

            spin.SpinOnce();
        }

        // The executor stays busy for ever: a call that comes too late finds it disposed.
        _disposed = true;
        BeginRound(workers: 0);
        for (int i = 0; i < _workers.Length; i++)
        {
            Wake(i);
        }

        foreach (Thread worker in _workers)
        {
            Uninterrupted.Do(static worker => worker.Join(), worker);
        }

        foreach (AutoResetEvent wake in _wake)
        {
            wake.Dispose();
        }
    }

    /// <summary>
    /// Runs every unit of the work and returns when all have ended. The first exception of a unit is thrown on; units not yet begun are then left out.
    /// So are they where the calling thread is interrupted while it waits, and that is thrown on too: never before every thread has left the work.
    /// </summary>
    /// <param name="work">Takes a unit and the index of the running thread, below <see cref="Threads"/>: no two units run under the same index at once.</param>
    /// <param name="units">How many units there are.</param>
    /// <param name="cancellation">Looked at between units.</param>
    /// <exception cref="ObjectDisposedException">The executor has been disposed.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; some units have not run.</exception>
    /// <exception cref="ThreadInterruptedException">The calling thread was interrupted; some units may not have run.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal void Run(Action<int, int> work, int units, CancellationToken cancellation)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (units <= 1 || _workers.Length == 0 || Interlocked.CompareExchange(ref _busy, 1, 0) != 0)
        {
            for (int unit = 0; unit < units; unit++)
            {
                cancellation.ThrowIfCancellationRequested();
                work(unit, 0);
            }

            return;
        }

        ExceptionDispatchInfo? failure;
        try
        {
            _work = work;
            _cancellation = cancellation;
            _failure = null;
            _unitCount = units;
            int workers = Math.Min(_workers.Length, units - 1);
            _runCount = workers + 1;
            for (int run = 0; run < _runCount; run++)
            {
                _next[run].Value = FirstUnit(run);
            }

            _running.Value = workers;
            BeginRound(workers);
            RunUnits(worker: 0);
            AwaitWorkers();
            failure = _failure;
        }
        finally
        {
            // Nothing that belongs to the call outlives it: its code may be unloaded.
            _work = null;
            _cancellation = default;
            _failure = null;
            Volatile.Write(ref _busy, 0);
        }

        failure?.Throw();
        cancellation.ThrowIfCancellationRequested();
    }

    private void AwaitWorkers()
    {
        SpinWait spin = default;
        while (Volatile.Read(ref _running.Value) > 0)
        {
            try
            {
                spin.SpinOnce(sleep1Threshold: -1);
            }
            catch (ThreadInterruptedException exception)
            {
                Fail(exception);
            }
        }
    }

    private void BeginRound(int workers)
    {
        long number = (_round.Value >> WorkerBits) + 1;
        Interlocked.Exchange(ref _round.Value, (number << WorkerBits) | (uint)workers);
        WakeNext(-1, workers);
    }

    /// <summary>Each thread of a round wakes two more: to wake many, one after the other, would take one thread long.</summary>
    private void WakeNext(int index, int workers)
    {
        int first = (2 * index) + 2;
        for (int i = first; i < Math.Min(first + 2, workers); i++)
        {
            Wake(i);
        }
    }

    private void Wake(int index)
    {
        if (Interlocked.CompareExchange(ref _asleep[index], 0, 1) == 1)
        {
            _wake[index].Set();
        }
    }

    private void Loop(int index)
    {
        long round = 0;
        while (true)
        {
            round = WaitForRound(index, round);
            if (_disposed)
            {
                return;
            }

            int workers = (int)(round & ((1 << WorkerBits) - 1));
            if (index < workers)
            {
                WakeNext(index, workers);
                RunUnits(worker: index + 1);
                Interlocked.Decrement(ref _running.Value);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private long WaitForRound(int index, long seen)
    {
        for (int i = 0; i < SpinRounds; i++)
        {
            long round = Volatile.Read(ref _round.Value);
            if (round != seen)
            {
                return round;
            }

            Thread.SpinWait(8);
        }

        while (true)
        {
            // The flag goes up before the last look, and the caller raises the round before it looks at the flags: one of the two sees the other.
            Interlocked.Exchange(ref _asleep[index], 1);
            long round = Volatile.Read(ref _round.Value);
            if (round != seen)
            {
                if (Interlocked.CompareExchange(ref _asleep[index], 0, 1) == 0)
                {
                    Sleep(index);
                }

                return round;
            }

            Sleep(index);
        }
    }

    /// <summary>
    /// Sleeps until it is woken. A unit may have given the worker's thread away: whoever interrupts it must not end it. An event keeps what it was
    /// set to where its waiter is interrupted; a semaphore may count that waiter as woken, and would wake one too few from then on.
    /// </summary>
    private void Sleep(int index) => Uninterrupted.Do(static wake => wake.WaitOne(), _wake[index], again: false);

    private int FirstUnit(int run) => (int)((long)_unitCount * run / _runCount);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void RunUnits(int worker)
    {
        try
        {
            for (int i = 0; i < _runCount; i++)
            {
                RunUnits(worker, (worker + i) % _runCount);
            }
        }
        catch (Exception exception)
        {
            Fail(exception);
        }
    }

    private void Fail(Exception exception) => Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(exception), null);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void RunUnits(int worker, int run)
    {
        int end = FirstUnit(run + 1);
        ref long next = ref _next[run].Value;
        while (Volatile.Read(ref next) < end && Volatile.Read(ref _failure) is null && !_cancellation.IsCancellationRequested)
        {
            long unit = Interlocked.Increment(ref next) - 1;
            if (unit < end)
            {
                _work!((int)unit, worker);
            }
        }
    }

    /// <summary>A number with cache lines of its own: threads that write it do not hold up those that read its neighbours.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct LoneNumber
    {
        [FieldOffset(128)]
        public long Value;
    }
}
