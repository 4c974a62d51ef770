using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// Products of bfloat16 in machine code that was assembled beforehand (<see cref="ProductRoutines"/>). For many rows the weights of two depths are laid beside each
/// other, once for all rows of a chunk; for a single one panels are streamed as they lie. Weights of 32 and of 16 bits that are no bfloat16 become terms on the way.
/// </summary>
/// <remarks>An output's products are added block by block of <see cref="BFloat16Packing.Depth"/>; in a block those with the first term of the weights come first.</remarks>
/// <param name="packing">How it takes rows: its terms are those of weights that are no bfloat16, too.</param>
/// <param name="stepDepth">Depth of a step of the routines.</param>
internal abstract unsafe partial class MatrixProductCore(BFloat16Packing packing, int stepDepth) : ProductCore
{
    /// <summary>Bytes of the weights of a panel at one depth.</summary>
    protected const int DepthBytes = PackedMatrix.PanelWidth * sizeof(ushort);

    protected const int CacheLine = 64;

    /// <summary>Panels that turned weights are multiplied as at a time.</summary>
    private const int TurnedPanels = 8;

    /// <summary>Panels that a single row meets at once.</summary>
    private const int StripPanels = 8;

    /// <summary>Depth of the terms of weights that a single row meets at a time: those of a strip stay in the first-level cache.</summary>
    private const int TermDepth = 128;

    /// <summary>Bytes from the terms of a panel to those of the next: an odd number of cache lines.</summary>
    private const int TermBytes = (TermDepth * DepthBytes) + CacheLine;

    /// <summary>
    /// Bytes of weights from which on they are taken as terms: a single row streams so many from memory, which takes longer than the conversion. It depends on the
    /// matrix alone, because a row's bits must not depend on how many are multiplied with it.
    /// </summary>
    private const long LeastBytesOfTerms = 4 << 20;

    private readonly WrittenRoutines _routines = new();

    /// <summary>The routines of a core.</summary>
    private protected enum Routine
    {
        WholeTiles,
        RestTiles,
        RowByStrip,
        RowByPanel,
    }

    public sealed override RowPacking Packing => packing;

    public sealed override string? Refusal => _routines.TryWrite(
        this,
        static core => [WrittenRoutines.Copy(core.WholeTiles), WrittenRoutines.Copy(core.RestTiles), WrittenRoutines.Copy(core.RowByStrip), WrittenRoutines.Copy(core.RowByPanel)]);

    public sealed override string? RefusalOf(PanelProducts format, long bytes) => (format.Format, format.Type) switch
    {
        (WeightFormat.Stored, TensorType.BFloat16) => null,
        (WeightFormat.Stored, TensorType.Float16 or TensorType.Float32) => bytes >= LeastBytesOfTerms
            ? null
            : FormattableString.Invariant($"weights of {format.Type.Name()} are multiplied as floats where they take less than {LeastBytesOfTerms >> 20} MiB"),
        _ => $"weights of {format.Type.Name()} are multiplied as floats",
    };

    /// <summary>The routine for rows in the largest tiles, with two panels of weights that lie in pairs.</summary>
    protected abstract MachineRoutine WholeTiles { get; }

    /// <summary>That for the rows which are left of them.</summary>
    protected abstract MachineRoutine RestTiles { get; }

    /// <summary>That for one row and eight panels.</summary>
    protected abstract MachineRoutine RowByStrip { get; }

    /// <summary>That for one row and one panel.</summary>
    protected abstract MachineRoutine RowByPanel { get; }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public sealed override void MultiplyRows(PackedMatrix matrix, int firstPanel, int outputs, ref float packed, int rows, ref float result, nint stride, ref float scratch) =>
        MultiplyPacked(new WeightPanels(matrix, firstPanel), outputs, ref packed, rows, ref result, stride, ref scratch);

    public sealed override void MultiplyRow(PackedMatrix matrix, int firstPanel, ref float inputs, int rows, int row, Span<float> result) =>
        MultiplyRow(new WeightPanels(matrix, firstPanel), ref inputs, rows, row, result);

    /// <summary>Multiplies packed rows with panels, as <see cref="MultiplyRows(PackedMatrix, int, int, ref float, int, ref float, nint, ref float)"/> says.</summary>
    protected abstract void MultiplyRows(WeightPanels weights, int outputs, ref float packed, int rows, ref float result, nint stride, ref float scratch);

    /// <summary>The same, however few rows there are.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MultiplyPacked(WeightPanels weights, int outputs, ref float packed, int rows, ref float result, nint stride, ref float scratch)
    {
        if (rows >= ProjectionKernels.TiledRows)
        {
            MultiplyRows(weights, outputs, ref packed, rows, ref result, stride, ref scratch);
            return;
        }

        for (int row = 0; row < rows; row++)
        {
            MultiplyRow(weights, ref packed, rows, row, MemoryMarshal.CreateSpan(ref Unsafe.Add(ref result, row * stride), outputs));
        }
    }

    // What is read of the stack is written before; to clear all of it would cost as much as a small product.
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MultiplyRow(WeightPanels weights, ref float inputs, int rows, int row, Span<float> result)
    {
        float* sums = stackalloc float[StripPanels * PackedMatrix.PanelWidth];
        byte* written = stackalloc byte[StripPanels * TermBytes];
        fixed (float* first = &inputs)
        {
            int panels = PackedMatrix.PanelsFor(result.Length);
            for (int panel = 0; panel < panels;)
            {
                int count = panels - panel >= StripPanels ? StripPanels : 1;
                int output = panel * PackedMatrix.PanelWidth;
                new Span<float>(sums, count * PackedMatrix.PanelWidth).Clear();
                MultiplyPanels(weights, panel, count, (byte*)(first + (row * packing.RowFloats)), rows, sums, written);
                new ReadOnlySpan<float>(sums, Math.Min(count * PackedMatrix.PanelWidth, result.Length - output)).CopyTo(result[output..]);
                panel += count;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MultiplyPanels(WeightPanels weights, int firstPanel, int count, byte* row, int rows, float* sums, byte* written)
    {
        bool isInPlace = weights.Type == TensorType.BFloat16;
        fixed (byte* panels = &weights.At(firstPanel, 0))
        {
            var arguments = new ProductArguments { Sums = (nint)sums };
            for (int first = 0; first < weights.Depth; first += BFloat16Packing.Depth)
            {
                int depth = Math.Min(BFloat16Packing.Depth, weights.Depth - first);
                byte* block = row + (packing.BlockStart(rows, first) * sizeof(float));
                int done = isInPlace ? depth / stepDepth * stepDepth : 0;
                if (done > 0)
                {
                    arguments.Rows = (nint)block;
                    arguments.Weights = (nint)(panels + ((nint)first * DepthBytes));
                    arguments.PanelBytes = weights.PanelBytes;
                    arguments.Depth = done / stepDepth;
                    Call(count == StripPanels ? Routine.RowByStrip : Routine.RowByPanel, ref arguments);
                }

                arguments.Weights = (nint)written;
                arguments.PanelBytes = TermBytes;
                for (int term = 0; term < WeightTerms(weights.Type); term++)
                {
                    for (int begin = done; begin < depth; begin += TermDepth)
                    {
                        // Zeros make whole steps: behind a panel begins the next one, or nothing.
                        int length = Math.Min(TermDepth, depth - begin);
                        arguments.Rows = (nint)(block + (begin * sizeof(ushort)));
                        arguments.Depth = ProjectionKernels.Units(length, stepDepth);
                        for (int panel = 0; panel < count; panel++)
                        {
                            byte* target = written + (panel * TermBytes);
                            CopyTerm(weights, firstPanel + panel, first + begin, length, term, ref *target);
                            new Span<byte>(target + (length * DepthBytes), (((int)arguments.Depth * stepDepth) - length) * DepthBytes).Clear();
                        }

                        Call(count == StripPanels ? Routine.RowByStrip : Routine.RowByPanel, ref arguments);
                    }
                }
            }
        }
    }

    /// <summary>Terms of bfloat16 that weights are taken as.</summary>
    protected int WeightTerms(TensorType type) => type == TensorType.BFloat16 ? 1 : packing.Terms;

    /// <summary>Writes a term of the weights of a panel, <c>[depth][16]</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected static void CopyTerm(WeightPanels weights, int panel, int first, int depth, int term, ref byte written)
    {
        ref ushort target = ref Unsafe.As<byte, ushort>(ref written);
        ref byte source = ref weights.At(panel, first);
        int length = depth * PackedMatrix.PanelWidth;
        switch (weights.Type)
        {
            case TensorType.BFloat16:
                Unsafe.CopyBlockUnaligned(ref written, ref source, (uint)(length * sizeof(ushort)));
                break;
            case TensorType.Float32:
                Round(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, float>(ref source), length), term, ref target);
                break;
            default:
                // Some at a time, through floats.
                Span<float> floats = stackalloc float[8 * PackedMatrix.PanelWidth];
                for (int i = 0; i < length; i += floats.Length)
                {
                    int count = Math.Min(floats.Length, length - i);
                    for (int k = 0; k < count; k += PackedMatrix.PanelWidth)
                    {
                        Lanes512.Store(Lanes512.LoadFloat16(ref Unsafe.Add(ref Unsafe.As<byte, ushort>(ref source), i + k)), ref floats[k]);
                    }

                    Round(floats[..count], term, ref Unsafe.Add(ref target, i));
                }

                break;
        }

        static void Round(ReadOnlySpan<float> floats, int term, ref ushort target)
        {
            if (term == 0)
            {
                BFloat16Lanes.Round(floats, ref target);
            }
            else
            {
                BFloat16Lanes.RoundRest(floats, ref target);
            }
        }
    }

    /// <summary>Calls a routine.</summary>
    private protected virtual void Call(Routine routine, ref ProductArguments arguments)
    {
        fixed (ProductArguments* given = &arguments)
        {
            ((delegate* unmanaged<ProductArguments*, void>)_routines[(int)routine])(given);
        }
    }
}
