using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MlaGen.Runtime;

/// <summary>
/// Products of bfloat16 in machine code that was assembled beforehand (<see cref="ProductRoutines"/>). For many rows the weights of two depths are laid beside each
/// other, once for all rows of a chunk; for a single one panels are streamed as they lie. Weights of 32 and of 16 bits that are no bfloat16 become terms on the way.
/// </summary>
/// <remarks>An output's products are added block by block of <see cref="BFloat16Packing.Depth"/>; in a block those with the first term of the weights come first.</remarks>
/// <param name="terms">Terms of bfloat16 that inputs are taken as, and weights that are no bfloat16.</param>
/// <param name="stepDepth">Depth of a step of the routines.</param>
/// <param name="pairedDepth">Depth for which weights are laid beside each other at a time: two panels of it stay in the first-level cache.</param>
internal abstract unsafe partial class MatrixProductCore(int terms, int stepDepth, int pairedDepth) : ProductCore
{
    /// <summary>Floats from the sums of a row to those of the next: groups of panels have sums of their own.</summary>
    public const int SumStride = GroupPanels * PackedMatrix.PanelWidth;

    private const int GroupPanels = 8;

    /// <summary>Panels that many rows meet at most before they are read again: their sums and a block of the rows' depth stay in the second-level cache.</summary>
    private const int MostUnitPanels = 32;

    /// <summary>Panels that a single row meets at once.</summary>
    private const int StripPanels = 8;

    private const int CacheLine = 64;
    private const int DepthBytes = PackedMatrix.PanelWidth * sizeof(ushort);
    private const int PairBytes = 2 * DepthBytes;

    /// <summary>Bytes of a panel that are asked for ahead of their use.</summary>
    private const int Ahead = 2048;

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

    private enum Routine
    {
        WholeTiles,
        RestTiles,
        RowByStrip,
        RowByPanel,
    }

    public sealed override RowPacking Packing => Rows;

    /// <summary>How it takes rows.</summary>
    protected BFloat16Packing Rows { get; } = new(terms);

    public sealed override int MostPanels => MostUnitPanels;

    // Sums of whole groups, pairs of two panels, and their terms.
    public sealed override int ScratchLength =>
        (MostUnitPanels * PackedMatrix.PanelWidth * BFloat16Packing.PaddedRows(ProjectionKernels.MostChunkRows)) + (2 * pairedDepth * PackedMatrix.PanelWidth);

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

    /// <summary>Multiplies rows, in whole tiles, with two panels of weights that lie in pairs.</summary>
    /// <param name="arguments">Where things are; tiles are filled in.</param>
    /// <param name="rows">Rows.</param>
    protected abstract void MultiplyTiles(ref ProductArguments arguments, int rows);

    protected void MultiplyWholeTiles(ref ProductArguments arguments) => Run(Routine.WholeTiles, ref arguments);

    protected void MultiplyRestTiles(ref ProductArguments arguments) => Run(Routine.RestTiles, ref arguments);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public sealed override void MultiplyRows(PackedMatrix matrix, int firstPanel, int outputs, ref float packed, int rows, ref float result, nint stride, ref float scratch) =>
        MultiplyRows(new WeightPanels(matrix, firstPanel), outputs, ref packed, rows, ref result, stride, ref scratch);

    public sealed override void MultiplyRow(PackedMatrix matrix, int firstPanel, ref float inputs, int rows, int row, Span<float> result) =>
        MultiplyRow(new WeightPanels(matrix, firstPanel), ref inputs, rows, row, result);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MultiplyRows(WeightPanels weights, int outputs, ref float packed, int rows, ref float result, nint stride, ref float scratch)
    {
        int panels = PackedMatrix.PanelsFor(outputs);
        int groupLength = BFloat16Packing.PaddedRows(rows) * SumStride;
        int groups = ProjectionKernels.Units(panels, GroupPanels);
        MemoryMarshal.CreateSpan(ref scratch, groups * groupLength).Clear();
        fixed (float* inputs = &packed, sums = &scratch)
        {
            float* pairs = sums + (groups * groupLength);
            byte* written = (byte*)(pairs + (pairedDepth * PackedMatrix.PanelWidth));
            for (int first = 0; first < weights.Depth; first += pairedDepth)
            {
                int depth = Math.Min(pairedDepth, weights.Depth - first);
                var arguments = new ProductArguments
                {
                    Rows = (nint)(inputs + Rows.BlockStart(rows, first)) + (first % BFloat16Packing.Depth * sizeof(ushort)),
                    Weights = (nint)pairs,
                    Depth = ProjectionKernels.Units(depth, stepDepth),
                    PanelBytes = weights.PanelBytes,
                };
                for (int panel = 0; panel < panels; panel += 2)
                {
                    // A last panel without another is taken twice; what the second makes is never read.
                    int other = Math.Min(panel + 1, panels - 1);
                    arguments.Sums = (nint)(sums + (panel / GroupPanels * groupLength) + (panel % GroupPanels * PackedMatrix.PanelWidth));

                    // The panels behind these, or at the last ones the next depth of the first.
                    bool isLast = panel + 2 >= panels;
                    arguments.Upcoming = (nint)Unsafe.AsPointer(ref isLast ? ref weights.At(0, first + depth) : ref weights.At(panel + 2, first));
                    for (int term = 0; term < WeightTerms(weights.Type); term++)
                    {
                        LayBeside(
                            ref Term(weights, panel, first, depth, term, ref *written),
                            ref Term(weights, other, first, depth, term, ref *(written + (pairedDepth * DepthBytes))),
                            depth,
                            (int)arguments.Depth * stepDepth,
                            ref *(byte*)pairs);
                        MultiplyTiles(ref arguments, rows);
                    }
                }
            }
        }

        for (int output = 0; output < outputs; output += SumStride)
        {
            int count = Math.Min(SumStride, outputs - output);
            ref float group = ref Unsafe.Add(ref scratch, output / SumStride * groupLength);
            for (int row = 0; row < rows; row++)
            {
                MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref group, row * SumStride), count)
                    .CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.Add(ref result, (row * stride) + output), count));
            }
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
                MultiplyPanels(weights, panel, count, (byte*)(first + (row * Rows.RowFloats)), rows, sums, written);
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
                byte* block = row + (Rows.BlockStart(rows, first) * sizeof(float));
                int done = isInPlace ? depth / stepDepth * stepDepth : 0;
                if (done > 0)
                {
                    arguments.Rows = (nint)block;
                    arguments.Weights = (nint)(panels + ((nint)first * DepthBytes));
                    arguments.PanelBytes = weights.PanelBytes;
                    arguments.Depth = done / stepDepth;
                    Run(count == StripPanels ? Routine.RowByStrip : Routine.RowByPanel, ref arguments);
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

                        Run(count == StripPanels ? Routine.RowByStrip : Routine.RowByPanel, ref arguments);
                    }
                }
            }
        }
    }

    /// <summary>Terms of bfloat16 that weights are taken as.</summary>
    private int WeightTerms(TensorType type) => type == TensorType.BFloat16 ? 1 : terms;

    /// <summary>A term of the weights of a panel: where they lie if they are bfloat16, and else where it is written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static ref byte Term(WeightPanels weights, int panel, int first, int depth, int term, ref byte written)
    {
        if (weights.Type == TensorType.BFloat16)
        {
            return ref weights.At(panel, first);
        }

        CopyTerm(weights, panel, first, depth, term, ref written);
        return ref written;
    }

    /// <summary>Writes a term of the weights of a panel, <c>[depth][16]</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyTerm(WeightPanels weights, int panel, int first, int depth, int term, ref byte written)
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Run(Routine routine, ref ProductArguments arguments)
    {
        fixed (ProductArguments* given = &arguments)
        {
            ((delegate* unmanaged<ProductArguments*, void>)_routines[(int)routine])(given);
        }
    }
}
