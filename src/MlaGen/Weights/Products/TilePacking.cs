using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// Rows as terms of bfloat16 for tiles, <c>[block][two tiles of rows][step][tile][term][16][32]</c>: what is multiplied at a time is one stream of memory, which the processor
/// foresees. A last tile may be alone. Rows so few that tiles are not worth it lie as others do.
/// </summary>
/// <param name="terms">Terms of an element.</param>
internal sealed class TilePacking(int terms) : BFloat16Packing(terms)
{
    /// <summary>Elements of a row in one row of a tile.</summary>
    public const int StepDepth = 32;

    /// <summary>Rows of two tiles.</summary>
    public const int PairRows = 2 * TileRows;

    private const int TileElements = TileRows * StepDepth;

    /// <summary>Bytes of a step of so many rows, in whole tiles.</summary>
    public int StepBytes(int rows) => PaddedRows(rows) / TileRows * Terms * TileElements * sizeof(ushort);

    public override long BlockStart(int rows, int first) =>
        rows < ProjectionKernels.TiledRows ? base.BlockStart(rows, first) : (long)(first / StepDepth) * StepBytes(rows) / sizeof(float);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void PackBlock(ref readonly float rows, nint stride, int count, int depth, ref float packed)
    {
        if (count < ProjectionKernels.TiledRows)
        {
            base.PackBlock(in rows, stride, count, depth, ref packed);
            return;
        }

        int steps = ProjectionKernels.Units(depth, StepDepth);
        int whole = depth / StepDepth * StepDepth;

        // Zeros behind what is no whole step, of every row alike.
        Span<float> rest = stackalloc float[StepDepth];
        for (int row = 0; row < count; row++)
        {
            ref float source = ref Unsafe.Add(ref Unsafe.AsRef(in rows), row * stride);
            Prefetch.Range(ref source, stride, depth);

            // The two tiles that this row is in one of.
            int first = row / PairRows * PairRows;
            int stepElements = StepBytes(Math.Min(count - first, PairRows)) / sizeof(ushort);
            ref ushort target = ref Unsafe.Add(
                ref Unsafe.As<float, ushort>(ref packed),
                (steps * first * StepDepth * Terms) + ((row - first) / TileRows * Terms * TileElements) + (row % TileRows * StepDepth));
            BFloat16Lanes.Split(ref source, whole, Terms, ref target, stepElements, TileElements);
            if (whole < depth)
            {
                MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref source, whole), depth - whole).CopyTo(rest);
                BFloat16Lanes.Split(ref rest[0], StepDepth, Terms, ref Unsafe.Add(ref target, (steps - 1) * stepElements), stepElements, TileElements);
            }
        }
    }
}
