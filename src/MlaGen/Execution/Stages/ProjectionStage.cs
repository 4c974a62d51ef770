using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>A projection of all rows of a step, shared between threads by outputs.</summary>
internal sealed class ProjectionStage
{
    private readonly StepContext _step;
    private readonly Action<int, int> _stream;
    private readonly Action<int, int> _pack;
    private readonly Action<int, int> _multiply;
    private readonly Workspace _packed;

    private Projection _projection = null!;
    private ProductCore _core = null!;
    private Workspace _inputs = null!;
    private Workspace _outputs = null!;
    private int _rows;
    private int _unitPanels;
    private int _chunkRows;

    public ProjectionStage(StepContext step)
    {
        _step = step;
        _packed = step.Memory.Add();
        _stream = Stream;
        _pack = Pack;
        _multiply = Multiply;
    }

    private RowPacking Packing => _core.Packing;

    private PackedMatrix Matrix => _projection.Matrix;

    /// <summary>Projects rows <c>[rows, projection's columns]</c> to <c>[rows, projection's rows]</c>, as exactly as the batch's cache asks for.</summary>
    public void Run(Projection projection, Workspace inputs, int rows, Workspace outputs) => Run(projection, inputs, rows, outputs, _step.Batch.Pool.Precision);

    /// <summary>The same at the highest precision, whatever the cache asks for: where the outputs decide what is attended to.</summary>
    public void RunExactly(Projection projection, Workspace inputs, int rows, Workspace outputs) => Run(projection, inputs, rows, outputs, MlaPrecision.Highest);

    /// <summary>Takes the memory for products of so many rows.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns of the projection.</param>
    public void Reserve(int rows, int columns)
    {
        foreach (PanelProducts format in PanelFormats.All)
        {
            _core = ProductCores.First(format, long.MaxValue, _step.Batch.Pool.Precision);
            ReservePacked(rows, columns);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Run(Projection projection, Workspace inputs, int rows, Workspace outputs, MlaPrecision precision)
    {
        _projection = projection;
        _core = ProductCores.First(Matrix, precision);
        _inputs = inputs;
        _outputs = outputs;
        _rows = rows;
        outputs.Reserve((long)rows * Matrix.Rows);
        long multiplications = (long)rows * Matrix.Rows * Matrix.Columns;
        ReservePacked(rows, Matrix.Columns);
        int blocks = ProjectionKernels.Units(Matrix.Columns, Packing.BlockDepth);
        if (rows < ProjectionKernels.TiledRows)
        {
            // Too little to share.
            for (int block = 0; block < blocks && Packing.PacksFewRows; block++)
            {
                Pack(block, worker: 0);
            }

            _unitPanels = ProjectionKernels.StreamedPanels(Matrix);
            _step.Run(_stream, ProjectionKernels.Units(Matrix.PanelCount, _unitPanels), multiplications);
            return;
        }

        int chunks = ProjectionKernels.Units(rows, _chunkRows);
        _step.Run(_pack, chunks * blocks, multiplications);
        _unitPanels = _core.UnitPanels(Matrix, _step.Threads);
        _step.Run(_multiply, chunks * ProjectionKernels.Units(Matrix.PanelCount, _unitPanels), multiplications, _core.IsApart);
    }

    private void ReservePacked(int rows, int columns)
    {
        _chunkRows = _core.ChunkRows(rows);
        if (rows < ProjectionKernels.TiledRows && !Packing.PacksFewRows)
        {
            return;
        }

        int chunks = ProjectionKernels.Units(rows, _chunkRows);
        _packed.Reserve(((chunks - 1) * Packing.Length(_chunkRows, columns)) + Packing.Length(rows - ((chunks - 1) * _chunkRows), columns));
        foreach (WorkerSpace space in _step.WorkersOf(int.MaxValue))
        {
            space.Product.Reserve(_core.ScratchLength);
        }
    }

    private long PackedStart(int chunk) => chunk * Packing.Length(_chunkRows, Matrix.Columns);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Stream(int unit, int worker)
    {
        int firstPanel = unit * _unitPanels;
        int first = firstPanel * PackedMatrix.PanelWidth;
        int count = Math.Min(_unitPanels * PackedMatrix.PanelWidth, Matrix.Rows - first);
        for (int row = 0; row < _rows; row++)
        {
            Span<float> result = _outputs.Span(((long)row * Matrix.Rows) + first, count);
            _core.MultiplyRow(Matrix, firstPanel, ref Packing.PacksFewRows ? ref _packed.Start : ref _inputs.Start, _rows, row, result);
            ProjectionKernels.AddBias(result, _projection.Bias, first);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Pack(int unit, int worker)
    {
        (int chunk, int block) = Math.DivRem(unit, ProjectionKernels.Units(Matrix.Columns, Packing.BlockDepth));
        int firstRow = chunk * _chunkRows;
        int rows = Math.Min(_chunkRows, _rows - firstRow);
        int first = block * Packing.BlockDepth;
        Packing.PackBlock(
            ref _inputs.At(((long)firstRow * Matrix.Columns) + first),
            Matrix.Columns,
            rows,
            Math.Min(Packing.BlockDepth, Matrix.Columns - first),
            ref _packed.At(PackedStart(chunk) + Packing.BlockStart(rows, first)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Multiply(int unit, int worker)
    {
        (int chunk, int group) = Math.DivRem(unit, ProjectionKernels.Units(Matrix.PanelCount, _unitPanels));
        int firstRow = chunk * _chunkRows;
        int rows = Math.Min(_chunkRows, _rows - firstRow);
        int firstPanel = group * _unitPanels;
        int first = firstPanel * PackedMatrix.PanelWidth;
        int count = Math.Min(_unitPanels * PackedMatrix.PanelWidth, Matrix.Rows - first);
        long start = ((long)firstRow * Matrix.Rows) + first;
        _core.MultiplyRows(
            Matrix,
            firstPanel,
            count,
            ref _packed.At(PackedStart(chunk)),
            rows,
            ref _outputs.At(start),
            Matrix.Rows,
            ref _step.Worker(worker).Product.Start);
        for (int row = 0; row < rows; row++)
        {
            ProjectionKernels.AddBias(_outputs.Span(start + ((long)row * Matrix.Rows), count), _projection.Bias, first);
        }
    }
}
