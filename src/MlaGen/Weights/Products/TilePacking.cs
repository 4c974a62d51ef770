using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// Rows as terms of bfloat16 for tiles: a block of <see cref="BFloat16Packing.Depth"/> is cut into parts of <see cref="PartDepth"/>, <c>[part][two tiles of rows][step][tile][term][16][32]</c>,
/// so that what is multiplied at a time is one stream of memory, which the processor foresees; a last tile may be alone. Rows so few that tiles are not worth it lie as others do.
/// </summary>
/// <param name="terms">Terms of an element.</param>
internal sealed class TilePacking(int terms) : BFloat16Packing(terms)
{
    /// <summary>Elements of a row in one row of a tile.</summary>
    public const int StepDepth = 32;

    /// <summary>Elements of a part of a block: of two tiles of rows and of two panels of weights, they stay in the first-level cache.</summary>
    public const int PartDepth = 256;

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

        Span<float> rest = stackalloc float[StepDepth];
        for (int row = 0; row < count; row++)
        {
            ref float source = ref Unsafe.Add(ref Unsafe.AsRef(in rows), row * stride);
            Prefetch.Range(ref source, stride, depth);

            // Tiles of the two that this row is in one of.
            int first = row / PairRows * PairRows;
            int tiles = PaddedRows(Math.Min(count - first, PairRows)) / TileRows;
            for (int part = 0; part < depth; part += PartDepth)
            {
                int steps = ProjectionKernels.Units(Math.Min(PartDepth, depth - part), StepDepth);
                ref ushort target = ref Unsafe.Add(
                    ref Unsafe.As<float, ushort>(ref packed),
                    (((part / StepDepth * PaddedRows(count)) + (steps * first)) * StepDepth * Terms) + ((row - first) / TileRows * Terms * TileElements) + (row % TileRows * StepDepth));
                int length = Math.Min(PartDepth, depth - part);
                int whole = length / StepDepth * StepDepth;
                BFloat16Lanes.Split(ref Unsafe.Add(ref source, part), whole, Terms, ref target, tiles * Terms * TileElements, TileElements);
                if (whole < length)
                {
                    rest.Clear();
                    MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref source, part + whole), length - whole).CopyTo(rest);
                    BFloat16Lanes.Split(ref rest[0], StepDepth, Terms, ref Unsafe.Add(ref target, whole / StepDepth * tiles * Terms * TileElements), 0, TileElements);
                }
            }
        }
    }
}
