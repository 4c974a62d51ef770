using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>Products of floats in managed code, for weights of every format.</summary>
internal sealed class VectorProductCore : ProductCore
{
    public override CoreTarget Target => SimdTiers.Current switch
    {
        SimdTier.Vector512 => CoreTarget.Vector512,
        SimdTier.Vector256 => CoreTarget.Vector256,
        SimdTier.Vector128 => CoreTarget.Vector128,
        _ => CoreTarget.Scalar,
    };

    public override MlaPrecision Precision => MlaPrecision.Highest;

    public override RowPacking Packing => ProjectionKernels.Current;

    public override string? RefusalOf(PanelProducts format, long bytes) => null;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void MultiplyRows(PackedMatrix matrix, int firstPanel, int outputs, ref float packed, int rows, ref float result, nint stride, ref float scratch) =>
        matrix.Products.MultiplyPacked(matrix, firstPanel, outputs, in packed, rows, ref result, stride, ref scratch, wholeTiles: false);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void MultiplyRow(PackedMatrix matrix, int firstPanel, ref float inputs, int rows, int row, Span<float> result) =>
        matrix.Products.MultiplyRow(matrix, firstPanel, in Unsafe.Add(ref inputs, (nint)row * matrix.Columns), result);

    public override int TransposedScratchLength(int outputs) => 0;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void MultiplyTransposed(
        PackedMatrix matrix, int firstPanel, int outputs, ref float inputs, nint inputStride, int rows, ref float result, nint stride, ref float packed, ref float scratch)
    {
        int panels = PackedMatrix.PanelsFor(outputs);
        int width = panels * PackedMatrix.PanelWidth;
        for (int row = 0; row < rows; row++)
        {
            Span<float> padded = MemoryMarshal.CreateSpan(ref Unsafe.Add(ref packed, row * width), width);
            MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref inputs, row * inputStride), outputs).CopyTo(padded);
            padded[outputs..].Clear();
        }

        matrix.Products.MultiplyTransposed(matrix, firstPanel, in packed, rows, panels, ref result, stride);
    }
}
