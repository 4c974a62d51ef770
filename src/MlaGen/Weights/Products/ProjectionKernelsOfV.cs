using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>What surrounds the products, for one tier.</summary>
/// <typeparam name="V">Vector of the tier.</typeparam>
internal sealed class ProjectionKernels<V> : ProjectionKernels
    where V : struct, ILanes<V>
{
    public override int PackedWidth(int rows) => (rows + ProjectionTiles<V>.Rows - 1) / ProjectionTiles<V>.Rows * ProjectionTiles<V>.InputWidth;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void PackBlock(ref readonly float rows, nint stride, int count, int depth, ref float packed)
    {
        ref float source = ref Unsafe.AsRef(in rows);
        for (int row = 0; row < count; row += ProjectionTiles<V>.Rows)
        {
            PanelPacking.Pack(ref Unsafe.Add(ref source, row * stride), stride, Math.Min(ProjectionTiles<V>.Rows, count - row), depth, 1f, ref packed, ProjectionTiles<V>.InputWidth);
            packed = ref Unsafe.Add(ref packed, depth * ProjectionTiles<V>.InputWidth);
        }
    }
}
