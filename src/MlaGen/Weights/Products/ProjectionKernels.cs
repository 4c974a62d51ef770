using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>What surrounds the products of rows with packed matrices, whatever their format: how the work is cut, and how rows are packed for it.</summary>
internal abstract class ProjectionKernels : RowPacking
{
    /// <summary>Products that are summed before the sum meets those of earlier blocks.</summary>
    public const int DepthBlock = 256;

    /// <summary>From this many rows on they are packed and go through register tiles; below it the panels are streamed once a row.</summary>
    public const int TiledRows = 4;

    /// <summary>Panels that a tiled product works on at once: their sums of a chunk of rows stay in the second-level cache.</summary>
    public const int TiledPanels = 8;

    /// <summary>Rows that are packed and multiplied together at most: whole tiles of 12 and of 6, whose sums stay in the second-level cache.</summary>
    public const int MostChunkRows = 264;

    /// <summary>Weights that a unit streams at least, in bytes: enough to be worth a hand-over, little enough to stay in a cache for the next row.</summary>
    private const int StreamBytes = 128 * 1024;

    /// <summary>Floats of scratch that <see cref="PanelProducts.MultiplyPacked"/> needs.</summary>
    public const int ScratchLength = ((DepthBlock + MostChunkRows + (DepthBlock / LeastGroupDepth)) * TiledPanels * PackedMatrix.PanelWidth) + MostTile;

    /// <summary>The fewest depths that share a scale of their sum.</summary>
    public const int LeastGroupDepth = 32;

    /// <summary>Sums of the largest tile: 12 rows by two vectors of 16.</summary>
    private const int MostTile = 12 * 32;

    /// <summary>The kernels of this process's tier.</summary>
    public static ProjectionKernels Current { get; } = SimdTiers.Current switch
    {
        SimdTier.Vector512 => new ProjectionKernels<Lanes512>(),
        SimdTier.Vector256 => new ProjectionKernels<Lanes256>(),
        SimdTier.Vector128 => new ProjectionKernels<Lanes128>(),
        _ => new ProjectionKernels<Lanes1>(),
    };

    /// <summary>Panels of a unit that streams them for few rows: as many as are worth a hand-over, in whole groups of a tiled product.</summary>
    public static int StreamedPanels(PackedMatrix matrix) => Units(Units(StreamBytes, matrix.PanelBytes), TiledPanels) * TiledPanels;

    /// <summary>How many units of so many items there are, the last one perhaps smaller.</summary>
    public static int Units(int items, int unit) => (int)(((long)items + unit - 1) / unit);

    /// <summary>Adds to sums of outputs their biases.</summary>
    /// <param name="sums">Sums of outputs that follow each other.</param>
    /// <param name="bias">One bias an output of the whole projection; empty for none.</param>
    /// <param name="first">First of the outputs.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddBias(Span<float> sums, ReadOnlySpan<float> bias, int first)
    {
        if (!bias.IsEmpty)
        {
            bias = bias.Slice(first, sums.Length);
            for (int i = 0; i < sums.Length; i++)
            {
                sums[i] += bias[i];
            }
        }
    }

    public sealed override int BlockDepth => DepthBlock;

    public sealed override bool PacksFewRows => false;

    public sealed override long BlockStart(int rows, int first) => (long)first * PackedWidth(rows);

    /// <summary>Floats that packing takes for each unit of depth, for up to <see cref="MostChunkRows"/> rows: a block is <c>[tile][depth][rows of a tile]</c>.</summary>
    public abstract int PackedWidth(int rows);
}
