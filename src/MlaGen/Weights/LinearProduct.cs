using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>A product of rows with a packed matrix in hand, cut by outputs into units that threads may share: an output's sum is one thread's, in one order.</summary>
internal sealed unsafe class LinearProduct
{
    private const int CacheLineFloats = 16;

    /// <summary>The last product of this thread, kept for its next one: a product allocates nothing.</summary>
    [ThreadStatic]
    private static LinearProduct? _idle;

    private readonly Action<int, int> _stream;
    private readonly Action<int, int> _pack;
    private readonly Action<int, int> _multiply;

    private PackedMatrix _matrix = null!;
    private ProductCore _core = null!;
    private float[]? _bias;
    private MlaExecutor? _executor;
    private CancellationToken _cancellation;

    // The caller's spans, which stay pinned while units run: a span itself cannot be handed to another thread.
    private float* _inputs;
    private float* _outputs;

    private int _rows;
    private int _unitPanels;
    private float[] _packed = [];
    private int _packedStart;

    private LinearProduct()
    {
        _stream = Stream;
        _pack = Pack;
        _multiply = Multiply;
    }

    private RowPacking Packing => _core.Packing;

    /// <summary>Writes <c>outputs[r][o] = Σ inputs[r][k] · matrix[o][k] + bias[o]</c>.</summary>
    /// <param name="matrix">The weights.</param>
    /// <param name="bias">One value an output, or none.</param>
    /// <param name="inputs"><c>[rows, columns of the matrix]</c>.</param>
    /// <param name="outputs"><c>[rows, rows of the matrix]</c>.</param>
    /// <param name="rows">Rows to multiply.</param>
    /// <param name="precision">The least exact products that are allowed; without threads the highest alone.</param>
    /// <param name="executor">The threads; none for the calling one alone.</param>
    /// <param name="cancellation">Looked at between units.</param>
    public static void Run(
        PackedMatrix matrix, float[]? bias, ReadOnlySpan<float> inputs, Span<float> outputs, int rows, MlaPrecision precision, MlaExecutor? executor, CancellationToken cancellation)
    {
        LinearProduct product = _idle ?? new LinearProduct();
        _idle = null;
        product._matrix = matrix;
        product._core = ProductCores.First(matrix, precision);
        product._bias = bias;
        product._executor = (long)rows * matrix.Rows * matrix.Columns < MlaExecutor.WorthSharing && !product._core.IsApart ? null : executor;
        product._cancellation = cancellation;
        try
        {
            fixed (float* x = inputs, y = outputs)
            {
                product._inputs = x;
                product._outputs = y;
                product.Run(rows);
            }
        }
        finally
        {
            product._matrix = null!;
            product._core = null!;
            product._bias = null;
            product._executor = null;
            product._cancellation = default;
            product._inputs = product._outputs = null;
            _idle = product;
        }
    }

    /// <summary>
    /// Index of the first float of an array that starts a cache line; vectors that straddle two cost twice. If the array is moved later, that is all
    /// that is lost, as long as what lies there is found by the index of before.
    /// </summary>
    private static int OnCacheLine(float[] array)
    {
        nuint misaligned = (nuint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(array)) / sizeof(float) % CacheLineFloats;
        return (int)((CacheLineFloats - misaligned) % CacheLineFloats);
    }

    private void Run(int rows)
    {
        int chunk = _core.ChunkRows(rows);
        if (PackedLength(Math.Min(rows, chunk)) > Array.MaxLength)
        {
            // Packed rows would be too long for an array: the bits are the same one by one.
            chunk = 1;
        }

        while (rows > 0)
        {
            _rows = Math.Min(chunk, rows);
            if (chunk >= ProjectionKernels.TiledRows || Packing.PacksFewRows)
            {
                RunPacked(isFew: chunk < ProjectionKernels.TiledRows);
            }
            else
            {
                RunFew();
            }

            _inputs += (nint)_rows * _matrix.Columns;
            _outputs += (nint)_rows * _matrix.Rows;
            rows -= _rows;
        }
    }

    private long PackedLength(int rows) => Packing.Length(rows, _matrix.Columns) + CacheLineFloats;

    private void RunPacked(bool isFew)
    {
        _packed = ArrayPool<float>.Shared.Rent((int)PackedLength(_rows));
        _packedStart = OnCacheLine(_packed);
        try
        {
            int blocks = ProjectionKernels.Units(_matrix.Columns, Packing.BlockDepth);
            if (isFew)
            {
                // Too little to share.
                for (int block = 0; block < blocks; block++)
                {
                    Pack(block, worker: 0);
                }

                RunFew();
            }
            else
            {
                Share(_pack, blocks, apart: false);
                _unitPanels = _core.UnitPanels(_matrix, _executor?.Threads ?? 1);
                Share(_multiply, ProjectionKernels.Units(_matrix.PanelCount, _unitPanels), _core.IsApart);
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(_packed);
            _packed = [];
        }
    }

    private void RunFew()
    {
        _unitPanels = ProjectionKernels.StreamedPanels(_matrix);
        Share(_stream, ProjectionKernels.Units(_matrix.PanelCount, _unitPanels), apart: false);
    }

    private void Share(Action<int, int> work, int units, bool apart)
    {
        if (apart)
        {
            _executor!.RunApart(work, units, _cancellation);
            return;
        }

        if (_executor is not null)
        {
            _executor.Run(work, units, _cancellation);
            return;
        }

        for (int unit = 0; unit < units; unit++)
        {
            _cancellation.ThrowIfCancellationRequested();
            work(unit, 0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Stream(int unit, int worker)
    {
        int panel = unit * _unitPanels;
        int first = panel * PackedMatrix.PanelWidth;
        int count = Math.Min(_unitPanels * PackedMatrix.PanelWidth, _matrix.Rows - first);
        for (int row = 0; row < _rows; row++)
        {
            Span<float> result = Outputs(row, first, count);
            _core.MultiplyRow(_matrix, panel, ref Packing.PacksFewRows ? ref _packed[_packedStart] : ref *_inputs, _rows, row, result);
            ProjectionKernels.AddBias(result, _bias, first);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Pack(int unit, int worker)
    {
        int first = unit * Packing.BlockDepth;
        int depth = Math.Min(Packing.BlockDepth, _matrix.Columns - first);
        Packing.PackBlock(ref Unsafe.AsRef<float>(_inputs + first), _matrix.Columns, _rows, depth, ref _packed[_packedStart + (int)Packing.BlockStart(_rows, first)]);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Multiply(int unit, int worker)
    {
        int panel = unit * _unitPanels;
        int first = panel * PackedMatrix.PanelWidth;
        int count = Math.Min(_unitPanels * PackedMatrix.PanelWidth, _matrix.Rows - first);
        float[] scratch = ArrayPool<float>.Shared.Rent(_core.ScratchLength + CacheLineFloats);
        _core.MultiplyRows(_matrix, panel, count, ref _packed[_packedStart], _rows, ref Unsafe.AsRef<float>(_outputs + first), _matrix.Rows, ref scratch[OnCacheLine(scratch)]);
        ArrayPool<float>.Shared.Return(scratch);
        for (int row = 0; row < _rows; row++)
        {
            ProjectionKernels.AddBias(Outputs(row, first, count), _bias, first);
        }
    }

    private Span<float> Outputs(int row, int first, int count) => new(_outputs + ((nint)row * _matrix.Rows) + first, count);
}
