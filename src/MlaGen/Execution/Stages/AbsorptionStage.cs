using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>What surrounds attention on latents, head by head: key projections are absorbed into queries, and weighted sums of latents projected to values.</summary>
internal sealed class AbsorptionStage
{
    private readonly StepContext _step;
    private readonly AbsorbedStage _absorbed;
    private readonly Action<int, int> _absorb;
    private readonly Action<int, int> _project;
    private PackedMatrix _matrix = null!;
    private ProductCore _core = null!;
    private Workspace _inputs = null!;
    private Workspace _outputs = null!;

    /// <param name="step">The step.</param>
    /// <param name="absorbed">Has the rows that are attended to on latents.</param>
    public AbsorptionStage(StepContext step, AbsorbedStage absorbed)
    {
        _step = step;
        _absorbed = absorbed;
        _absorb = AbsorbHead;
        _project = ProjectHead;
    }

    private MlaShape Shape => _step.Shape;

    /// <summary>At high precision the queries that enter scores, and what comes of them, are rounded by the core alone: with absorption by terms, too, a layer errs by more than 1e-5.</summary>
    private MlaPrecision Precision => _step.Batch.Pool.Precision == MlaPrecision.Medium ? MlaPrecision.Medium : MlaPrecision.Highest;

    /// <summary>Takes the memory for so many rows.</summary>
    public void Reserve(int rows)
    {
        foreach (PanelProducts format in PanelFormats.All)
        {
            Reserve(ProductCores.First(format, long.MaxValue, Precision), rows);
        }
    }

    /// <summary>Takes the key projections over to queries: of each <c>[nope | rotary]</c> becomes <c>[latent | rotary]</c>.</summary>
    /// <param name="weights">Of each head the key projection and then the value projection.</param>
    /// <param name="queries">Queries of the whole batch <c>[rows, heads, nope + rotary]</c>.</param>
    /// <param name="absorbed">Takes <c>[rows, heads, latent + rotary]</c>.</param>
    public void Absorb(Projection weights, Workspace queries, Workspace absorbed) => Run(_absorb, weights, queries, absorbed, Shape.QkNopeHeadDim);

    /// <summary>Projects weighted sums of latents to values.</summary>
    /// <param name="weights">As for <see cref="Absorb"/>.</param>
    /// <param name="latents">Sums of the whole batch <c>[rows, heads, latent]</c>.</param>
    /// <param name="values">Takes <c>[rows, heads, value]</c>.</param>
    public void Project(Projection weights, Workspace latents, Workspace values) => Run(_project, weights, latents, values, Shape.VHeadDim);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Run(Action<int, int> head, Projection weights, Workspace inputs, Workspace outputs, int width)
    {
        _matrix = weights.Matrix;
        _core = ProductCores.First(_matrix, Precision);
        _inputs = inputs;
        _outputs = outputs;
        int rows = _absorbed.RowCount;
        Reserve(_core, rows);
        _step.Run(head, Shape.Heads, (long)rows * Shape.Heads * Shape.KvLoraRank * width, _core.IsApart && rows >= ProjectionKernels.TiledRows);
    }

    private void Reserve(ProductCore core, int rows)
    {
        int depth = Math.Max(Shape.KvLoraRank, PackedMatrix.PanelsFor(Shape.QkNopeHeadDim) * PackedMatrix.PanelWidth);
        foreach (WorkerSpace space in _step.WorkersOf(Shape.Heads))
        {
            space.Packed.Reserve(core.Packing.Length(Math.Min(rows, ProjectionKernels.MostChunkRows), depth));
            space.Product.Reserve(Math.Max(core.ScratchLength, core.TransposedScratchLength(Shape.QkNopeHeadDim)));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AbsorbHead(int head, int worker)
    {
        int query = Shape.QkHeadDim;
        int absorbed = Shape.CacheRowElements;
        WorkerSpace space = _step.Worker(worker);
        for (int first = 0, count; first < _absorbed.RowCount; first += count)
        {
            count = Chunk(first);
            long index = ((long)_absorbed.BatchRow(first) * Shape.Heads) + head;
            _core.MultiplyTransposed(
                _matrix,
                KeyPanel(head),
                Shape.QkNopeHeadDim,
                ref _inputs.At(index * query),
                (nint)Shape.Heads * query,
                count,
                ref _outputs.At(index * absorbed),
                (nint)Shape.Heads * absorbed,
                ref space.Packed.Start,
                ref space.Product.Start);
            for (int row = 0; row < count; row++, index += Shape.Heads)
            {
                _inputs.Span((index * query) + Shape.QkNopeHeadDim, Shape.QkRopeHeadDim).CopyTo(_outputs.Span((index * absorbed) + Shape.KvLoraRank, Shape.QkRopeHeadDim));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ProjectHead(int head, int worker)
    {
        int panel = KeyPanel(head) + PackedMatrix.PanelsFor(Shape.QkNopeHeadDim);
        WorkerSpace space = _step.Worker(worker);
        for (int first = 0, count; first < _absorbed.RowCount; first += count)
        {
            count = Chunk(first);
            long index = ((long)_absorbed.BatchRow(first) * Shape.Heads) + head;
            _core.Multiply(
                _matrix,
                panel,
                Shape.VHeadDim,
                ref _inputs.At(index * Shape.KvLoraRank),
                (nint)Shape.Heads * Shape.KvLoraRank,
                count,
                ref _outputs.At(index * Shape.VHeadDim),
                (nint)Shape.Heads * Shape.VHeadDim,
                ref space.Packed.Start,
                ref space.Product.Start);
        }
    }

    /// <summary>Rows that follow each other in the batch, too, as many as are multiplied together.</summary>
    private int Chunk(int first)
    {
        int most = Math.Min(_absorbed.RowCount - first, ProjectionKernels.MostChunkRows);
        int count = 1;
        while (count < most && _absorbed.BatchRow(first + count) == _absorbed.BatchRow(first) + count)
        {
            count++;
        }

        return count;
    }

    private int KeyPanel(int head) => head * (PackedMatrix.PanelsFor(Shape.QkNopeHeadDim) + PackedMatrix.PanelsFor(Shape.VHeadDim));
}
