using MlaGen.Generator.Model;

namespace MlaGen.Generator.Planning;

/// <summary>
/// How a decompressed core of machine code is cut. A key tile goes through four products, in each of which elements of bfloat16 lie in rows on the left and in
/// pairs on the right: keys and turned values of a head from latents, scores of a panel of queries, and sums of values. Queries lie in lanes from beginning to end,
/// so that probabilities need not be turned; sums come out turned. No assembly decides a size; all of them stand here.
/// </summary>
/// <param name="Target">Name of what it needs of the machine.</param>
/// <param name="Precision">How exactly it multiplies.</param>
/// <param name="Terms">Terms of bfloat16 that weights, keys, values, queries and probabilities are taken as.</param>
/// <param name="KvLoraRank">Elements of a latent.</param>
/// <param name="RowBytes">Bytes of a cached row.</param>
/// <param name="KeyDepth">Elements of a key and of a query, padded.</param>
/// <param name="KeyColumns">Elements of a key without its rotary part, padded to whole pairs of panels.</param>
/// <param name="ValueTiles">Elements of a value in tiles of rows, padding of the last one included.</param>
/// <param name="KeyTile">Keys of a tile.</param>
/// <param name="TokenTile">Keys of a tile of rows: key tiles have whole ones.</param>
/// <param name="PaddedKeys">Keys whose whole multiples sums of values take.</param>
/// <param name="Queries">Queries of a panel.</param>
internal sealed record MatrixPrefillPlan(
    string Target,
    MlaPrecision Precision,
    int Terms,
    int KvLoraRank,
    int RowBytes,
    int KeyDepth,
    int KeyColumns,
    EquatableArray<int> ValueTiles,
    int KeyTile,
    int TokenTile,
    int PaddedKeys,
    int Queries)
{
    /// <summary>What its class is told apart by.</summary>
    public string Name => HasTiles ? $"{Target}{Precision}" : Target;

    /// <summary>Whether products are those of tiles.</summary>
    public bool HasTiles => Target == "Amx";

    /// <summary>In which form it reads rows.</summary>
    public string Operand => Precision == MlaPrecision.Medium ? "BFloat16" : "ExactBFloat16";

    /// <summary>What it needs of the machine, in words.</summary>
    public string TargetText => HasTiles ? "AMX-BF16" : "AVX512-BF16";

    /// <summary>Elements of a value, padded.</summary>
    public int ValueRows => ValueTiles.Sum();

    /// <summary>Bytes from a key to the next.</summary>
    public int KeyBytes => OddCacheLines(Terms * ElementBytes * KeyDepth);

    /// <summary>Bytes from an element of all values of a tile to the next element.</summary>
    public int ValueBytes => OddCacheLines(Terms * ElementBytes * KeyTile);

    /// <summary>Bytes from a key's scores to the next's.</summary>
    public int ScoreBytes => sizeof(float) * Queries;

    /// <summary>Bytes of keys, values and scores of a tile, and of the queries and sums that meet it at a time.</summary>
    public int WorkingSetBytes => (KeyTile * (KeyBytes + ScoreBytes)) + (ValueRows * (ValueBytes + ScoreBytes)) + (Terms * ElementBytes * KeyDepth * Queries);

    /// <summary>Keys without their rotary part: cached latents as they lie, by a head's key weights.</summary>
    public ProductPlan Keys => new(
        "Keys",
        new EquatableArray<int>([TokenTile]),
        CountsRows: true,
        KeyColumns,
        KvLoraRank,
        Unroll(KvLoraRank),
        new LeftOperand(RowBytes, Terms: 1, TermBytes: 0),
        Pairs(KvLoraRank, Terms),
        sizeof(float) * KeyColumns,
        Accumulates: false);

    /// <summary>Values, an element of all of them after the other: rows of a head's value weights by pairs of latents.</summary>
    public ProductPlan Values => new(
        "Values",
        ValueTiles,
        CountsRows: false,
        Columns: 0,
        KvLoraRank,
        Unroll(KvLoraRank),
        new LeftOperand(Terms * ElementBytes * KvLoraRank, Terms, ElementBytes * KvLoraRank),
        Pairs(KvLoraRank, terms: 1),
        sizeof(float) * KeyTile,
        Accumulates: false);

    /// <summary>Scores: keys by pairs of queries.</summary>
    public ProductPlan Scores => new(
        "Scores",
        new EquatableArray<int>([TokenTile]),
        CountsRows: true,
        Queries,
        KeyDepth,
        Unroll(KeyDepth),
        new LeftOperand(KeyBytes, Terms, ElementBytes * KeyDepth),
        Pairs(KeyDepth, Terms),
        ScoreBytes,
        Accumulates: false);

    /// <summary>Sums of values: turned values by pairs of probabilities, which stand where the scores of even keys stood, their second terms in the places of odd ones.</summary>
    public ProductPlan Sums => new(
        "Sums",
        ValueTiles,
        CountsRows: false,
        Queries,
        Depth: 0,
        DepthUnroll: 1,
        new LeftOperand(ValueBytes, Terms, ElementBytes * KeyTile),
        new RightOperand(2 * ScoreBytes, MatrixPlan.VectorBytes, Terms, ScoreBytes),
        ScoreBytes,
        Accumulates: true);

    /// <summary>All of them.</summary>
    public IEnumerable<ProductPlan> Products => [Keys, Values, Scores, Sums];

    private const int ElementBytes = sizeof(ushort);

    private static RightOperand Pairs(int depth, int terms) => new(terms * MatrixPlan.VectorBytes, depth / 2 * terms * MatrixPlan.VectorBytes, terms, MatrixPlan.VectorBytes);

    private static int Unroll(int depth) => depth / 2 % 2 == 0 ? 2 : 1;

    private static int OddCacheLines(int bytes) => sizeof(float) * KernelPlanner.OddCacheLines((bytes + sizeof(float) - 1) / sizeof(float));
}
