namespace MlaGen.Generator.Planning;

/// <summary>
/// One product of a decompressed core on tiles, of sums of terms of bfloat16: <c>Σ left[row][d] · right[d][column]</c>. What small
/// terms of both sides give of each other is as little as what is rounded anyway, and left out: a left term meets as many right ones as there are behind it. Rows, columns and the depth are whole tiles that the call says.
/// </summary>
/// <param name="Name">What its routine is called.</param>
/// <param name="Left">Rows that hold their depth one after the other; their stride is that of rows.</param>
/// <param name="Right">For each pair of depths, sixteen columns to a panel; their stride is that of pairs.</param>
/// <param name="PanelBytes">Bytes from a panel of right elements to the next.</param>
/// <param name="ResultBytes">Bytes from a row of results to the next.</param>
/// <param name="Accumulates">Whether the sums are added to the results so far, each times its column's factor.</param>
internal sealed record TileProductPlan(string Name, TileOperand Left, TileOperand Right, int PanelBytes, int ResultBytes, bool Accumulates)
{
    /// <summary>Rows and columns of the four tiles of sums that are worked on at a time.</summary>
    public const int Side = 2 * MatrixPlan.TileRows;

    /// <summary>The last term of the other side that a term meets: terms are counted from 0.</summary>
    public int LastOf(int term) => Math.Max(Left.Terms, Right.Terms) - 1 - term;

    /// <summary>Bytes of a row of their sums.</summary>
    public const int SideBytes = 2 * MatrixPlan.VectorBytes;

    /// <summary>Bytes of the sums, where they go through memory.</summary>
    public const int SumBytes = Side * SideBytes;
}

/// <summary>Where an operand of a product lies.</summary>
/// <param name="Stride">Bytes from a row of a tile to the next.</param>
/// <param name="TermBytes">Bytes from a term to the next.</param>
/// <param name="Terms">Terms, 1 to 3.</param>
/// <param name="SaysTerms">Whether the call says if there are as many, or one.</param>
internal sealed record TileOperand(int Stride, int TermBytes, int Terms, bool SaysTerms);
