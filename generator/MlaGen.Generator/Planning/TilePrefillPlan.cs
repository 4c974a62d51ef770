using MlaGen.Generator.Model;

namespace MlaGen.Generator.Planning;

/// <summary>
/// How a decompressed core of tiles is cut. A key tile goes through four products: keys and turned values of a head from latents, scores of a panel of
/// queries, and sums of values. What a score errs by, scores that are large make larger: so keys and queries are taken more exactly than values and
/// probabilities, at medium precision as codes of 16 bits, at high as one term of bfloat16 more. Queries lie in lanes from beginning to end, so that
/// probabilities need not be turned; sums come out turned. No assembly decides a size; all of them stand here.
/// </summary>
/// <param name="Precision">How exactly it multiplies.</param>
/// <param name="KvLoraRank">Elements of a latent.</param>
/// <param name="KeyDepth">Elements of a key and of a query, padded to whole tiles.</param>
/// <param name="KeyColumns">Elements of a key without its rotary part, padded to whole tiles.</param>
/// <param name="ValueRows">Elements of a value, padded to whole tiles.</param>
/// <param name="KeyTile">Keys of a tile: whole tiles of scores.</param>
/// <param name="ScoreTile">Keys whose scores are worked on at a time.</param>
/// <param name="Queries">Queries of a panel.</param>
internal sealed record TilePrefillPlan(MlaPrecision Precision, int KvLoraRank, int KeyDepth, int KeyColumns, int ValueRows, int KeyTile, int ScoreTile, int Queries)
{
    /// <summary>Name of what it needs of the machine.</summary>
    public const string Target = "Amx";

    private const int ElementBytes = sizeof(ushort);

    /// <summary>What its class is told apart by.</summary>
    public string Name => $"{Target}{Precision}";

    /// <summary>Terms of probabilities and of values.</summary>
    public int Terms => Precision == MlaPrecision.Medium ? 1 : 2;

    /// <summary>Terms of keys and of queries; none where they are codes.</summary>
    public int KeyTerms => Precision == MlaPrecision.Medium ? 0 : 3;

    /// <summary>Terms of latents and weights where bfloat16 does not hold them: what they err by, keys and values both do.</summary>
    public int LatentTerms => Terms + 1;

    /// <summary>Bytes of a key, without its scale where it has one.</summary>
    public int KeyBytes => Math.Max(KeyTerms, 1) * ElementBytes * KeyDepth;

    /// <summary>Bytes of an element of all values of a tile.</summary>
    public int ValueBytes => Terms * ElementBytes * KeyTile;

    /// <summary>Bytes from a key that was just multiplied to the next: room for its rotary part.</summary>
    public int KeySumBytes => sizeof(float) * Math.Max(KeyColumns, KeyDepth);

    /// <summary>Bytes from an element of all values that were just multiplied to the next element.</summary>
    public int ValueSumBytes => OddCacheLines(sizeof(float) * KeyTile);

    /// <summary>Bytes from a key's scores to the next's.</summary>
    public int ScoreBytes => sizeof(float) * Queries;

    /// <summary>Bytes of keys, values and scores of a tile, and of the queries and sums that meet it at a time.</summary>
    public int WorkingSetBytes => (KeyTile * KeyBytes) + (ScoreTile * ScoreBytes) + (ValueRows * (ValueBytes + ScoreBytes)) + (KeyBytes * Queries);

    /// <summary>Keys without their rotary part: latents by a head's key weights.</summary>
    public TileProductPlan Keys => new("Keys", Latents, Latents, KeySumBytes, Accumulates: false, AskedLines: 0);

    /// <summary>Values, an element of all of them after the other: a head's value weights by latents.</summary>
    public TileProductPlan Values => new("Values", Latents, Latents, ValueSumBytes, Accumulates: false, AskedLines: 0);

    /// <summary>Scores of keys and queries that are codes. The next queries, and then their sums, are asked for meanwhile.</summary>
    public CodeProductPlan? CodeScores => KeyTerms == 0 ? new CodeProductPlan(KeyDepth, ScoreBytes, AskedLines(ScoreTile / CodeProductPlan.Rows * (KeyDepth / CodeProductPlan.Depth))) : null;

    /// <summary>Scores of keys and queries that are terms. What is next is asked for as above.</summary>
    public TileProductPlan? TermScores => KeyTerms == 0
        ? null
        : new("Scores", TileOperand.Tiles(KeyDepth, KeyTerms), TileOperand.Tiles(KeyDepth, KeyTerms), ScoreBytes, Accumulates: false, AskedLines(ScoreTile / TileProductPlan.Side * (KeyDepth / MatrixPlan.TileDepth)));

    /// <summary>Sums of values: turned values by pairs of probabilities, of which first terms stand where the scores of even keys stood, second ones where those of odd keys did.</summary>
    public TileProductPlan Sums => new(
        "Sums",
        TileOperand.Tiles(KeyTile, Terms),
        new TileOperand(2 * ScoreBytes, MatrixPlan.VectorBytes, ScoreBytes, Terms, SaysTerms: false),
        ScoreBytes,
        Accumulates: true,
        AskedLines: 0);

    /// <summary>All products of terms.</summary>
    public IEnumerable<TileProductPlan> Products => TermScores is { } scores ? [Keys, Values, scores, Sums] : [Keys, Values, Sums];

    private TileOperand Latents => TileOperand.Tiles(KvLoraRank, LatentTerms, saysTerms: true);

    /// <summary>So many that the steps of a whole tile of scores ask for a panel of queries.</summary>
    private int AskedLines(int steps) => ((KeyBytes * Queries / MatrixPlan.VectorBytes) + steps - 1) / steps;

    private static int OddCacheLines(int bytes) => sizeof(float) * KernelPlanner.OddCacheLines(bytes / sizeof(float));
}
