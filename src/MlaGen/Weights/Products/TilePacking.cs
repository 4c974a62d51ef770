using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// Rows as terms of bfloat16 for tiles: a block of <see cref="BFloat16Packing.Depth"/> is cut into parts of <see cref="PartDepth"/>, <c>[part][two tiles of rows][step][tile][term][16][32]</c>,
/// so that what is multiplied at a time is one stream of memory, which the processor foresees. A last tile may be alone. Rows so few that tiles are not worth it lie as others do.
/// </summary>
/// <param name="terms">Terms of an element.</param>
internal sealed class TilePacking(int terms) : BFloat16Packing(terms)
{
    /// <summary>Elements of a row in one row of a tile.</summary>
    public const int StepDepth = 32;

    /// <summary>
    /// Elements of a part of a block. Of one term, two tiles of rows and two panels of weights stay in the first-level cache together; of two terms what is loaded serves
    /// more products, and it is worth more to leave sums in tiles for a whole block.
    /// </summary>
    public int PartDepth { get; } = terms == 1 ? Depth / 2 : Depth;

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

        // Zeros behind what is no whole step, of every row alike.
        Span<float> rest = stackalloc float[StepDepth];
        for (int row = 0; row < count; row++)
        {
            ref float source = ref Unsafe.Add(ref Unsafe.AsRef(in rows), row * stride);
            Prefetch.Range(ref source, stride, depth);

            // The two tiles that this row is in one of.
            int first = row / PairRows * PairRows;
            int stepElements = StepBytes(Math.Min(count - first, PairRows)) / sizeof(ushort);
            int place = ((row - first) / TileRows * Terms * TileElements) + (row % TileRows * StepDepth);
            for (int part = 0; part < depth; part += PartDepth)
            {
                int length = Math.Min(PartDepth, depth - part);
                int steps = ProjectionKernels.Units(length, StepDepth);
                int whole = length / StepDepth * StepDepth;
                ref ushort target = ref Unsafe.Add(
                    ref Unsafe.As<float, ushort>(ref packed), (part / StepDepth * StepBytes(count) / sizeof(ushort)) + (steps * first * StepDepth * Terms) + place);
                BFloat16Lanes.Split(ref Unsafe.Add(ref source, part), whole, Terms, ref target, stepElements, TileElements);
                if (whole < length)
                {
                    MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref source, part + whole), length - whole).CopyTo(rest);
                    BFloat16Lanes.Split(ref rest[0], StepDepth, Terms, ref Unsafe.Add(ref target, (steps - 1) * stepElements), stepElements, TileElements);
                }
            }
        }
    }
}
