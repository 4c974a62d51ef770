using MlaGen.Generator.Model;

namespace MlaGen.Generator.Planning;

/// <summary>
/// How one attention core is cut for one tier: scores (columns in lanes, tokens broadcast), softmax down the block, values (dimensions in
/// lanes, probabilities broadcast). No emission code decides a size; all of them stand here.
/// </summary>
/// <param name="Depth">Length of a score's sum.</param>
/// <param name="KeyStride">Floats from a key to the next.</param>
/// <param name="ValueDim">Elements of a value.</param>
/// <param name="ValueStride">Floats from a value to the next.</param>
/// <param name="Columns">(Query, head) pairs handled at once, padding of the last segment included.</param>
/// <param name="ColumnSegments">Columns in lanes.</param>
/// <param name="ValueSegments">Value dimensions in lanes.</param>
/// <param name="TokenTiles">Tokens of a score tile, by preference: the widest that fits is used, its last tile moved back over the one before.</param>
/// <param name="DepthTile">Tokens of a score tile with the depth in lanes; divides the wider token tiles.</param>
/// <param name="ColumnTiles">Columns of the value tiles, in the order in which they follow each other.</param>
/// <param name="BlockTokens">Tokens of a block.</param>
/// <param name="ScoreStride">Floats from a token's scores to the next token's.</param>
/// <param name="CachedRowBytes">Bytes of a row as the cache keeps it, which a score tile asks for ahead of time while it works; 0 if it does not.</param>
internal sealed record CorePlan(
    int Depth,
    int KeyStride,
    int ValueDim,
    int ValueStride,
    int Columns,
    EquatableArray<Segment> ColumnSegments,
    EquatableArray<Segment> ValueSegments,
    EquatableArray<int> TokenTiles,
    int DepthTile,
    EquatableArray<int> ColumnTiles,
    int BlockTokens,
    int ScoreStride,
    int CachedRowBytes)
{
    /// <summary>Registers of the widest score tile: sums, query vectors, one broadcast key element.</summary>
    public int ScoreRegisters => ColumnSegments.Max(segment => segment.ByDepth ? RegistersOf(DepthTile, segment.Lanes) : RegistersOf(TokenTiles[0], segment.Vectors));

    /// <summary>Bytes to ask for in each step of depth, so that a tile of <paramref name="tokens"/> asks for as many cached rows as it works on.</summary>
    public int PrefetchedBytes(int tokens) => ((tokens * CachedRowBytes) + Depth - 1) / Depth;

    /// <summary>Registers of the widest value tile: sums, value vectors, one broadcast probability.</summary>
    public int ValueRegisters => RegistersOf(ColumnTiles.Max(), ValueSegments.Max(segment => segment.Vectors));

    /// <summary>Live vector registers of a tile of <paramref name="rows"/> broadcast rows by <paramref name="vectors"/> vectors.</summary>
    public static int RegistersOf(int rows, int vectors) => (rows * vectors) + vectors + 1;
}
