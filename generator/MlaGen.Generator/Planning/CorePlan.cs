using MlaGen.Generator.Model;

namespace MlaGen.Generator.Planning;

/// <summary>
/// How one attention core is cut for one tier: scores (columns in lanes, tokens broadcast), softmax down the block, values (dimensions in
/// lanes, probabilities broadcast). No emission code decides a size; all of them stand here.
/// </summary>
/// <param name="Tier">The tier.</param>
/// <param name="IsAbsorbed">Whether cached rows themselves are keys and values. Columns are then the heads of a token, as many as the compiler knows; else queries, as many as there are.</param>
/// <param name="Depth">Length of a score's sum.</param>
/// <param name="KeyStride">Floats from a key to the next.</param>
/// <param name="ValueDim">Elements of a value.</param>
/// <param name="ValueStride">Floats from a value to the next.</param>
/// <param name="Columns">(Query, head) pairs handled at once, padding of the last stripe included.</param>
/// <param name="ColumnStripes">Columns in lanes.</param>
/// <param name="ValueStripes">Value dimensions in lanes.</param>
/// <param name="TokenTiles">Tokens of a score tile, by preference: the widest that fits is used, its last tile moved back over the one before.</param>
/// <param name="DepthTile">Tokens of a score tile with the depth in lanes; divides the wider token tiles.</param>
/// <param name="ColumnTiles">Columns of the value tiles, in the order in which they follow each other.</param>
/// <param name="BlockTokens">Tokens of a block.</param>
/// <param name="ScoreStride">Floats from a token's scores to the next token's.</param>
/// <param name="PrefetchTokens">Tokens from a row that is used where it lies to the one that is asked for meanwhile; 0 if a score tile asks for none.</param>
internal sealed record CorePlan(
    SimdTier Tier,
    bool IsAbsorbed,
    int Depth,
    int KeyStride,
    int ValueDim,
    int ValueStride,
    int Columns,
    EquatableArray<Stripe> ColumnStripes,
    EquatableArray<Stripe> ValueStripes,
    EquatableArray<int> TokenTiles,
    int DepthTile,
    EquatableArray<int> ColumnTiles,
    int BlockTokens,
    int ScoreStride,
    int PrefetchTokens)
{
    /// <summary>The loops that compute scores, each once: stripe by stripe, the widest tile first.</summary>
    public IEnumerable<TilePlan> ScoreTiles =>
    [
        .. Kinds(ColumnStripes.Where(stripe => !stripe.ByDepth)).SelectMany(stripe => TokenTiles.Select(tokens => ScoreTile(tokens, stripe))),
        .. ColumnStripes.Where(stripe => stripe.ByDepth).SelectMany(stripe => TokenTiles.Select(tokens => ScoreTile(tokens, stripe)).Distinct()),
    ];

    /// <summary>The loops that sum up values, each once.</summary>
    public IEnumerable<TilePlan> ValueTiles => Kinds(ValueStripes).SelectMany(stripe => ColumnTiles.Distinct().Select(columns => ValueTile(columns, stripe)));

    /// <summary>Bytes that are worked on again and again: the keys and values of a block and their scores, queries and outputs.</summary>
    public int WorkingSetBytes => sizeof(float) * ((BlockTokens * (KeyStride + SeparateValues + ScoreStride)) + (Columns * (Depth + ValueDim)));

    /// <summary>Query tokens of a sequence that go through its blocks together.</summary>
    public int MostQueries => KernelPlanner.MostQueries(sizeof(float) * Columns * (Depth + ValueDim), 2 * KernelPlanner.SecondLevelCache);

    /// <summary>Bytes that a value tile reads of a block: its values, and the cache line in which its columns' probabilities lie, for each token.</summary>
    public int ValueTileBytes => BlockTokens * ((sizeof(float) * ValueStripes.Max(stripe => stripe.Width)) + CacheLineBytes);

    /// <summary>Every method that is emitted for the core.</summary>
    public IEnumerable<MethodPlan> Methods => CoreMethods.Of(this);

    /// <summary>
    /// Whether score tiles ask for the queries that are worked on next, and value tiles for their outputs: those of many queries do not stay in the
    /// second-level cache from key tile to key tile.
    /// </summary>
    public bool PrefetchesQueries => !IsAbsorbed && Tier.Lanes > 1;

    /// <summary>
    /// Elements of depth that a score tile takes in a round of its loop: two, if that leaves none over. The fewer instructions beside the products, the
    /// more of them a processor starts at once, above all one whose other thread takes its turns, too.
    /// </summary>
    public int DepthsOfRound => Depth % 2 == 0 ? 2 : 1;

    /// <summary>Whether a score tile asks for rows that will be needed next while it works.</summary>
    public bool PrefetchesRows => PrefetchTokens > 0;

    /// <summary>Tokens that a value tile takes in a round of its loop, for the same reason; one that is left over is taken alone.</summary>
    public const int TokensOfRound = 2;

    private const int CacheLineBytes = 64;

    // The value of a cached row is a part of the row; decompressed values lie behind their keys.
    private int SeparateValues => IsAbsorbed ? 0 : ValueStride;

    /// <summary>The loop that takes <paramref name="tokens"/> tokens, or a part of them, by the columns of a tile of the stripe.</summary>
    public TilePlan ScoreTile(int tokens, Stripe stripe)
    {
        if (stripe.ByDepth)
        {
            return new TilePlan(TileKind.ScoresByDepth, tokens % DepthTile == 0 ? DepthTile : tokens, Tier.Lanes, stripe.Lanes);
        }

        if (PrefetchesQueries)
        {
            // A panel of queries is shared out between the tiles that have its columns: less than a cache line is left for each round.
            return new TilePlan(TileKind.Scores, tokens, stripe.Lanes, stripe.Vectors, tokens == TokenTiles[0] ? 1 : 0);
        }

        // The first columns' tile asks for upcoming rows, for all columns; a short block ends before the rows would come.
        Stripe first = ColumnStripes[0];
        bool prefetches = PrefetchesRows && tokens == TokenTiles[0] && (stripe.Lanes, stripe.Vectors) == (first.Lanes, first.Vectors);

        // As many cache lines in each round as the rows that the tile works on have there, if they are floats; shorter rows are asked for in smaller steps.
        return new TilePlan(TileKind.Scores, tokens, stripe.Lanes, stripe.Vectors, prefetches ? ((tokens * sizeof(float) * DepthsOfRound) + CacheLineBytes - 1) / CacheLineBytes : 0);
    }

    /// <summary>The loop that takes <paramref name="columns"/> columns by the dimensions of a tile of the stripe.</summary>
    public TilePlan ValueTile(int columns, Stripe stripe) => new(TileKind.Values, columns, stripe.Lanes, stripe.Vectors, PrefetchesQueries ? 1 : 0);

    /// <summary>Vector registers of a tile's loop.</summary>
    public RegisterLedger RegistersOf(TilePlan tile) => RegisterLedger.Of(tile.Rows, tile.Vectors, Tier);

    private static IEnumerable<Stripe> Kinds(IEnumerable<Stripe> stripes) =>
        stripes.GroupBy(stripe => (stripe.Lanes, stripe.Vectors)).Select(group => group.First());
}
