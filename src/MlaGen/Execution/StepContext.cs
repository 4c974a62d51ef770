using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>What the stages of a step share: the batch, the layer in hand, the threads and their memory.</summary>
internal sealed class StepContext
{
    /// <summary>Multiplications below which a stage is not worth sharing between threads: some tens of microseconds, about what waking one takes.</summary>
    private const long ParallelThreshold = 1 << 20;

    private readonly WorkerSpace[] _workers;

    public StepContext(MlaBatch batch, MlaDefinition definition, MlaKernels kernels)
    {
        Batch = batch;
        Definition = definition;
        Kernels = kernels;
        _workers = new WorkerSpace[batch.Executor.Threads];
        for (int i = 0; i < _workers.Length; i++)
        {
            _workers[i] = new WorkerSpace(Memory);
        }
    }

    public MlaBatch Batch { get; }

    public MlaDefinition Definition { get; }

    public MlaShape Shape => Definition.Shape;

    public MlaKernels Kernels { get; }

    public WorkingMemory Memory { get; } = new();

    /// <summary>Layer of the cache that the step is at.</summary>
    public int Layer { get; set; }

    public int Threads => _workers.Length;

    public WorkerSpace Worker(int index) => _workers[index];

    /// <summary>Memory of the threads that may come to run one of so many units: it is reserved before they run, because which thread gets one is chance.</summary>
    public ReadOnlySpan<WorkerSpace> WorkersOf(int units) => _workers.AsSpan(0, Math.Min(units, _workers.Length));

    /// <summary>Room for the rows that <see cref="Rows"/> gathers, up to so many at a time, unless it never has to.</summary>
    public void ReserveRows(Workspace gathered, int count)
    {
        if (Batch.Pool.Codec.Format != CacheFormat.Float32 || Batch.Pool.PageTokens % count != 0)
        {
            gathered.Reserve((long)Math.Max(count, Kernels.Layout.BlockTokens) * Shape.CacheRowElements);
        }
    }

    /// <summary>Whether so much work is shared between threads.</summary>
    public bool IsShared(long multiplications) => _workers.Length > 1 && multiplications >= ParallelThreshold;

    /// <summary>Runs a stage on the batch's threads, or on this one alone where it is too little to share.</summary>
    /// <param name="work">Takes a unit and the index of the worker.</param>
    /// <param name="units">How many units.</param>
    /// <param name="multiplications">About how much work all of them are.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(Action<int, int> work, int units, long multiplications)
    {
        if (multiplications >= ParallelThreshold)
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

    /// <summary>Cached rows of a sequence as floats, one after the other: where they lie, if one page holds them all as floats, or gathered and decoded.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="first">First token.</param>
    /// <param name="count">Tokens.</param>
    /// <param name="gathered">Takes the rows if they have to be gathered.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public ref float Rows(LatentSequence sequence, int first, int count, Workspace gathered)
    {
        RowCodec codec = sequence.Pool.Codec;
        int elements = Shape.CacheRowElements;
        int pageTokens = sequence.Pool.PageTokens;
        (int page, int index) = Math.DivRem(first, pageTokens);
        Span<byte> rows = PageRows(sequence, page);
        if (AreInPlace(sequence, first, count))
        {
            return ref MemoryMarshal.Cast<byte, float>(rows)[index * elements];
        }

        ref float start = ref gathered.Reserve((long)Math.Max(count, Kernels.Layout.BlockTokens) * elements);
        int copied = 0;
        while (true)
        {
            int length = Math.Min(pageTokens - index, count - copied);
            codec.DecodeRows(rows.Slice(index * codec.RowBytes, length * codec.RowBytes), length, gathered.Span(copied * elements, length * elements));
            copied += length;
            if (copied == count)
            {
                return ref start;
            }

            rows = PageRows(sequence, ++page);
            index = 0;
        }
    }

    /// <summary>
    /// What to ask for while a block is worked on. Rows that are used where they lie are asked for a tile ahead of their use: more would crowd
    /// the cache. Rows that are decoded first are asked for a block ahead.
    /// </summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="first">First token of the block.</param>
    /// <param name="count">Tokens of the block.</param>
    /// <param name="next">First token of the next block; nothing comes of it if there is no such token.</param>
    /// <param name="distance">Bytes to count on from what is returned.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public ref byte Upcoming(LatentSequence sequence, int first, int count, int next, out nint distance)
    {
        bool inPlace = AreInPlace(sequence, first, count);
        distance = inPlace ? Kernels.Layout.PrefetchTokens * Shape.CacheRowBytes : 0;
        (int page, int index) = Math.DivRem(inPlace ? first : Math.Max(0, next), sequence.Pool.PageTokens);
        return ref PageRows(sequence, page)[index * Shape.CacheRowBytes];
    }

    private static bool AreInPlace(LatentSequence sequence, int first, int count)
        => sequence.Pool.Codec.Format == CacheFormat.Float32 && (first % sequence.Pool.PageTokens) + count <= sequence.Pool.PageTokens;

    /// <summary>The rows of a query that sees committed tokens and, behind them, a path through a tree of new ones.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="first">First key, counted as the query sees them.</param>
    /// <param name="count">Keys.</param>
    /// <param name="committed">Committed tokens of the sequence.</param>
    /// <param name="path">Indices of the path's tokens among the new ones.</param>
    /// <param name="space">Memory of the thread.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public ref float PathRows(LatentSequence sequence, int first, int count, int committed, ReadOnlySpan<int> path, WorkerSpace space)
    {
        int elements = Shape.CacheRowElements;
        ref float start = ref space.PathRows.Reserve((long)Math.Max(count, Kernels.Layout.BlockTokens) * elements);
        int contiguous = Math.Max(0, committed - first);
        if (contiguous > 0)
        {
            MemoryMarshal.CreateReadOnlySpan(ref Rows(sequence, first, contiguous, space.Rows), contiguous * elements).CopyTo(space.PathRows.Span(0, contiguous * elements));
        }

        for (int i = contiguous; i < count; i++)
        {
            int token = committed + path[first + i - committed];
            MemoryMarshal.CreateReadOnlySpan(ref Rows(sequence, token, 1, space.Rows), elements).CopyTo(space.PathRows.Span((long)i * elements, elements));
        }

        return ref start;
    }

    private Span<byte> PageRows(LatentSequence sequence, int page) => sequence.Pool.Rows(sequence.Pages[page], Layer);
}
