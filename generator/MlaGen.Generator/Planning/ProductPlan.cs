using MlaGen.Generator.Model;

namespace MlaGen.Generator.Planning;

/// <summary>
/// One product of a decompressed core, of pairs of numbers of 16 bits: <c>Σ left[row][d] · right[d][column]</c>. Left rows hold their depth one after the
/// other; the right side holds, for each pair of depths, sixteen columns to a panel. What is 0 here is a number that the call says.
/// </summary>
/// <param name="Name">What its routine is called.</param>
/// <param name="Numbers">What its operands are, and with that what becomes of the sums.</param>
/// <param name="RowTiles">Rows of each tile, one after the other; where the call says how many rows there are, of one tile, of which it takes whole ones.</param>
/// <param name="CountsRows">Whether the call says how many rows there are.</param>
/// <param name="Columns">Columns, whole pairs of panels; or 0.</param>
/// <param name="Depth">Depth; or 0.</param>
/// <param name="DepthUnroll">Pairs of depth that one turn of the loop takes.</param>
/// <param name="LeftBytes">Bytes from a left row to the next.</param>
/// <param name="Right">Where right elements lie.</param>
/// <param name="ResultBytes">Bytes from a row of results to the next.</param>
/// <param name="RoundsResults">Whether results are rounded to bfloat16: else they are floats.</param>
internal sealed record ProductPlan(
    string Name,
    ProductNumbers Numbers,
    EquatableArray<int> RowTiles,
    bool CountsRows,
    int Columns,
    int Depth,
    int DepthUnroll,
    int LeftBytes,
    RightOperand Right,
    int ResultBytes,
    bool RoundsResults = false)
{
    /// <summary>Columns of a tile: two panels.</summary>
    public const int TileColumns = 2 * MatrixPlan.PanelColumns;

    /// <summary>Bytes of the floats of a tile's columns.</summary>
    public const int TileBytes = 2 * MatrixPlan.VectorBytes;

    /// <summary>Bytes of a tile's results in one row.</summary>
    public int ResultTileBytes => RoundsResults ? MatrixPlan.VectorBytes : TileBytes;

    /// <summary>Vector registers of its largest tile: sums, two panels, a broadcast.</summary>
    public int Registers => (2 * RowTiles.Max()) + 3;

    /// <summary>Rows of all tiles; of one where the call says how many there are.</summary>
    public int Rows => RowTiles.Sum();
}

/// <summary>Where right elements of a product lie: for each pair of depths a vector of sixteen columns.</summary>
/// <param name="PairBytes">Bytes from a pair of depths to the next.</param>
/// <param name="PanelBytes">Bytes from a panel to the next.</param>
internal sealed record RightOperand(int PairBytes, int PanelBytes);

/// <summary>What a product multiplies.</summary>
internal enum ProductNumbers
{
    /// <summary>Numbers of bfloat16, summed in float32: <c>result = result · factor[column] + sum</c>.</summary>
    BFloat16,

    /// <summary>int16 with scales, summed exactly in int32: <c>result = sum · scale[row] · scale[column]</c>. Who makes them sees to it that no sum overflows.</summary>
    Int16,
}
