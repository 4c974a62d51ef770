using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using MlaGen.Runtime;

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

    /// <summary>Looks that a caller which takes no part in a round takes before it sleeps: as long as waking it takes.</summary>
    private const int AwaitSpins = 200;

    /// <summary>Low bits of a round: how many workers it is for.</summary>
    private const int WorkerBits = 10;

    private static readonly Lazy<MlaExecutor> _shared = new(() => new MlaExecutor(Environment.ProcessorCount));

    /// <summary>One fewer than threads, and, from the first round on that the calling thread may take no part in, one more.</summary>
    private readonly Thread?[] _workers;
    private readonly AutoResetEvent?[] _wake;
    private readonly int[] _asleep;

    /// <summary>The next unit of each thread's run.</summary>
    private readonly LoneNumber[] _next;

    private Action<int, int>? _work;
    private CancellationToken _cancellation;
    private ExceptionDispatchInfo? _failure;
    private int _unitCount;
    private int _runCount;
    private int _busy;

    /// <summary>Set by the last worker of a round that the calling thread takes no part in.</summary>
    private AutoResetEvent? _ended;

    /// <summary>The run that the first worker begins with: 0 where the calling thread takes no part.</summary>
    private int _firstRun;
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
        _workers = new Thread[threads];
        _wake = new AutoResetEvent[threads];
        _asleep = new int[threads];
        _next = new LoneNumber[threads];
        for (int i = 0; i < threads - 1; i++)
        {
            StartWorker(i);
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
        for (int i = 0; i < _workers.Length && _workers[i] is not null; i++)
        {
            Wake(i);
        }

        foreach (Thread? worker in _workers)
        {
            if (worker is not null)
            {
                Uninterrupted.Do(static worker => worker.Join(), worker);
            }
        }

        foreach (AutoResetEvent? wake in _wake)
        {
            wake?.Dispose();
        }

        _ended?.Dispose();
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
        if (units <= 1 || Threads == 1 || Interlocked.CompareExchange(ref _busy, 1, 0) != 0)
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
            int workers = Math.Min(Threads, units) - 1;
            _firstRun = 1;
            ShareOut(workers + 1);
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

    /// <summary>
    /// As <see cref="Run"/>, on threads of the executor's own alone, also where there is one unit: for code that leaves something behind in its thread.
    /// A call that finds them busy waits.
    /// </summary>
    /// <param name="work">Takes a unit and the index of the running thread.</param>
    /// <param name="units">How many units there are.</param>
    /// <param name="cancellation">Looked at between units.</param>
    /// <exception cref="ObjectDisposedException">The executor has been disposed.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; some units have not run.</exception>
    /// <exception cref="ThreadInterruptedException">The calling thread was interrupted; some units may not have run.</exception>
    internal void RunApart(Action<int, int> work, int units, CancellationToken cancellation)
    {
        if (units == 0)
        {
            return;
        }

        SpinWait spin = default;
        while (Interlocked.CompareExchange(ref _busy, 1, 0) != 0)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            cancellation.ThrowIfCancellationRequested();
            spin.SpinOnce();
        }

        ExceptionDispatchInfo? failure;
        try
        {
            _ended ??= new AutoResetEvent(initialState: false);
            if (_workers[^1] is null)
            {
                StartWorker(_workers.Length - 1);
            }

            _work = work;
            _cancellation = cancellation;
            _failure = null;
            _unitCount = units;
            int workers = Math.Min(Threads, units);
            _firstRun = 0;
            ShareOut(workers);
            _running.Value = workers;
            BeginRound(workers);
            AwaitEnd();
            failure = _failure;
        }
        finally
        {
            _work = null;
            _cancellation = default;
            _failure = null;
            Volatile.Write(ref _busy, 0);
        }

        failure?.Throw();
        cancellation.ThrowIfCancellationRequested();
    }

    private void StartWorker(int index)
    {
        _wake[index] = new AutoResetEvent(initialState: false);
        var worker = new Thread(() => Loop(index)) { IsBackground = true, Name = $"MlaGen worker {index + 1}" };
        _workers[index] = worker;

        // Not with what the creator's flow carries: a worker lives longer, and would hold it.
        worker.UnsafeStart();
    }

    /// <summary>Gives each thread of a round its run of units.</summary>
    private void ShareOut(int threads)
    {
        _runCount = threads;
        for (int run = 0; run < threads; run++)
        {
            _next[run].Value = FirstUnit(run);
        }
    }

    /// <summary>Waits without taking a processor from the workers, which are as many as there are threads.</summary>
    private void AwaitEnd()
    {
        for (int i = 0; i < AwaitSpins && Volatile.Read(ref _running.Value) > 0; i++)
        {
            Thread.SpinWait(8);
        }

        // The last worker sets it in every such round, and so it is waited for in every one.
        while (true)
        {
            try
            {
                _ended!.WaitOne();
                return;
            }
            catch (ThreadInterruptedException exception)
            {
                Fail(exception);
            }
        }
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
            _wake[index]!.Set();
        }
    }

    private void Loop(int index)
    {
        // A thread's first wait allocates what .NET keeps of its waits: now, and not in the step before which the worker happens to sleep.
        _wake[index]!.WaitOne(0);
        long round = 0;
        while (true)
        {
            round = WaitForRound(index, round);
            if (_disposed)
            {
                TileThread.Release();
                return;
            }

            int workers = (int)(round & ((1 << WorkerBits) - 1));
            if (index < workers)
            {
                bool isApart = _firstRun == 0;
                WakeNext(index, workers);
                if (isApart)
                {
                    PrepareApart();
                }

                RunUnits(worker: index + _firstRun);
                if (Interlocked.Decrement(ref _running.Value) == 0 && isApart)
                {
                    _ended!.Set();
                }
            }
        }
    }

    private void PrepareApart()
    {
        try
        {
            TileThread.Prepare();
        }
        catch (Exception exception)
        {
            Fail(exception);
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
    private void Sleep(int index) => Uninterrupted.Do(static wake => wake.WaitOne(), _wake[index]!, again: false);

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
