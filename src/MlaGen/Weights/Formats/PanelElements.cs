using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>Panels of elements that stand for themselves: as in the checkpoint, but with outputs beside each other.</summary>
internal static class PanelElements
{
    /// <summary>An element of a depth.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref readonly T At<T>(ref readonly byte weights, int lane)
        where T : unmanaged => ref Unsafe.Add(ref Unsafe.As<byte, T>(ref Unsafe.AsRef(in weights)), lane);

    /// <summary>Writes rows <c>[<see cref="PackedMatrix.PanelWidth"/>][columns]</c> as a panel <c>[columns][<see cref="PackedMatrix.PanelWidth"/>]</c>.</summary>
    public static void Transpose<T>(ReadOnlySpan<byte> rows, int columns, Span<byte> panel)
        where T : unmanaged
    {
        ReadOnlySpan<T> source = MemoryMarshal.Cast<byte, T>(rows);
        Span<T> destination = MemoryMarshal.Cast<byte, T>(panel);
        for (int lane = 0; lane < PackedMatrix.PanelWidth; lane++)
        {
            ReadOnlySpan<T> row = source.Slice(lane * columns, columns);
            for (int k = 0; k < row.Length; k++)
            {
                destination[(k * PackedMatrix.PanelWidth) + lane] = row[k];
            }
        }
    }
}
