using MlaGen.Generator.Model;

namespace MlaGen.Generator.Planning;

/// <summary>
/// How an absorbed core of machine code is cut: products of pairs of bfloat16, summed in float32. Scores have columns in lanes and pairs of a row's elements
/// broadcast; values have latent dimensions in lanes and pairs of two tokens' probabilities broadcast. No assembly decides a size; all of them stand here.
/// </summary>
/// <param name="Target">Name of what it needs of the machine.</param>
/// <param name="Precision">How exactly it multiplies.</param>
/// <param name="Depth">Elements of a row, and of a query.</param>
/// <param name="ValueDim">Elements of a row's latent.</param>
/// <param name="Heads">Columns that are heads.</param>
/// <param name="Columns">Columns with their padding: whole panels.</param>
/// <param name="TokenTile">Tokens of a score tile.</param>
/// <param name="ColumnTiles">Columns of the value tiles, in the order in which they follow each other.</param>
/// <param name="BlockTokens">Tokens of a block.</param>
/// <param name="ScoreStride">Floats from a token's scores to the next token's.</param>
/// <param name="DepthUnroll">Pairs of elements that one turn of the score loop takes.</param>
/// <param name="DimensionPanel">Latent dimensions that are worked on at a time.</param>
/// <param name="Terms">Terms of bfloat16 that queries and probabilities are taken as.</param>
internal sealed record MatrixPlan(
    string Target,
    MlaPrecision Precision,
    int Depth,
    int ValueDim,
    int Heads,
    int Columns,
    int TokenTile,
    EquatableArray<int> ColumnTiles,
    int BlockTokens,
    int ScoreStride,
    int DepthUnroll,
    int DimensionPanel,
    int Terms)
{
    /// <summary>Tiles there are.</summary>
    public const int Tiles = 8;

    /// <summary>Rows of a tile, and columns of one of sums.</summary>
    public const int TileRows = 16;

    /// <summary>Elements of bfloat16 in a tile's row: the depth of one product.</summary>
    public const int TileDepth = 32;

    /// <summary>Columns of a panel of queries: the floats of a vector.</summary>
    public const int PanelColumns = 16;

    /// <summary>Dimensions of two tokens that are laid beside each other: a cache line of each.</summary>
    public const int PairDimensions = 32;

    /// <summary>Bytes of them.</summary>
    public const int PairBytes = 2 * PairDimensions * sizeof(short);

    /// <summary>Bytes of a vector.</summary>
    public const int VectorBytes = 64;

    /// <summary>What its class is told apart by.</summary>
    public string Name => HasTiles ? $"{Target}{Precision}" : Target;

    /// <summary>Whether products are those of tiles.</summary>
    public bool HasTiles => Target == "Amx";

    /// <summary>In which form it reads rows.</summary>
    public string Operand => Precision == MlaPrecision.Medium ? "BFloat16" : "ExactBFloat16";

    /// <summary>What it needs of the machine, in words.</summary>
    public string TargetText => HasTiles ? "AMX-BF16" : "AVX512-BF16";

    /// <summary>Bytes from a row to the next.</summary>
    public int RowBytes => 2 * Depth;

    /// <summary>Elements of a row behind the whole tiles of its depth.</summary>
    public int DepthTail => HasTiles ? Depth % TileDepth : 0;

    /// <summary>Tiles that are as small as that: one of rows, one of queries.</summary>
    public int TailTiles => DepthTail == 0 ? 0 : 2;

    /// <summary>Panels of queries.</summary>
    public int Panels => Columns / PanelColumns;

    /// <summary>Bytes from a panel of queries to the next: as many as its floats, which are turned there.</summary>
    public int PanelBytes => VectorBytes * Depth;

    /// <summary>Bytes from a token's scores to the next token's.</summary>
    public int ScoreBytes => sizeof(float) * ScoreStride;

    /// <summary>Bytes for the pairs of a block of so many dimensions as a cache line of a row has.</summary>
    public int PairedPanelBytes => BlockTokens / 2 * PairBytes;

    /// <summary>Bytes for the pairs of all latents of a block.</summary>
    public int PairedBytes => ValueDim / PairDimensions * PairedPanelBytes;

    /// <summary>Query tokens of a sequence that go through its blocks together. Tiles multiply so fast that what comes from farther away would hold them up.</summary>
    public int MostQueries => KernelPlanner.MostQueries(Columns * ((Terms * RowBytes) + (sizeof(float) * ValueDim)), (HasTiles ? 1 : 2) * KernelPlanner.SecondLevelCache);

    /// <summary>Words of 32 bits for the tiles of a panel's probabilities; none where pairs of them replace the scores.</summary>
    public int PanelWeights => HasTiles ? BlockTokens * Terms * PanelColumns / 2 : 0;

    /// <summary>Bytes of the sums of two panels of columns by a panel of dimensions, where they go through memory.</summary>
    public int SumBytes => HasTiles ? Math.Min(2, Panels) * PanelColumns * DimensionPanel * sizeof(float) : 0;

    /// <summary>Floats behind the scores: tiles of probabilities, the pairs of a block, sums, and the rows of a last, short tile.</summary>
    public int Scratch => (Panels * PanelWeights) + ((PairedBytes + SumBytes + (TokenTile * RowBytes)) / sizeof(float));

    /// <summary>Cache lines of the next tile's rows that a step of the depth asks for: all of them by the end of a tile.</summary>
    public int PrefetchLines
    {
        get
        {
            int steps = Depth / TileDepth * ((Panels + 1) / 2);
            return ((TokenTile * RowBytes / VectorBytes) + steps - 1) / steps;
        }
    }

    /// <summary>Tiles of sums of a score tile that takes so many panels at once, and as many of values.</summary>
    public int SumTiles(int panels) => Math.Max(TokenTile / TileRows * panels, DimensionPanel / TileRows * panels);

    /// <summary>Vector registers of a score tile that takes so many panels at once: sums, vectors of queries, and a broadcast.</summary>
    public int ScoreRegisters(int panels) => (TokenTile * panels) + panels + 1;

    /// <summary>Vector registers of a value tile: sums, two vectors of pairs, and a broadcast.</summary>
    public int ValueRegisters => (2 * ColumnTiles.Max()) + 3;
}
