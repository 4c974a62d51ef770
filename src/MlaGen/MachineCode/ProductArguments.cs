using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>What a routine of <see cref="ProductRoutines"/> is called with: addresses, sizes, and room in which it keeps counts.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ProductArguments
{
    /// <summary>Rows of inputs, a block of their depth: <see cref="BFloat16Packing.RowBytes"/> apart.</summary>
    public nint Rows;

    /// <summary>Tiles of rows, at least one.</summary>
    public nint Tiles;

    /// <summary>Two panels of weights in pairs, <c>[depth / 2][panel][16][2]</c>; of a single row, the first panel as it lies.</summary>
    public nint Weights;

    /// <summary>Bytes from a panel to the next, of a single row.</summary>
    public nint PanelBytes;

    /// <summary>Steps of the depth, at least one.</summary>
    public nint Depth;

    /// <summary>Sums, which are added to: rows are <see cref="MatrixProductCore.SumStride"/> floats apart.</summary>
    public nint Sums;

    public nint Kept0;

    public nint Kept1;
}
