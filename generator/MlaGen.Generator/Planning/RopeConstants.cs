using System.Globalization;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Planning;

/// <summary>Positions and scale as the numbers that are emitted, each with the words that say where it comes from.</summary>
/// <param name="InverseFrequencies">Radians a position for each rotated pair; empty when nothing is rotated.</param>
/// <param name="AttentionFactor">Factor on cosine and sine.</param>
/// <param name="SoftmaxScale">Factor on the scores.</param>
/// <param name="FrequencyDerivation">How the frequencies came about.</param>
/// <param name="AttentionFactorDerivation">How the factor on cosine and sine came about.</param>
/// <param name="SoftmaxScaleDerivation">How the softmax scale came about.</param>
internal sealed record RopeConstants(
    EquatableArray<float> InverseFrequencies,
    float AttentionFactor,
    double SoftmaxScale,
    string FrequencyDerivation,
    string AttentionFactorDerivation,
    string SoftmaxScaleDerivation)
{
    /// <summary>The constants of a valid specification.</summary>
    public static RopeConstants For(MlaSpec spec)
    {
        (float[] frequencies, string frequencyWords) = Frequencies(spec);
        (double factor, string factorWords) = CosineFactor(spec);
        (double scale, string scaleWords) = Scale(spec);
        return new RopeConstants(
            new EquatableArray<float>(frequencies),
            (float)factor,
            scale,
            frequencyWords,
            $"cosine and sine factor = {factorWords}",
            $"softmax scale = {scaleWords}");
    }

    /// <summary>YaRN's correction range, in pairs: frequencies below it are kept, those above it divided by the factor.</summary>
    internal static (double Low, double High) CorrectionRange(MlaSpec spec)
    {
        RopeSpec rope = spec.Rope;
        int width = spec.Dimensions.QkRopeHeadDim;
        double low = Pair(rope.BetaFast);
        double high = Pair(rope.BetaSlow);
        if (rope.Truncate)
        {
            low = Math.Floor(low);
            high = Math.Ceiling(high);
        }

        // transformers clamps by the rotary width, not by the number of pairs.
        return (Math.Max(low, 0), Math.Min(high, width - 1));

        // The pair that turns so many times within the original context.
        double Pair(double rotations)
            => width * Math.Log(rope.OriginalMaxPositionEmbeddings / (rotations * 2 * Math.PI)) / (2 * Math.Log(rope.Theta));
    }

    // transformers computes frequencies in float32, and at far positions the order of roundings shows. Every operation below is therefore
    // rounded by a cast of its own: without one a compiler running on .NET Framework may keep more digits than float has.
    private static (float[] Frequencies, string Words) Frequencies(MlaSpec spec)
    {
        int width = spec.Dimensions.QkRopeHeadDim;
        RopeSpec rope = spec.Rope;
        if (width == 0)
        {
            return ([], "no rotary part: QkRopeHeadDim is 0");
        }

        if (rope.Layout == RopeLayout.None)
        {
            return ([], "the rotary part is not rotated: RopeLayout is None");
        }

        float[] powers = new float[width / 2];
        for (int i = 0; i < powers.Length; i++)
        {
            powers[i] = (float)Math.Pow((float)rope.Theta, (float)((float)(2 * i) / width));
        }

        string plain = $"{Text(rope.Theta)}^(-2i/{Text(width)})";
        return rope.Scaling switch
        {
            RopeScaling.Yarn => YarnFrequencies(spec, powers, plain),
            RopeScaling.LongRope => LongRopeFrequencies(spec, powers, plain),
            _ => (Array.ConvertAll(powers, static power => (float)(1f / power)), $"frequency of pair i = {plain}"),
        };
    }

    private static (float[] Frequencies, string Words) YarnFrequencies(MlaSpec spec, float[] powers, string plain)
    {
        (double low, double high) = CorrectionRange(spec);
        string range = $"YaRN correction range: low {Text(low)}, high {Text(high)}";
        if (low == high)
        {
            high += 0.001;
        }

        float factor = (float)spec.Rope.Factor;
        float lowest = (float)low;
        float span = (float)(high - low);
        float[] frequencies = new float[powers.Length];
        for (int i = 0; i < powers.Length; i++)
        {
            float ramp = (float)((float)(i - lowest) / span);
            float kept = (float)(1f - Math.Min(Math.Max(ramp, 0f), 1f));
            float stretched = (float)(1f / (float)(factor * powers[i]));
            float original = (float)(1f / powers[i]);
            frequencies[i] = (float)((float)(stretched * (float)(1f - kept)) + (float)(original * kept));
        }

        string words = $"frequency of pair i = {plain} up to low, divided by {Text(spec.Rope.Factor)} from high on, blended between; {range}";
        return (frequencies, words);
    }

    private static (float[] Frequencies, string Words) LongRopeFrequencies(MlaSpec spec, float[] powers, string plain)
    {
        // Valid only if both sets are equal or positions stay within the original context: then the short one is right at every position.
        float[] frequencies = new float[powers.Length];
        for (int i = 0; i < powers.Length; i++)
        {
            frequencies[i] = (float)(1f / (float)((float)spec.Rope.ShortFactor[i] * powers[i]));
        }

        return (frequencies, $"LongRoPE: frequency of pair i = {plain} / ShortFactor[i]");
    }

    private static (double Factor, string Words) CosineFactor(MlaSpec spec)
    {
        RopeSpec rope = spec.Rope;
        if (rope.Scaling == RopeScaling.None)
        {
            return (1, "1");
        }

        if (rope.AttentionFactor != 0)
        {
            return (rope.AttentionFactor, $"{Text(rope.AttentionFactor)}, as given");
        }

        if (rope.Scaling == RopeScaling.LongRope)
        {
            if (rope.Factor <= 1)
            {
                return (1, "1, since the model does not stretch its original context");
            }

            double grown = Math.Sqrt(1 + (Math.Log(rope.Factor) / Math.Log(rope.OriginalMaxPositionEmbeddings)));
            return (grown, $"sqrt(1 + ln {Text(rope.Factor)} / ln {Text(rope.OriginalMaxPositionEmbeddings)}) = {Text(grown)}");
        }

        double factor = rope.Factor;
        if (rope.Mscale != 0 && rope.MscaleAllDim != 0)
        {
            double ratio = Magnitude(factor, rope.Mscale) / Magnitude(factor, rope.MscaleAllDim);
            return (ratio, $"{MagnitudeText(factor, rope.Mscale)} / {MagnitudeText(factor, rope.MscaleAllDim)} = {Text(ratio)}");
        }

        double magnitude = Magnitude(factor, 1);
        return (magnitude, $"{MagnitudeText(factor, 1)} = {Text(magnitude)}, since Mscale and MscaleAllDim are not both given");
    }

    private static (double Scale, string Words) Scale(MlaSpec spec)
    {
        if (spec.SoftmaxScaleOverride is { } given)
        {
            return (given, $"{Text(given)}, as given");
        }

        int width = spec.Dimensions.QkHeadDim;
        double scale = Math.Pow(width, -0.5);
        if (spec.Rope.Scaling != RopeScaling.Yarn || spec.Rope.MscaleAllDim == 0)
        {
            return (scale, $"{Text(width)}^-0.5 = {Text(scale)}");
        }

        double factor = spec.Rope.Factor;
        double magnitude = Magnitude(factor, spec.Rope.MscaleAllDim);
        double scaled = scale * (magnitude * magnitude);
        return (scaled, $"{Text(width)}^-0.5 · {MagnitudeText(factor, spec.Rope.MscaleAllDim)}² = {Text(scaled)}");
    }

    /// <summary>transformers' <c>get_mscale</c>.</summary>
    private static double Magnitude(double factor, double mscale) => factor <= 1 ? 1 : (0.1 * mscale * Math.Log(factor)) + 1;

    private static string MagnitudeText(double factor, double mscale) => factor <= 1 ? "1" : $"(0.1·{Text(mscale)}·ln {Text(factor)} + 1)";

    private static string Text(double number) => number.ToString("R", CultureInfo.InvariantCulture);
}
