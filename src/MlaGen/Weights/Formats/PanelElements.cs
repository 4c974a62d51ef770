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

    /// <summary>Columns that are written at a time: rows and panel of so many stay in the nearest cache.</summary>
    private const int BlockColumns = 64;

    /// <summary>Writes rows <c>[<see cref="PackedMatrix.PanelWidth"/>][columns]</c> as a panel <c>[columns][<see cref="PackedMatrix.PanelWidth"/>]</c>.</summary>
    public static void Transpose<T>(ReadOnlySpan<byte> rows, int columns, Span<byte> panel)
        where T : unmanaged
    {
        ReadOnlySpan<T> source = MemoryMarshal.Cast<byte, T>(rows);
        Span<T> destination = MemoryMarshal.Cast<byte, T>(panel);
        for (int first = 0; first < columns; first += BlockColumns)
        {
            int count = Math.Min(BlockColumns, columns - first);
            Transpose(source[first..], columns, count, destination.Slice(first * PackedMatrix.PanelWidth, count * PackedMatrix.PanelWidth));
        }
    }

    /// <summary>Writes neighbouring columns of <see cref="PackedMatrix.PanelWidth"/> rows, a column after the other.</summary>
    /// <param name="rows">The first row, from the first column on; the others follow.</param>
    /// <param name="stride">Elements from one row to the next.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="target">Takes <c>[columns][<see cref="PackedMatrix.PanelWidth"/>]</c>.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose<T>(ReadOnlySpan<T> rows, int stride, int columns, Span<T> target)
        where T : unmanaged
    {
        // The ends are looked at once, not at each element.
        ref T source = ref MemoryMarshal.GetReference(rows[..(((PackedMatrix.PanelWidth - 1) * stride) + columns)]);
        ref T destination = ref MemoryMarshal.GetReference(target[..(columns * PackedMatrix.PanelWidth)]);
        for (int lane = 0; lane < PackedMatrix.PanelWidth; lane++)
        {
            ref T row = ref Unsafe.Add(ref source, (nint)lane * stride);
            ref T column = ref Unsafe.Add(ref destination, lane);
            for (nint k = 0; k < columns; k++)
            {
                Unsafe.Add(ref column, k * PackedMatrix.PanelWidth) = Unsafe.Add(ref row, k);
            }
        }
    }
}
