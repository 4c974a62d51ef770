namespace MlaGen.Generator.Planning;

/// <summary>A run of tiles of one width along an axis that lies in lanes: columns of scores, or dimensions of values.</summary>
/// <param name="Start">First element.</param>
/// <param name="Lanes">Floats of one vector: 16, 8, 4 or 1.</param>
/// <param name="Vectors">Vectors of a tile.</param>
/// <param name="Tiles">Tiles that follow each other.</param>
/// <param name="ByDepth">Whether its scores are summed with the depth in lanes, <see cref="Lanes"/> columns at once: a vector of so few columns would waste most of the arithmetic.</param>
internal sealed record Stripe(int Start, int Lanes, int Vectors, int Tiles, bool ByDepth = false)
{
    /// <summary>Elements of a tile.</summary>
    public int Width => Lanes * Vectors;

    /// <summary>First element behind the stripe.</summary>
    public int End => Start + (Width * Tiles);
}
