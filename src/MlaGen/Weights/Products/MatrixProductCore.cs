using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MlaGen.Runtime;

/// <summary>
/// Products of bfloat16 in machine code that was assembled beforehand (<see cref="ProductRoutines"/>). For many rows the weights of two depths are laid beside each
/// other, once for all rows of a chunk; for a single one panels are streamed as they lie.
/// </summary>
/// <param name="terms">Terms of bfloat16 that inputs are taken as.</param>
/// <param name="stepDepth">Depth of a step of the routines.</param>
/// <param name="pairedDepth">Depth for which weights are laid beside each other at a time: two panels of it stay in the first-level cache.</param>
internal abstract unsafe class MatrixProductCore(int terms, int stepDepth, int pairedDepth) : ProductCore
{
    /// <summary>Floats from the sums of a row to those of the next.</summary>
    public const int SumStride = ProjectionKernels.TiledPanels * PackedMatrix.PanelWidth;

    /// <summary>Panels that a single row meets at once.</summary>
    private const int StripPanels = ProjectionKernels.TiledPanels;

    private const int DepthBytes = PackedMatrix.PanelWidth * sizeof(ushort);
    private const int PairBytes = 2 * DepthBytes;

    /// <summary>Bytes of a panel that are asked for ahead of their use.</summary>
    private const int Ahead = 2048;

    private readonly Lock _writing = new();
    private volatile bool _written;

    public sealed override RowPacking Packing => Rows;

    /// <summary>How it takes rows.</summary>
    protected BFloat16Packing Rows { get; } = new(terms);

    public sealed override string? Refusal => _written ? null : Write();

    public sealed override string? RefusalOf(PanelProducts format) =>
        format.Type == TensorType.BFloat16 ? null : $"weights of {format.Type.Name()} are multiplied as floats";

    /// <summary>Writes the routines where they can run.</summary>
    /// <returns>Why the system refuses, or null.</returns>
    protected abstract string? WriteRoutines();

    /// <summary>Multiplies rows, in whole tiles, with two panels of weights that lie in pairs.</summary>
    /// <param name="arguments">Where things are; tiles are filled in.</param>
    /// <param name="rows">Rows.</param>
    protected abstract void MultiplyTiles(ref ProductArguments arguments, int rows);

    /// <summary>Multiplies one row with a panel, or with eight.</summary>
    protected abstract void MultiplyPanels(ref ProductArguments arguments, bool isStrip);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public sealed override void MultiplyRows(PackedMatrix matrix, int firstPanel, int outputs, ref float packed, int rows, ref float result, nint stride, ref float scratch)
    {
        int panels = PackedMatrix.PanelsFor(outputs);
        MemoryMarshal.CreateSpan(ref scratch, rows * SumStride).Clear();
        fixed (float* inputs = &packed, sums = &scratch)
        {
            float* pairs = sums + (BFloat16Packing.PaddedRows(ProjectionKernels.MostChunkRows) * SumStride);
            for (int first = 0; first < matrix.Columns; first += pairedDepth)
            {
                int depth = Math.Min(pairedDepth, matrix.Columns - first);
                var arguments = new ProductArguments
                {
                    Rows = (nint)(inputs + Rows.BlockStart(rows, first)) + (first % BFloat16Packing.Depth * sizeof(ushort)),
                    Weights = (nint)pairs,
                    Depth = ProjectionKernels.Units(depth, stepDepth),
                };
                for (int panel = 0; panel < panels; panel += 2)
                {
                    // A last panel without another is taken twice; what the second makes is never read.
                    ref byte left = ref Unsafe.Add(ref matrix.Panel(firstPanel + panel), first * DepthBytes);
                    ref byte right = ref Unsafe.Add(ref matrix.Panel(firstPanel + Math.Min(panel + 1, panels - 1)), first * DepthBytes);
                    LayBeside(ref left, ref right, depth, (int)arguments.Depth * stepDepth, ref *(byte*)pairs);
                    arguments.Sums = (nint)(sums + (panel * PackedMatrix.PanelWidth));
                    MultiplyTiles(ref arguments, rows);
                }
            }
        }

        for (int row = 0; row < rows; row++)
        {
            MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref scratch, row * SumStride), outputs).CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.Add(ref result, row * stride), outputs));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public sealed override void MultiplyRow(PackedMatrix matrix, int firstPanel, ref float inputs, int rows, int row, Span<float> result)
    {
        float* sums = stackalloc float[StripPanels * PackedMatrix.PanelWidth];
        fixed (float* first = &inputs)
        {
            int panels = PackedMatrix.PanelsFor(result.Length);
            for (int panel = 0; panel < panels;)
            {
                int count = panels - panel >= StripPanels ? StripPanels : 1;
                int output = panel * PackedMatrix.PanelWidth;
                new Span<float>(sums, count * PackedMatrix.PanelWidth).Clear();
                MultiplyPanels(matrix, firstPanel + panel, count, (byte*)(first + (row * Rows.RowFloats)), rows, sums);
                new ReadOnlySpan<float>(sums, Math.Min(count * PackedMatrix.PanelWidth, result.Length - output)).CopyTo(result[output..]);
                panel += count;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MultiplyPanels(PackedMatrix matrix, int firstPanel, int count, byte* row, int rows, float* sums)
    {
        fixed (byte* panels = &matrix.Panel(firstPanel))
        {
            var arguments = new ProductArguments { Sums = (nint)sums };
            for (int first = 0; first < matrix.Columns; first += BFloat16Packing.Depth)
            {
                int depth = Math.Min(BFloat16Packing.Depth, matrix.Columns - first);
                arguments.Rows = (nint)(row + (Rows.BlockStart(rows, first) * sizeof(float)));
                arguments.Weights = (nint)(panels + ((nint)first * DepthBytes));
                arguments.PanelBytes = matrix.PanelBytes;
                arguments.Depth = depth / stepDepth;
                if (arguments.Depth > 0)
                {
                    MultiplyPanels(ref arguments, count == StripPanels);
                }

                if (depth % stepDepth > 0)
                {
                    arguments.Rows += depth / stepDepth * stepDepth * sizeof(ushort);
                    MultiplyRest(ref arguments, panels, count, matrix);
                }
            }
        }
    }

    /// <summary>What is left of whole steps of the depth, with zeros behind it: there begins the next panel, or nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MultiplyRest(ref ProductArguments arguments, byte* panels, int count, PackedMatrix matrix)
    {
        int rest = matrix.Columns % stepDepth;
        int stepBytes = stepDepth * DepthBytes;
        byte* last = stackalloc byte[StripPanels * stepBytes];
        new Span<byte>(last, count * stepBytes).Clear();
        for (int panel = 0; panel < count; panel++)
        {
            byte* left = panels + ((nint)panel * matrix.PanelBytes) + ((nint)(matrix.Columns - rest) * DepthBytes);
            new ReadOnlySpan<byte>(left, rest * DepthBytes).CopyTo(new Span<byte>(last + (panel * stepBytes), stepBytes));
        }

        arguments.Weights = (nint)last;
        arguments.PanelBytes = stepBytes;
        arguments.Depth = 1;
        MultiplyPanels(ref arguments, count == StripPanels);
    }

    /// <summary>Lays the weights of two depths beside each other, of two panels: <c>[depth / 2][panel][16][2]</c>, zeros behind them up to whole steps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void LayBeside(ref byte left, ref byte right, int depth, int paddedDepth, ref byte pairs)
    {
        ref byte end = ref Unsafe.Add(ref pairs, paddedDepth * PairBytes);
        Vector512<ushort> places = Vector512.Create(
            (ushort)0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        for (; depth > 1; depth -= 2)
        {
            Prefetch.Ahead(ref left, Ahead);
            Prefetch.Ahead(ref right, Ahead);
            Avx512BW.PermuteVar32x16(Vector512.LoadUnsafe(ref left).AsUInt16(), places).AsByte().StoreUnsafe(ref pairs);
            Avx512BW.PermuteVar32x16(Vector512.LoadUnsafe(ref right).AsUInt16(), places).AsByte().StoreUnsafe(ref pairs, PairBytes);
            left = ref Unsafe.Add(ref left, PairBytes);
            right = ref Unsafe.Add(ref right, PairBytes);
            pairs = ref Unsafe.Add(ref pairs, 2 * PairBytes);
        }

        if (depth != 0)
        {
            Avx512BW.PermuteVar32x16(Vector256.LoadUnsafe(ref left).ToVector512().AsUInt16(), places).AsByte().StoreUnsafe(ref pairs);
            Avx512BW.PermuteVar32x16(Vector256.LoadUnsafe(ref right).ToVector512().AsUInt16(), places).AsByte().StoreUnsafe(ref pairs, PairBytes);
            pairs = ref Unsafe.Add(ref pairs, 2 * PairBytes);
        }

        MemoryMarshal.CreateSpan(ref pairs, (int)Unsafe.ByteOffset(ref pairs, ref end)).Clear();
    }

    private string? Write()
    {
        using (Uninterrupted.Hold(_writing))
        {
            if (!_written && WriteRoutines() is { } refusal)
            {
                return refusal;
            }

            _written = true;
            return null;
        }
    }
}
