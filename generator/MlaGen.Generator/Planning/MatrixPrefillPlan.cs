using MlaGen.Generator.Model;

namespace MlaGen.Generator.Planning;

/// <summary>
/// How a decompressed core of machine code is cut. A key tile goes through four products: keys and turned values of a head from latents, scores of a panel of
/// queries, and sums of values. Of the first three all operands are int16 with a scale for each vector that is multiplied: half as many
/// bits again as bfloat16 keeps, at the same rate, so that scores hardly err. Values and probabilities are bfloat16: what a query does not see must not
/// move a scale. Queries lie in lanes from beginning to end, so that probabilities need not be turned; sums come out turned. No assembly decides a size; all
/// of them stand here.
/// </summary>
/// <param name="Target">Name of what it needs of the machine.</param>
/// <param name="Precision">How exactly it multiplies.</param>
/// <param name="KvLoraRank">Elements of a latent.</param>
/// <param name="KeyDepth">Elements of a key and of a query, padded.</param>
/// <param name="KeyColumns">Elements of a key without its rotary part, padded to whole pairs of panels.</param>
/// <param name="ValueTiles">Elements of a value in tiles of rows, padding of the last one included.</param>
/// <param name="KeyTile">Keys of a tile: whole tiles of scores.</param>
/// <param name="ScoreTile">Keys whose scores are worked on at a time.</param>
/// <param name="TokenTile">Keys of a tile of rows: key tiles have whole ones.</param>
/// <param name="PaddedKeys">Keys whose whole multiples sums of values take.</param>
/// <param name="Queries">Queries of a panel.</param>
internal sealed record MatrixPrefillPlan(
    string Target,
    MlaPrecision Precision,
    int KvLoraRank,
    int KeyDepth,
    int KeyColumns,
    EquatableArray<int> ValueTiles,
    int KeyTile,
    int ScoreTile,
    int TokenTile,
    int PaddedKeys,
    int Queries)
{
    /// <summary>What its class is told apart by.</summary>
    public string Name => Target;

    /// <summary>Elements of a value, padded.</summary>
    public int ValueRows => ValueTiles.Sum();

    /// <summary>Bytes from a key to the next.</summary>
    public int KeyBytes => OddCacheLines(ElementBytes * KeyDepth);

    /// <summary>Bytes from an element of all values of a tile to the next element.</summary>
    public int ValueBytes => OddCacheLines(ElementBytes * KeyTile);

    /// <summary>Bytes from a latent to the next.</summary>
    public int LatentBytes => OddCacheLines(ElementBytes * KvLoraRank);

    /// <summary>Bytes from a key that was just multiplied to the next: room for its rotary part, and for whole vectors.</summary>
    public int KeySumBytes => sizeof(float) * Math.Max(KeyColumns, (KeyDepth + MatrixPlan.PanelColumns - 1) / MatrixPlan.PanelColumns * MatrixPlan.PanelColumns);

    /// <summary>Bytes from a key's scores to the next's.</summary>
    public int ScoreBytes => sizeof(float) * Queries;

    /// <summary>Bytes of keys, values and scores of a tile, and of the queries and sums that meet it at a time.</summary>
    public int WorkingSetBytes => (KeyTile * KeyBytes) + (ScoreTile * ScoreBytes) + (ValueRows * (ValueBytes + ScoreBytes)) + (ElementBytes * KeyDepth * Queries);

    /// <summary>Keys without their rotary part: latents by a head's key weights.</summary>
    public ProductPlan Keys => new(
        "Keys",
        ProductNumbers.Int16,
        new EquatableArray<int>([TokenTile]),
        CountsRows: true,
        KeyColumns,
        KvLoraRank,
        Unroll(KvLoraRank),
        LatentBytes,
        Pairs(KvLoraRank),
        KeySumBytes);

    /// <summary>Values, an element of all of them after the other: rows of a head's value weights by pairs of latents.</summary>
    public ProductPlan Values => new(
        "Values",
        ProductNumbers.Int16,
        ValueTiles,
        CountsRows: false,
        Columns: 0,
        KvLoraRank,
        Unroll(KvLoraRank),
        ElementBytes * KvLoraRank,
        Pairs(KvLoraRank),
        ValueBytes,
        RoundsResults: true);

    /// <summary>Scores: keys by pairs of queries.</summary>
    public ProductPlan Scores => new(
        "Scores",
        ProductNumbers.Int16,
        new EquatableArray<int>([TokenTile]),
        CountsRows: true,
        Queries,
        KeyDepth,
        Unroll(KeyDepth),
        KeyBytes,
        Pairs(KeyDepth),
        ScoreBytes);

    /// <summary>Sums of values: turned values by pairs of probabilities, which stand where the scores of even keys stood.</summary>
    public ProductPlan Sums => new(
        "Sums",
        ProductNumbers.BFloat16,
        ValueTiles,
        CountsRows: false,
        Queries,
        Depth: 0,
        DepthUnroll: 1,
        ValueBytes,
        new RightOperand(2 * ScoreBytes, MatrixPlan.VectorBytes),
        ScoreBytes);

    /// <summary>All of them.</summary>
    public IEnumerable<ProductPlan> Products => [Keys, Values, Scores, Sums];

    private const int ElementBytes = sizeof(ushort);

    private static RightOperand Pairs(int depth) => new(MatrixPlan.VectorBytes, depth / 2 * MatrixPlan.VectorBytes);

    private static int Unroll(int depth) => depth / 2 % 2 == 0 ? 2 : 1;

    private static int OddCacheLines(int bytes) => sizeof(float) * KernelPlanner.OddCacheLines((bytes + sizeof(float) - 1) / sizeof(float));
}
