namespace MlaGen.Generator.Planning;

/// <summary>
/// Scores of a decompressed core on tiles, of codes of 16 or 24 bits, each two or three planes of bytes: <c>scale[row] · scale[column] · Σ left[row][d] · right[d][column]</c>.
/// What low planes give of each other is as little as what is rounded anyway, and left out: a plane meets as many of the other side as there are behind it. Operands are
/// panels of sixteen rows or columns, of each its planes, the highest first, of each plane the steps of the depth, one tile after the other.
/// </summary>
/// <param name="Planes">Bytes of a code: 2 or 3.</param>
/// <param name="KeyDepth">The depth: whole steps of it.</param>
/// <param name="ResultBytes">Bytes from a row of results to the next.</param>
/// <param name="AskedBytes">Bytes of what will be needed next, which all scores of a tile together ask for.</param>
/// <param name="ScoreTile">Rows of a tile of scores.</param>
internal sealed record CodeProductPlan(int Planes, int KeyDepth, int ResultBytes, int AskedBytes, int ScoreTile)
{
    /// <summary>Rows that are worked on at a time.</summary>
    public const int Rows = MatrixPlan.TileRows;

    /// <summary>Columns there are: two panels.</summary>
    public const int Columns = 2 * MatrixPlan.TileRows;

    /// <summary>Depth of a tile: bytes of one of its rows.</summary>
    public const int Depth = MatrixPlan.VectorBytes;

    /// <summary>Panels of columns that are worked on at a time: as many as leave tiles for rows of all planes.</summary>
    public int Panels => Planes == 2 ? 2 : 1;

    /// <summary>Tiles of sums of a panel. Products of equal weight share one, but that each sum waits for the one before: three that do are two and one.</summary>
    public int Sums => Planes == 2 ? 2 : 4;

    /// <summary>Bytes of a row of the sums of one weight, on their way through memory.</summary>
    public int SumRowBytes => Panels * MatrixPlan.VectorBytes;

    /// <summary>Bytes of the sums of one weight.</summary>
    public int SumBytes => Rows * SumRowBytes;

    /// <summary>Bytes from a panel's plane to the next.</summary>
    public int PlaneBytes => Rows * KeyDepth;

    /// <summary>Cache lines that each step of the depth asks for, of what will be needed next.</summary>
    public int AskedLines
    {
        get
        {
            int steps = ScoreTile / Rows * (Columns / MatrixPlan.TileRows / Panels) * (KeyDepth / Depth);
            return ((AskedBytes / MatrixPlan.VectorBytes) + steps - 1) / steps;
        }
    }
}
