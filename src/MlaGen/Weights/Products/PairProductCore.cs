using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MlaGen.Runtime;

/// <summary>Products on <c>vdpbf16ps</c>: inputs are rounded to bfloat16, pairs of them broadcast, outputs lie in lanes.</summary>
internal sealed unsafe class PairProductCore() : MatrixProductCore(new BFloat16Packing(terms: 1), StepDepth)
{
    /// <summary>Floats from the sums of a row to those of the next: groups of panels have sums of their own.</summary>
    public const int SumStride = GroupPanels * PackedMatrix.PanelWidth;

    private const int GroupPanels = 8;
    private const int StepDepth = 2;
    private const int TileRows = 12;
    private const int RestRows = 4;
    private const int PairBytes = 2 * DepthBytes;

    /// <summary>Panels that many rows meet at most before they are read again: their sums and a block of the rows' depth stay in the second-level cache.</summary>
    private const int MostUnitPanels = 32;

    /// <summary>Depth for which weights are laid beside each other at a time: two panels of it stay in the first-level cache.</summary>
    private const int PairedDepth = 256;

    /// <summary>Bytes of a panel that are asked for ahead of their use.</summary>
    private const int Ahead = 2048;

    public override CoreTarget Target => CoreTarget.Avx512Bf16;

    public override MlaPrecision Precision => MlaPrecision.Medium;

    public override int MostPanels => MostUnitPanels;

    // Sums of whole groups, pairs of two panels, and their terms.
    public override int ScratchLength =>
        (MostUnitPanels * PackedMatrix.PanelWidth * BFloat16Packing.PaddedRows(ProjectionKernels.MostChunkRows)) + (2 * PairedDepth * PackedMatrix.PanelWidth);

    protected override MachineRoutine WholeTiles => ProductRoutines.PairRows12;

    protected override MachineRoutine RestTiles => ProductRoutines.PairRows4;

    protected override MachineRoutine RowByStrip => ProductRoutines.PairRow8;

    protected override MachineRoutine RowByPanel => ProductRoutines.PairRow1;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void MultiplyRows(WeightPanels weights, int outputs, ref float packed, int rows, ref float result, nint stride, ref float scratch)
    {
        int panels = PackedMatrix.PanelsFor(outputs);
        int groupLength = BFloat16Packing.PaddedRows(rows) * SumStride;
        int groups = ProjectionKernels.Units(panels, GroupPanels);
        MemoryMarshal.CreateSpan(ref scratch, groups * groupLength).Clear();
        fixed (float* inputs = &packed, sums = &scratch)
        {
            float* pairs = sums + (groups * groupLength);
            byte* written = (byte*)(pairs + (PairedDepth * PackedMatrix.PanelWidth));
            for (int first = 0; first < weights.Depth; first += PairedDepth)
            {
                int depth = Math.Min(PairedDepth, weights.Depth - first);
                var arguments = new ProductArguments
                {
                    Rows = (nint)(inputs + Packing.BlockStart(rows, first)) + (first % BFloat16Packing.Depth * sizeof(ushort)),
                    Weights = (nint)pairs,
                    Depth = ProjectionKernels.Units(depth, StepDepth),
                };
                for (int panel = 0; panel < panels; panel += 2)
                {
                    // A last panel without another is taken twice; what the second makes is never read.
                    int other = Math.Min(panel + 1, panels - 1);
                    arguments.Sums = (nint)(sums + (panel / GroupPanels * groupLength) + (panel % GroupPanels * PackedMatrix.PanelWidth));

                    for (int term = 0; term < WeightTerms(weights.Type); term++)
                    {
                        LayBeside(
                            ref Term(weights, panel, first, depth, term, ref *written),
                            ref Term(weights, other, first, depth, term, ref *(written + (PairedDepth * DepthBytes))),
                            depth,
                            (int)arguments.Depth * StepDepth,
                            ref *(byte*)pairs);
                        MultiplyTiles(arguments, rows);
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

    /// <summary>Multiplies rows, in whole tiles, with two panels of weights that lie in pairs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MultiplyTiles(ProductArguments given, int rows)
    {
        // As few instructions as possible: what is left of whole tiles takes tiles of four, or a whole one where that is most of it.
        int tiles = (rows + TileRows - (2 * RestRows) - 1) / TileRows;
        int rest = rows - (tiles * TileRows);
        if (tiles > 0)
        {
            given.Tiles = tiles;
            Call(Routine.WholeTiles, ref given);
        }

        if (rest > 0)
        {
            given.Rows += tiles * TileRows * BFloat16Packing.RowBytes;
            given.Sums += tiles * TileRows * SumStride * sizeof(float);
            given.Tiles = (rest + RestRows - 1) / RestRows;
            Call(Routine.RestTiles, ref given);
        }
    }

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
}
