using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// Rows as terms of bfloat16, <c>[block][row][term][depth]</c>, for machine code whose sizes these are. Zeros stand behind a last, short block; rows beyond the last
/// one, up to whole tiles, may be anything: their sums are never read.
/// </summary>
/// <param name="terms">Terms of an element: 1, or 2, of which the second is what the first leaves, rounded as well.</param>
internal class BFloat16Packing(int terms) : RowPacking
{
    /// <summary>Elements of a block.</summary>
    public const int Depth = 512;

    /// <summary>Bytes from a term of a row's block to the next, or to the next row: an odd number of cache lines.</summary>
    public const int RowBytes = (Depth * sizeof(ushort)) + CacheLine;

    private const int CacheLine = 64;

    /// <summary>Rows of the largest tile; whole ones of them hold whole smaller ones.</summary>
    protected const int TileRows = 16;

    /// <summary>Terms of an element.</summary>
    public int Terms => terms;

    /// <summary>Floats from a row of a block to the next.</summary>
    public int RowFloats { get; } = terms * RowBytes / sizeof(float);

    public sealed override int BlockDepth => Depth;

    public sealed override bool PacksFewRows => true;

    /// <summary>Rows that there is room for.</summary>
    public static int PaddedRows(int rows) => ProjectionKernels.Units(rows, TileRows) * TileRows;

    public override long BlockStart(int rows, int first) => (long)(first / Depth) * PaddedRows(rows) * RowFloats;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void PackBlock(ref readonly float rows, nint stride, int count, int depth, ref float packed)
    {
        // What the largest step of the depth reads: a cache line.
        const int LineElements = CacheLine / sizeof(ushort);
        int padding = (ProjectionKernels.Units(depth, LineElements) * LineElements) - depth;
        for (int row = 0; row < count; row++)
        {
            ReadOnlySpan<float> source = MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref Unsafe.AsRef(in rows), row * stride), depth);
            ref ushort target = ref Unsafe.As<float, ushort>(ref Unsafe.Add(ref packed, row * RowFloats));
            BFloat16Lanes.Round(source, ref target);
            MemoryMarshal.CreateSpan(ref Unsafe.Add(ref target, depth), padding).Clear();
            if (terms == 2)
            {
                target = ref Unsafe.Add(ref target, RowBytes / sizeof(ushort));
                BFloat16Lanes.RoundRest(source, ref target);
                MemoryMarshal.CreateSpan(ref Unsafe.Add(ref target, depth), padding).Clear();
            }
        }
    }
}
