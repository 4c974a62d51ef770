using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>
/// Products of rows with a packed matrix, for one tier and one format. One row streams the panels; many rows go through register tiles.
/// </summary>
/// <remarks>
/// Both ways give an output the same bits: its products are summed in blocks of <see cref="ProjectionKernels.DepthBlock"/>, or in groups where sums of groups
/// have scales, in order within one, and these sums in order. Sums of blocks also keep the rounding error of a long sum at that of a short one.
/// </remarks>
/// <typeparam name="V">Vector of the tier.</typeparam>
/// <typeparam name="F">Format of the panels.</typeparam>
internal sealed partial class PanelProducts<V, F> : PanelProducts
    where V : struct, ILanes<V>
    where F : struct, IPanelFormat
{
    private const int PanelWidth = PackedMatrix.PanelWidth;

    private const int DepthBlock = ProjectionKernels.DepthBlock;

    public PanelProducts()
    {
        // Groups that cut a block or four depths in two would need loops of their own.
        if (F.GroupDepth % 4 != 0 || DepthBlock % F.GroupDepth != 0)
        {
            throw new NotSupportedException($"Groups of {typeof(F).Name} have {F.GroupDepth} depths: not a multiple of 4 that divides {DepthBlock}.");
        }

        if (F.ScalesSums && F.GroupDepth < ProjectionKernels.LeastGroupDepth)
        {
            throw new NotSupportedException($"Groups of {typeof(F).Name} have {F.GroupDepth} depths: those that scale sums have at least {ProjectionKernels.LeastGroupDepth}, whose scales there is room for.");
        }
    }

    public override string Name => F.Name;

    public override TensorType Type => F.Type;

    public override WeightFormat Format => F.Format;

    public override int RowBytes(int columns) => F.RowBytes(columns);

    public override long PanelBytes(int columns) => (((long)columns + F.GroupDepth - 1) / F.GroupDepth * F.GroupBytes) + ((long)columns * F.DepthBytes);

    public override void Pack(ReadOnlySpan<byte> rows, int columns, Span<byte> panel) => F.Pack(rows, columns, panel);

    /// <summary>Bytes of so many depths, counted from the beginning of a group.</summary>
    private static int BytesOf(int depth) => checked(((depth + F.GroupDepth - 1) / F.GroupDepth * F.GroupBytes) + (depth * F.DepthBytes));

    /// <summary>Bytes from the beginning of a panel to the group of a depth.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int GroupStart(int depth) => depth / F.GroupDepth * (F.GroupBytes + (F.GroupDepth * F.DepthBytes));
}
