using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Validation;

/// <summary>What is wrong with the rotary positions of a specification.</summary>
internal static class RopeValidator
{
    public static IEnumerable<Problem> Validate(MlaSpec spec, MlaSettings written)
    {
        RopeSpec rope = spec.Rope;
        if (UnknownChoice(rope) is { } unknown)
        {
            return [unknown];
        }

        IEnumerable<Problem> problems = NumberProblems(rope).Concat(WithoutEffect(spec, written)).Concat(MissingParameters(spec));
        return rope.Scaling switch
        {
            RopeScaling.Yarn => problems.Concat(YarnProblems(spec)),
            RopeScaling.LongRope => problems.Concat(LongRopeProblems(spec)),
            _ => problems,
        };
    }

    private static Problem? UnknownChoice(RopeSpec rope)
    {
        if (rope.Layout is not (RopeLayout.Interleaved or RopeLayout.HalfSplit or RopeLayout.None))
        {
            return Unusable(nameof(MlaSettings.RopeLayout), (int)rope.Layout, "Interleaved, HalfSplit or None");
        }

        return rope.Scaling is RopeScaling.None or RopeScaling.Yarn or RopeScaling.LongRope
            ? null
            : Unusable(nameof(MlaSettings.RopeScaling), (int)rope.Scaling, "None, Yarn or LongRope");
    }

    private static IEnumerable<Problem> NumberProblems(RopeSpec rope)
    {
        if (!((float)rope.Theta > 1 && IsFloat(rope.Theta)))
        {
            yield return Unusable(nameof(MlaSettings.RopeTheta), rope.Theta, "a number above 1 within the range of float");
        }

        // YaRN's factor below 1 has a rule of its own; of LongRoPE it only says that nothing is stretched.
        (string Property, double Value)[] optional =
        [
            (nameof(MlaSettings.RopeFactor), rope.Scaling == RopeScaling.Yarn ? 0 : rope.Factor),
            (nameof(MlaSettings.Mscale), rope.Mscale),
            (nameof(MlaSettings.MscaleAllDim), rope.MscaleAllDim),
            (nameof(MlaSettings.AttentionFactor), rope.AttentionFactor),
        ];
        foreach ((string property, double value) in optional)
        {
            if (!(value >= 0 && IsFloat(value)))
            {
                yield return Unusable(property, value, "a positive number within the range of float, or 0 for none");
            }
        }

        if (rope.OriginalMaxPositionEmbeddings is < 0 or > Limits.Positions)
        {
            yield return Unusable(nameof(MlaSettings.OriginalMaxPositionEmbeddings), rope.OriginalMaxPositionEmbeddings, "1 to " + SpecValidator.Text(Limits.Positions) + ", or 0 for none");
        }
    }

    /// <summary>Settings that the chosen layout, scaling or dimension does not read: whoever wrote them expects something else of the layer.</summary>
    private static IEnumerable<Problem> WithoutEffect(MlaSpec spec, MlaSettings written)
    {
        RopeSpec rope = spec.Rope;
        string? unrotated = spec.Dimensions.QkRopeHeadDim == 0 ? "QkRopeHeadDim is 0" : rope.Layout == RopeLayout.None ? "RopeLayout is None" : null;
        if (unrotated is not null)
        {
            if (spec.Dimensions.QkRopeHeadDim == 0 && written.RopeLayout is RopeLayout.Interleaved or RopeLayout.HalfSplit)
            {
                yield return Idle(nameof(MlaSettings.RopeLayout), unrotated);
            }

            if (written.RopeTheta is not null)
            {
                yield return Idle(nameof(MlaSettings.RopeTheta), unrotated);
            }

            if (rope.Scaling != RopeScaling.None)
            {
                yield return Idle(nameof(MlaSettings.RopeScaling), unrotated);
            }
        }

        (string Property, bool IsWritten, bool IsRead, string Reader)[] parameters =
        [
            (nameof(MlaSettings.RopeFactor), written.RopeFactor is not (null or 0), rope.Scaling != RopeScaling.None, "only YaRN and LongRoPE read it"),
            (nameof(MlaSettings.BetaFast), written.BetaFast is not null, rope.Scaling == RopeScaling.Yarn, "only YaRN reads it"),
            (nameof(MlaSettings.BetaSlow), written.BetaSlow is not null, rope.Scaling == RopeScaling.Yarn, "only YaRN reads it"),
            (nameof(MlaSettings.Mscale), written.Mscale is not (null or 0), rope.Scaling == RopeScaling.Yarn, "only YaRN reads it"),
            (nameof(MlaSettings.MscaleAllDim), written.MscaleAllDim is not (null or 0), rope.Scaling == RopeScaling.Yarn, "only YaRN reads it"),
            (nameof(MlaSettings.RopeTruncate), written.RopeTruncate is not null, rope.Scaling == RopeScaling.Yarn, "only YaRN reads it"),
            (nameof(MlaSettings.AttentionFactor), written.AttentionFactor is not (null or 0), rope.Scaling != RopeScaling.None, "only YaRN and LongRoPE read it"),
            (nameof(MlaSettings.ShortFactor), written.ShortFactor is not null, rope.Scaling == RopeScaling.LongRope, "only LongRoPE reads it"),
            (nameof(MlaSettings.LongFactor), written.LongFactor is not null, rope.Scaling == RopeScaling.LongRope, "only LongRoPE reads it"),
            (nameof(MlaSettings.OriginalMaxPositionEmbeddings), written.OriginalMaxPositionEmbeddings is not (null or 0), rope.Scaling != RopeScaling.None || spec.Llama4ScalingBeta != 0, "only YaRN, LongRoPE and Llama4ScalingBeta read it"),
        ];
        foreach ((string property, bool isWritten, bool isRead, string reader) in parameters)
        {
            if (isWritten && !isRead)
            {
                yield return Idle(property, $"RopeScaling is {rope.Scaling}, and {reader}");
            }
        }
    }

    /// <summary>What the scaling is computed from and nobody has said.</summary>
    private static IEnumerable<Problem> MissingParameters(MlaSpec spec)
    {
        RopeSpec rope = spec.Rope;
        if (rope.OriginalMaxPositionEmbeddings == 0)
        {
            const string Original = "OriginalMaxPositionEmbeddings, the context length before scaling";
            if (rope.Scaling != RopeScaling.None)
            {
                yield return Problem.At(nameof(MlaSettings.RopeScaling), Rules.MissingRopeParameter, $"RopeScaling.{rope.Scaling}", Original);
            }

            if (spec.Llama4ScalingBeta != 0)
            {
                yield return Problem.At(nameof(MlaSettings.Llama4ScalingBeta), Rules.MissingRopeParameter, nameof(MlaSettings.Llama4ScalingBeta), Original);
            }
        }

        // It would be easy to derive it from MaxPositionEmbeddings, and wrong as soon as somebody limits the positions of a class.
        bool isRotated = spec.Dimensions.QkRopeHeadDim != 0 && rope.Layout != RopeLayout.None;
        bool isRead = rope.Scaling == RopeScaling.Yarn || (rope.Scaling == RopeScaling.LongRope && rope.AttentionFactor == 0);
        if (rope.Factor == 0 && isRead && isRotated)
        {
            yield return Problem.At(
                nameof(MlaSettings.RopeScaling),
                Rules.MissingRopeParameter,
                $"RopeScaling.{rope.Scaling}",
                "RopeFactor, the model's factor or its max_position_embeddings / original_max_position_embeddings, whatever number of positions the class accepts");
        }
    }

    private static IEnumerable<Problem> YarnProblems(MlaSpec spec)
    {
        RopeSpec rope = spec.Rope;
        if (rope.Factor != 0 && !(rope.Factor >= 1 && IsFloat(rope.Factor)))
        {
            yield return Problem.At(nameof(MlaSettings.RopeFactor), Rules.YarnFactor, SpecValidator.Text(rope.Factor));
        }

        bool isRange = true;
        foreach ((string property, double beta) in new[] { (nameof(MlaSettings.BetaFast), rope.BetaFast), (nameof(MlaSettings.BetaSlow), rope.BetaSlow) })
        {
            if (!(beta > 0 && IsFloat(beta)))
            {
                isRange = false;
                yield return Unusable(property, beta, "a positive number within the range of float");
            }
        }

        if (isRange && rope.BetaFast < rope.BetaSlow)
        {
            yield return Problem.At(nameof(MlaSettings.BetaFast), Rules.YarnRange, SpecValidator.Text(rope.BetaFast), SpecValidator.Text(rope.BetaSlow));
        }
    }

    private static IEnumerable<Problem> LongRopeProblems(MlaSpec spec)
    {
        RopeSpec rope = spec.Rope;
        int pairs = spec.Dimensions.QkRopeHeadDim / 2;
        bool isComplete = true;
        foreach ((string property, EquatableArray<double> factors) in new[] { (nameof(MlaSettings.ShortFactor), rope.ShortFactor), (nameof(MlaSettings.LongFactor), rope.LongFactor) })
        {
            if (factors.Count != pairs)
            {
                isComplete = false;
                yield return Problem.At(property, Rules.LongRopeFactorCount, property, Counted.Of(factors.Count, "element"), SpecValidator.Text(pairs));
            }

            for (int i = 0; i < factors.Count; i++)
            {
                if (!((float)factors[i] > 0 && IsFloat(factors[i])))
                {
                    yield return Problem.At(property, Rules.UnusableNumber, $"{property}[{SpecValidator.Text(i)}]", SpecValidator.Text(factors[i]), "a positive number within the range of float");
                }
            }
        }

        // The factor on cosine and sine divides by the logarithm of the original context.
        if (rope is { AttentionFactor: 0, Factor: > 1, OriginalMaxPositionEmbeddings: 1 })
        {
            yield return Unusable(nameof(MlaSettings.OriginalMaxPositionEmbeddings), 1, "2 or more, or an AttentionFactor beside it");
        }

        // Which set of factors is right depends on the positions that come to be, so here the class's limit does count.
        if (!isComplete || spec.Dimensions.MaxPositionEmbeddings <= rope.OriginalMaxPositionEmbeddings || rope.OriginalMaxPositionEmbeddings <= 0)
        {
            yield break;
        }

        for (int i = 0; i < pairs; i++)
        {
            if (!rope.ShortFactor[i].Equals(rope.LongFactor[i]))
            {
                yield return Problem.At(
                    nameof(MlaSettings.LongFactor),
                    Rules.DynamicLongRope,
                    SpecValidator.Text(i),
                    SpecValidator.Text(spec.Dimensions.MaxPositionEmbeddings),
                    SpecValidator.Text(rope.OriginalMaxPositionEmbeddings));
                yield break;
            }
        }
    }

    private static bool IsFloat(double value) => SpecValidator.IsFinite((float)value);

    private static Problem Unusable(string property, double value, string expected)
        => Problem.At(property, Rules.UnusableNumber, property, SpecValidator.Text(value), expected);

    private static Problem Idle(string property, string because) => Problem.At(property, Rules.SettingWithoutEffect, property, because);
}
