namespace MlaGen.Tests.Oracles;

/// <summary>
/// Rotary positions. Frequencies and angles take their roundings to float32 in transformers' order, because at far positions
/// these roundings show in the output; the rotation itself is double.
/// </summary>
internal sealed record OracleRope
{
    public RopeLayout Layout { get; init; } = RopeLayout.Interleaved;

    public RopeScaling Scaling { get; init; } = RopeScaling.None;

    public double Theta { get; init; } = 10000;

    /// <summary>0 derives it from the two position limits.</summary>
    public double Factor { get; init; }

    public int MaxPosition { get; init; }

    public int OriginalMaxPosition { get; init; }

    public double BetaFast { get; init; } = 32;

    public double BetaSlow { get; init; } = 1;

    public bool Truncate { get; init; } = true;

    /// <summary>0 means absent.</summary>
    public double MscaleNumerator { get; init; }

    /// <summary>0 means absent.</summary>
    public double MscaleAllDim { get; init; }

    /// <summary>0 derives it.</summary>
    public double AttentionFactor { get; init; }

    public double[] LongRopeFactors { get; init; } = [];

    public double EffectiveFactor => Factor != 0 ? Factor : (double)MaxPosition / OriginalMaxPosition;

    /// <summary>YaRN's growth of the logits with the context: <c>0.1·m·ln(s) + 1</c>.</summary>
    public static double Mscale(double scale, double mscale) => scale <= 1 ? 1 : (0.1 * mscale * Math.Log(scale)) + 1;

    /// <summary>The factor on cosine and sine.</summary>
    public double CosSinFactor()
    {
        if (Scaling == RopeScaling.None)
        {
            return 1;
        }

        if (AttentionFactor != 0)
        {
            return AttentionFactor;
        }

        if (Scaling == RopeScaling.LongRope)
        {
            double growth = (double)MaxPosition / OriginalMaxPosition;
            return growth <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(growth) / Math.Log(OriginalMaxPosition)));
        }

        return MscaleNumerator != 0 && MscaleAllDim != 0
            ? Mscale(EffectiveFactor, MscaleNumerator) / Mscale(EffectiveFactor, MscaleAllDim)
            : Mscale(EffectiveFactor, 1);
    }

    /// <summary>The radians a pair turns for each position, <paramref name="width"/> / 2 of them.</summary>
    public float[] InverseFrequencies(int width)
    {
        var frequencies = new float[width / 2];
        (double low, double high) = Scaling == RopeScaling.Yarn ? CorrectionRange(width) : default;
        for (int i = 0; i < frequencies.Length; i++)
        {
            float power = (float)Math.Pow(Theta, (float)(2 * i) / width);
            frequencies[i] = Scaling switch
            {
                RopeScaling.Yarn => Stretch(power, i, low, high),
                RopeScaling.LongRope => 1f / ((float)LongRopeFactors[i] * power),
                _ => 1f / power,
            };
        }

        return frequencies;
    }

    /// <summary>
    /// Turns a rotary part to <paramref name="position"/> and leaves it as transformers' V3 family caches it: the first elements of all
    /// pairs, then the second ones.
    /// </summary>
    public void Rotate(Span<double> part, int position, ReadOnlySpan<float> inverseFrequencies)
    {
        if (Layout == RopeLayout.None)
        {
            return;
        }

        int half = part.Length / 2;
        float factor = (float)CosSinFactor();
        double[] source = part.ToArray();
        for (int i = 0; i < half; i++)
        {
            (double first, double second) = Layout == RopeLayout.Interleaved
                ? (source[2 * i], source[(2 * i) + 1])
                : (source[i], source[i + half]);
            float angle = position * inverseFrequencies[i];
            float cos = (float)Math.Cos(angle) * factor;
            float sin = (float)Math.Sin(angle) * factor;
            part[i] = (first * cos) - (second * sin);
            part[i + half] = (second * cos) + (first * sin);
        }
    }

    /// <summary>Between which pairs YaRN passes from frequencies kept to frequencies divided.</summary>
    public (double Low, double High) CorrectionRange(int width)
    {
        double low = Dimension(BetaFast);
        double high = Dimension(BetaSlow);
        if (Truncate)
        {
            low = Math.Floor(low);
            high = Math.Ceiling(high);
        }

        low = Math.Max(low, 0);
        high = Math.Min(high, width - 1);
        return (low, low == high ? high + 0.001 : high);

        double Dimension(double rotations) => width * Math.Log(OriginalMaxPosition / (2 * Math.PI * rotations)) / (2 * Math.Log(Theta));
    }

    private float Stretch(float power, int pair, double low, double high)
    {
        float kept = 1f - Math.Clamp((pair - (float)low) / (float)(high - low), 0f, 1f);
        float divided = 1f / ((float)EffectiveFactor * power);
        return (divided * (1f - kept)) + (1f / power * kept);
    }
}
