namespace MlaGen.Generator.Planning;

/// <summary>
/// Scores of a decompressed core on tiles, of codes of 16 bits, each two planes of bytes: <c>scale[row] · scale[column] · Σ left[row][d] · right[d][column]</c>. What
/// low bytes give of each other is as little as what is rounded anyway, and left out. Operands are panels of sixteen rows or columns, of each its high bytes and then
/// its low ones, of each plane the steps of the depth, one tile after the other.
/// </summary>
/// <param name="KeyDepth">The depth: whole steps of it.</param>
/// <param name="ResultBytes">Bytes from a row of results to the next.</param>
/// <param name="AskedLines">Cache lines that each step of the depth asks for, of what will be needed next.</param>
internal sealed record CodeProductPlan(int KeyDepth, int ResultBytes, int AskedLines)
{
    /// <summary>Rows that are worked on at a time.</summary>
    public const int Rows = MatrixPlan.TileRows;

    /// <summary>Columns there are: two panels.</summary>
    public const int Columns = 2 * MatrixPlan.TileRows;

    /// <summary>Depth of a tile: bytes of one of its rows.</summary>
    public const int Depth = MatrixPlan.VectorBytes;

    /// <summary>Bytes of the sums of high bytes, and of those of high by low ones, on their way through memory.</summary>
    public const int SumBytes = Rows * Columns * sizeof(int);

    /// <summary>Bytes from a panel's high bytes to its low ones.</summary>
    public int PlaneBytes => Rows * KeyDepth;
}
