using System.Buffers;
using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>Products in hand of one row with each of several layers, cut into the units that each product alone would have.</summary>
internal sealed unsafe class LinearRows
{
    /// <summary>The last products of this thread, kept for its next ones: they allocate nothing.</summary>
    [ThreadStatic]
    private static LinearRows? _idle;

    private readonly Action<int, int> _stream;
    private readonly List<Part> _parts = [];

    // The caller's spans, which stay pinned while units run: a span itself cannot be handed to another thread.
    private float* _inputs;
    private float* _outputs;

    // Rows of layers whose products take them packed.
    private float[] _packed = [];

    private LinearRows() => _stream = Stream;

    /// <summary>Multiplies the layers' rows, which follow each other in both spans.</summary>
    public static void Run(ReadOnlySpan<Linear> layers, ReadOnlySpan<float> inputs, Span<float> outputs, MlaPrecision precision, MlaExecutor executor, CancellationToken cancellation)
    {
        LinearRows rows = _idle ?? new LinearRows();
        _idle = null;
        try
        {
            Part end = default;
            long products = 0;
            foreach (Linear layer in layers)
            {
                int unitPanels = ProjectionKernels.StreamedPanels(layer.Matrix);
                Part part = end with { Layer = layer, Core = ProductCores.First(layer.Matrix.Products, precision), UnitPanels = unitPanels };
                rows._parts.Add(part);
                end = new Part(
                    null!,
                    null!,
                    0,
                    end.FirstUnit + ProjectionKernels.Units(layer.Matrix.PanelCount, unitPanels),
                    end.FirstInput + layer.InFeatures,
                    end.FirstPacked + (part.IsPacked ? checked((int)part.Core.Packing.Length(1, layer.InFeatures)) : 0),
                    end.FirstOutput + layer.OutFeatures);
                products += (long)layer.InFeatures * layer.OutFeatures;
            }

            fixed (float* x = inputs, y = outputs)
            {
                rows._inputs = x;
                rows._outputs = y;
                rows.Pack(end.FirstPacked);
                if (products < MlaExecutor.WorthSharing)
                {
                    rows.RunAlone(end.FirstUnit, cancellation);
                }
                else
                {
                    executor.Run(rows._stream, end.FirstUnit, cancellation);
                }
            }
        }
        finally
        {
            rows._parts.Clear();
            rows._inputs = rows._outputs = null;
            ArrayPool<float>.Shared.Return(rows._packed);
            rows._packed = [];
            _idle = rows;
        }
    }

    private void Pack(int length)
    {
        _packed = ArrayPool<float>.Shared.Rent(length);
        foreach (Part part in _parts)
        {
            int depth = part.IsPacked ? part.Layer.InFeatures : 0;
            RowPacking packing = part.Core.Packing;
            for (int first = 0; first < depth; first += packing.BlockDepth)
            {
                packing.PackBlock(
                    ref Unsafe.AsRef<float>(_inputs + part.FirstInput + first), depth, 1, Math.Min(packing.BlockDepth, depth - first), ref _packed[part.FirstPacked + (int)packing.BlockStart(1, first)]);
            }
        }
    }

    private void RunAlone(int units, CancellationToken cancellation)
    {
        for (int unit = 0; unit < units; unit++)
        {
            cancellation.ThrowIfCancellationRequested();
            Stream(unit, worker: 0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Stream(int unit, int worker)
    {
        int last = _parts.Count - 1;
        while (_parts[last].FirstUnit > unit)
        {
            last--;
        }

        Part part = _parts[last];
        PackedMatrix matrix = part.Layer.Matrix;
        int panel = (unit - part.FirstUnit) * part.UnitPanels;
        int first = panel * PackedMatrix.PanelWidth;
        Span<float> result = new(_outputs + part.FirstOutput + first, Math.Min(part.UnitPanels * PackedMatrix.PanelWidth, matrix.Rows - first));
        part.Core.MultiplyRow(matrix, panel, ref part.IsPacked ? ref _packed[part.FirstPacked] : ref *(_inputs + part.FirstInput), rows: 1, row: 0, result);
        ProjectionKernels.AddBias(result, part.Layer.Bias, first);
    }

    /// <summary>A layer, what multiplies with it, and where its units, its input, its packed input and its output begin.</summary>
    private readonly record struct Part(Linear Layer, ProductCore Core, int UnitPanels, int FirstUnit, int FirstInput, int FirstPacked, int FirstOutput)
    {
        public bool IsPacked => Core.Packing.PacksFewRows;
    }
}
