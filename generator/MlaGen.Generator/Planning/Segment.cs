namespace MlaGen.Generator.Planning;

/// <summary>A run of equal vector groups along an axis that lies in lanes: columns of scores, or dimensions of values.</summary>
/// <param name="Start">First element.</param>
/// <param name="Lanes">Floats of one vector: 16, 8, 4 or 1.</param>
/// <param name="Vectors">Vectors of a group: one tile covers a group.</param>
/// <param name="Groups">Groups that follow each other.</param>
internal sealed record Segment(int Start, int Lanes, int Vectors, int Groups)
{
    /// <summary>Elements of one group.</summary>
    public int Width => Lanes * Vectors;

    /// <summary>First element behind the segment.</summary>
    public int End => Start + (Width * Groups);
}
