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

    private static ProjectionKernels Kernels => ProjectionKernels.Current;

    private PackedMatrix Matrix => _projection.Matrix;

    /// <summary>Projects rows <c>[rows, projection's columns]</c> to <c>[rows, projection's rows]</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(Projection projection, Workspace inputs, int rows, Workspace outputs)
    {
        _projection = projection;
        _inputs = inputs;
        _outputs = outputs;
        _rows = rows;
        outputs.Reserve((long)rows * Matrix.Rows);
        long multiplications = (long)rows * Matrix.Rows * Matrix.Columns;
        if (rows < ProjectionKernels.TiledRows)
        {
            _unitPanels = ProjectionKernels.StreamedPanels(Matrix);
            _step.Run(_stream, ProjectionKernels.Units(Matrix.PanelCount, _unitPanels), multiplications);
            return;
        }

        Reserve(rows, Matrix.Columns);
        int chunks = ProjectionKernels.Units(rows, _chunkRows);
        _step.Run(_pack, chunks * ProjectionKernels.Units(Matrix.Columns, ProjectionKernels.DepthBlock), multiplications);
        _step.Run(_multiply, chunks * ProjectionKernels.Units(Matrix.PanelCount, ProjectionKernels.TiledPanels), multiplications);
    }

    /// <summary>Takes the memory for products of so many rows.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns of the projection.</param>
    public void Reserve(int rows, int columns)
    {
        if (rows < ProjectionKernels.TiledRows)
        {
            return;
        }

        _chunkRows = ProjectionKernels.ChunkRows(rows);
        int chunks = ProjectionKernels.Units(rows, _chunkRows);
        _packed.Reserve(((long)(chunks - 1) * Kernels.PackedWidth(_chunkRows) * columns) + ((long)Kernels.PackedWidth(rows - ((chunks - 1) * _chunkRows)) * columns));
        foreach (WorkerSpace space in _step.WorkersOf(int.MaxValue))
        {
            space.Product.Reserve(ProjectionKernels.ScratchLength);
        }
    }

    private long PackedStart(int chunk) => (long)chunk * Kernels.PackedWidth(_chunkRows) * Matrix.Columns;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Stream(int unit, int worker)
    {
        int firstPanel = unit * _unitPanels;
        int first = firstPanel * PackedMatrix.PanelWidth;
        int count = Math.Min(_unitPanels * PackedMatrix.PanelWidth, Matrix.Rows - first);
        for (int row = 0; row < _rows; row++)
        {
            Span<float> result = _outputs.Span(((long)row * Matrix.Rows) + first, count);
            Matrix.Products.MultiplyRow(Matrix, firstPanel, ref _inputs.At((long)row * Matrix.Columns), result);
            ProjectionKernels.AddBias(result, _projection.Bias, first);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Pack(int unit, int worker)
    {
        (int chunk, int block) = Math.DivRem(unit, ProjectionKernels.Units(Matrix.Columns, ProjectionKernels.DepthBlock));
        int firstRow = chunk * _chunkRows;
        int rows = Math.Min(_chunkRows, _rows - firstRow);
        int first = block * ProjectionKernels.DepthBlock;
        Kernels.PackBlock(
            ref _inputs.At(((long)firstRow * Matrix.Columns) + first),
            Matrix.Columns,
            rows,
            Math.Min(ProjectionKernels.DepthBlock, Matrix.Columns - first),
            ref _packed.At(PackedStart(chunk) + ((long)first * Kernels.PackedWidth(rows))));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Multiply(int unit, int worker)
    {
        (int chunk, int group) = Math.DivRem(unit, ProjectionKernels.Units(Matrix.PanelCount, ProjectionKernels.TiledPanels));
        int firstRow = chunk * _chunkRows;
        int rows = Math.Min(_chunkRows, _rows - firstRow);
        int firstPanel = group * ProjectionKernels.TiledPanels;
        int first = firstPanel * PackedMatrix.PanelWidth;
        int count = Math.Min(ProjectionKernels.TiledPanels * PackedMatrix.PanelWidth, Matrix.Rows - first);
        long start = ((long)firstRow * Matrix.Rows) + first;
        Matrix.Products.MultiplyPacked(
            Matrix,
            firstPanel,
            count,
            ref _packed.At(PackedStart(chunk)),
            rows,
            ref _outputs.At(start),
            Matrix.Rows,
            ref _step.Worker(worker).Product.Start,
            wholeTiles: false);
        for (int row = 0; row < rows; row++)
        {
            ProjectionKernels.AddBias(_outputs.Span(start + ((long)row * Matrix.Rows), count), _projection.Bias, first);
        }
    }
}
