namespace MlaGen.Models;

/// <summary>How a configuration turns positions into angles: what a generated class has as constants, computed once more to compare them.</summary>
internal sealed record RotaryConfig
{
    private const double Large = 1e9;

    /// <summary>Radians a position for each pair.</summary>
    public required float[] Frequencies { get; init; }

    /// <summary>Factor on cosine and sine.</summary>
    public required double CosineFactor { get; init; }

    /// <summary>Factor on the scores beside <c>QkHeadDim^-0.5</c>.</summary>
    public required double ScoreFactor { get; init; }

    /// <summary>Growth of queries with the position.</summary>
    public required double Llama4ScalingBeta { get; init; }

    /// <summary>Where the numbers come from.</summary>
    public required string Words { get; init; }

    public static RotaryConfig Read(ModelConfig model, int width, bool scalesScores)
    {
        ConfigSection config = model.Text;
        ConfigSection? rope = config.Section("rope_parameters") ?? config.Section("rope_scaling");
        string type = rope is null ? "default" : rope.Has("rope_type") || rope.Has("type") ? rope.Word(rope.Has("rope_type") ? "rope_type" : "type", null, "default", "yarn", "longrope") : "default";

        // Older configurations keep the base beside the scaling, newer ones inside it.
        double theta = (rope is not null && rope.Has("rope_theta") ? rope : config).Number("rope_theta", 1.000001, 1e15, model.Family.DefaultRopeTheta);
        float[] powers = [.. Enumerable.Range(0, width / 2).Select(i => (float)Math.Pow((float)theta, (float)(2 * i) / width))];
        if (rope is null || type == "default")
        {
            return new RotaryConfig
            {
                Frequencies = [.. powers.Select(static power => 1 / power)],
                CosineFactor = 1,
                ScoreFactor = 1,
                Llama4ScalingBeta = rope?.Number("llama_4_scaling_beta", 0, Large, 0) ?? 0,
                Words = FormattableString.Invariant($"rope_theta {theta}, not scaled"),
            };
        }

        int original = (rope.Has("original_max_position_embeddings") ? rope : config).Integer("original_max_position_embeddings", 1, int.MaxValue);
        double factor = rope.Number("factor", 1, Large, Math.Max(1, (double)model.MaxPositions / original));
        double given = rope.Number("attention_factor", 0, Large, 0);
        if (type == "longrope")
        {
            double[] divisors = rope.Numbers("short_factor", width / 2, 1e-6, Large);
            return new RotaryConfig
            {
                Frequencies = [.. powers.Select((power, i) => 1 / ((float)divisors[i] * power))],
                CosineFactor = given != 0 ? given : factor <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(factor) / Math.Log(original))),
                ScoreFactor = 1,
                Llama4ScalingBeta = 0,
                Words = FormattableString.Invariant($"rope_theta {theta}, longrope"),
            };
        }

        double mscale = rope.Number("mscale", 0, Large, 0);
        double mscaleAll = rope.Number("mscale_all_dim", 0, Large, 0);
        return new RotaryConfig
        {
            Frequencies = Yarn(rope, powers, width, theta, factor, original),
            CosineFactor = given != 0 ? given : mscale != 0 && mscaleAll != 0 ? Magnitude(factor, mscale) / Magnitude(factor, mscaleAll) : Magnitude(factor, 1),
            ScoreFactor = scalesScores && mscaleAll != 0 ? Math.Pow(Magnitude(factor, mscaleAll), 2) : 1,
            Llama4ScalingBeta = rope.Number("llama_4_scaling_beta", 0, Large, 0),
            Words = FormattableString.Invariant($"rope_theta {theta}, yarn by {factor} from {original}, mscale {mscale}/{mscaleAll}"),
        };
    }

    private static float[] Yarn(ConfigSection rope, float[] powers, int width, double theta, double factor, int original)
    {
        double low = Pair(Given("beta_fast", 32));
        double high = Pair(Given("beta_slow", 1));
        if (rope.Flag("truncate", true))
        {
            (low, high) = (Math.Floor(low), Math.Ceiling(high));
        }

        // transformers clamps by the rotary width, not by the number of pairs.
        (low, high) = (Math.Max(low, 0), Math.Min(high, width - 1));
        float span = (float)(low == high ? 0.001 : high - low);
        return [.. powers.Select((power, i) =>
        {
            float kept = 1 - Math.Clamp((i - (float)low) / span, 0, 1);
            return (1 / ((float)factor * power) * (1 - kept)) + (1 / power * kept);
        })];

        double Given(string key, double absent) => rope.Number(key, 0, Large, absent) is var value && value == 0 ? absent : value;

        // The pair that turns so many times within the original context.
        double Pair(double rotations) => width * Math.Log(original / (rotations * 2 * Math.PI)) / (2 * Math.Log(theta));
    }

    private static double Magnitude(double factor, double scale) => factor <= 1 ? 1 : (0.1 * scale * Math.Log(factor)) + 1;
}
