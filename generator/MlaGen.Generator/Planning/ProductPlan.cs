using MlaGen.Generator.Model;

namespace MlaGen.Generator.Planning;

/// <summary>
/// One product of a decompressed core: <c>result[row][column] = Σ left[row][d] · right[d][column]</c>, pairs of bfloat16 summed in float32. Left rows hold
/// their depth one after the other; the right side holds, for each pair of depths, sixteen columns to a panel. What is 0 here is a number that the call says.
/// </summary>
/// <param name="Name">What its routine is called.</param>
/// <param name="RowTiles">Rows of each tile, one after the other; where the call says how many rows there are, of one tile, of which it takes whole ones.</param>
/// <param name="CountsRows">Whether the call says how many rows there are.</param>
/// <param name="Columns">Columns, whole pairs of panels; or 0.</param>
/// <param name="Depth">Depth; or 0.</param>
/// <param name="DepthUnroll">Pairs of depth that one turn of the loop takes.</param>
/// <param name="Left">Where left elements lie.</param>
/// <param name="Right">Where right ones lie.</param>
/// <param name="ResultBytes">Bytes from a row of results to the next.</param>
/// <param name="Accumulates">Whether the result is <c>result · rescale[column] + the product</c>.</param>
internal sealed record ProductPlan(
    string Name,
    EquatableArray<int> RowTiles,
    bool CountsRows,
    int Columns,
    int Depth,
    int DepthUnroll,
    LeftOperand Left,
    RightOperand Right,
    int ResultBytes,
    bool Accumulates)
{
    /// <summary>Columns of a tile: two panels.</summary>
    public const int TileColumns = 2 * MatrixPlan.PanelColumns;

    /// <summary>Bytes of a tile's results in one row.</summary>
    public const int TileBytes = 2 * MatrixPlan.VectorBytes;

    /// <summary>Vector registers of its largest tile: sums, two panels, a broadcast.</summary>
    public int Registers => (2 * RowTiles.Max()) + 3;

    /// <summary>Rows of all tiles; of one where the call says how many there are.</summary>
    public int Rows => RowTiles.Sum();

    /// <summary>
    /// The products of terms that it takes, the smallest first: those that leave out no more than what the terms themselves leave out.
    /// </summary>
    public IEnumerable<(int Left, int Right)> Terms
    {
        get
        {
            int most = Math.Max(Left.Terms, Right.Terms);
            for (int left = Left.Terms - 1; left >= 0; left--)
            {
                for (int right = 0; right < Right.Terms && left + right < most; right++)
                {
                    yield return (left, right);
                }
            }
        }
    }
}

/// <summary>Where left elements of a product lie: rows of their depth.</summary>
/// <param name="RowBytes">Bytes from a row to the next.</param>
/// <param name="Terms">Terms of an element.</param>
/// <param name="TermBytes">Bytes from a term to the next.</param>
internal sealed record LeftOperand(int RowBytes, int Terms, int TermBytes);

/// <summary>Where right elements of a product lie: for each pair of depths a vector of sixteen columns.</summary>
/// <param name="PairBytes">Bytes from a pair of depths to the next.</param>
/// <param name="PanelBytes">Bytes from a panel to the next.</param>
/// <param name="Terms">Terms of an element.</param>
/// <param name="TermBytes">Bytes from a term to the next.</param>
internal sealed record RightOperand(int PairBytes, int PanelBytes, int Terms, int TermBytes);
