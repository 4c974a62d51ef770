namespace MlaGen.Generator.Planning;

/// <summary>A run of equal vector groups along an axis that lies in lanes: columns of scores, or dimensions of values.</summary>
/// <param name="Start">First element.</param>
/// <param name="Lanes">Floats of one vector: 16, 8, 4 or 1.</param>
/// <param name="Vectors">Vectors of a group: one tile covers a group.</param>
/// <param name="Groups">Groups that follow each other.</param>
/// <param name="ByDepth">Whether its scores are summed with the depth in lanes, <see cref="Lanes"/> columns at once: a vector of so few columns would waste most of the arithmetic.</param>
internal sealed record Stripe(int Start, int Lanes, int Vectors, int Groups, bool ByDepth = false)
{
    /// <summary>Elements of one group.</summary>
    public int Width => Lanes * Vectors;

    /// <summary>First element behind the stripe.</summary>
    public int End => Start + (Width * Groups);
}
