using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>What a routine of <see cref="ProductRoutines"/> is called with: addresses, sizes, and room in which it keeps counts.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ProductArguments
{
    /// <summary>Rows of inputs, a block of their depth: <see cref="BFloat16Packing.RowBytes"/> apart, or on tiles as <see cref="TilePacking"/> lays them.</summary>
    public nint Rows;

    /// <summary>Tiles of rows, at least one.</summary>
    public nint Tiles;

    /// <summary>
    /// Two panels of weights in pairs, <c>[depth / 2][panel][16][2]</c>; of a single row the first panel as it lies; of tiles the first of two that lie so,
    /// or nothing where <see cref="Pairs"/> has them.
    /// </summary>
    public nint Weights;

    /// <summary>Bytes from a panel to the next, where they lie.</summary>
    public nint PanelBytes;

    /// <summary>Steps of the depth, at least one.</summary>
    public nint Depth;

    /// <summary>Sums, which are added to: rows are <see cref="PairProductCore.SumStride"/> floats apart, or on tiles 32.</summary>
    public nint Sums;

    /// <summary>Two panels, where they lie, that will be needed; they are only asked for, and may lie anywhere.</summary>
    public nint Upcoming;

    /// <summary>Of tiles: pairs of two panels, <c>[depth / 32][panel][16][16][2]</c>, which are laid there if there are weights.</summary>
    public nint Pairs;

    /// <summary>Of tiles: not 0 if the sums are none yet, and nothing is read of them.</summary>
    public nint IsFirst;

    /// <summary>Of tiles: where the sums go.</summary>
    public nint Result;

    /// <summary>Of tiles: bytes from a row there to the next.</summary>
    public nint ResultBytes;

    public nint Kept0;

    public nint Kept1;

    public nint Kept2;

    public nint Kept3;

    public nint Kept4;
}
