namespace MlaGen.Tests.Oracles;

/// <summary>How far a result may stand from its reference: as a whole, and element by element.</summary>
/// <param name="RelativeError">Bound on <c>‖out - ref‖ / ‖ref‖</c>.</param>
/// <param name="Absolute">An element passes when it is this near, or …</param>
/// <param name="Relative">… when it is this near in proportion to the reference.</param>
internal readonly record struct Tolerance(double RelativeError, double Absolute, double Relative)
{
    /// <summary>Scores up to which it holds as it is.</summary>
    private double Scores { get; init; } = 16;

    /// <summary>Float32 arithmetic against a reference on the same cached values.</summary>
    public static Tolerance Float32 { get; } = new(5e-6, 2e-5, 1e-4);

    /// <summary>The same for logarithms of softmax sums, element by element: one may lie anywhere near zero, where only its absolute error means something.</summary>
    public static Tolerance LogSumExp { get; } = new(double.PositiveInfinity, Float32.Absolute, Float32.RelativeError);

    /// <summary>Two terms of bfloat16 an operand.</summary>
    private static readonly Tolerance _high = new(1e-5, 4e-5, 2e-4);

    /// <summary>Operands of bfloat16: each score errs by some thousandths, and so does each weight.</summary>
    private static readonly Tolerance _medium = new(3e-3, 2e-2, 5e-2) { Scores = 5 };

    /// <summary>Attention at a precision against a reference on the same cached values.</summary>
    public static Tolerance Of(MlaPrecision precision) => precision switch
    {
        MlaPrecision.Highest => Float32,
        MlaPrecision.High => _high,
        _ => _medium,
    };

    /// <summary>The same for logarithms of softmax sums.</summary>
    public static Tolerance LogSumExpOf(MlaPrecision precision) => precision == MlaPrecision.Highest
        ? LogSumExp
        : LogSumExp with { Scores = Of(precision).Scores, Absolute = Of(precision).Absolute, Relative = Of(precision).RelativeError };

    /// <summary>An oracle against what transformers computed in float64 with its float32 norms, softmax and angles, stored as float32.</summary>
    public static Tolerance GoldenFile { get; } = new(4e-7, 5e-6, 1e-5);

    /// <summary>The same for one token alone, over which the roundings of the reference average out less.</summary>
    public static Tolerance GoldenToken { get; } = GoldenFile with { RelativeError = 5e-7 };

    /// <summary>One oracle against the other.</summary>
    public static Tolerance Oracles { get; } = new(1e-12, 1e-12, 1e-9);

    /// <summary>The same, as a whole, where projections err as much as attention does: single elements may meet with both errors, and with those of the queries in their scores.</summary>
    public Tolerance WithProjections => this with { Absolute = 3 * Absolute, Relative = 3 * Relative };

    /// <summary>The same for scores up to <paramref name="maxScore"/> in magnitude: far from zero they lose digits.</summary>
    public Tolerance ForScores(double maxScore)
    {
        double factor = Math.Max(1, Math.Abs(maxScore) / Scores);
        return new Tolerance(RelativeError * factor, Absolute * factor, Relative * factor);
    }
}
