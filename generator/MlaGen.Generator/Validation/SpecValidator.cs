using System.Globalization;
using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Validation;

/// <summary>From a specification to what is wrong with it: a pure function, shared by the analyzer, which reports, and the generator, which leaves the class out.</summary>
internal static class SpecValidator
{
    /// <param name="spec">The specification, defaults and configuration included.</param>
    /// <param name="written">What the attribute itself sets: only that can be reproached with having no effect.</param>
    public static IEnumerable<Problem> Validate(MlaSpec spec, MlaSettings written)
    {
        List<Problem> dimensions = [.. MissingDimensions(spec, written), .. DimensionProblems(spec, written)];
        IEnumerable<Problem> projections = dimensions.Count == 0 ? ProjectionProblems(spec) : [];
        List<Problem> problems = [.. dimensions, .. projections, .. NumberProblems(spec), .. FormatProblems(spec), .. GateValidator.Validate(spec, written), .. RopeValidator.Validate(spec, written)];
        return problems.Count == 0 ? ConstantsValidator.Validate(spec) : problems;
    }

    /// <summary>Invariant text of a number, as short as round-tripping allows.</summary>
    internal static string Text(double number) => number.ToString("R", CultureInfo.InvariantCulture);

    internal static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static IEnumerable<Problem> MissingDimensions(MlaSpec spec, MlaSettings written)
    {
        if (IsMissing(spec.Dimensions.HiddenSize, written.HiddenSize))
        {
            yield return Problem.OnClass(Rules.MissingDimension, spec.Target.Name, nameof(Dimensions.HiddenSize), "hidden_size");
        }

        if (IsMissing(spec.Dimensions.Heads, written.Heads))
        {
            yield return Problem.OnClass(Rules.MissingDimension, spec.Target.Name, nameof(Dimensions.Heads), "num_attention_heads");
        }
    }

    // A required dimension that nobody gave is 0; a zero that somebody wrote is a dimension too small.
    private static bool IsMissing(int value, int? written) => value == 0 && written is null;

    private static IEnumerable<Problem> DimensionProblems(MlaSpec spec, MlaSettings written)
    {
        Dimensions shape = spec.Dimensions;
        (string Property, int Value, int Least, int Most)[] ranges =
        [
            (nameof(shape.HiddenSize), shape.HiddenSize, 1, Limits.HiddenSize),
            (nameof(shape.Heads), shape.Heads, 1, Limits.Heads),
            (nameof(shape.QLoraRank), shape.QLoraRank, 0, Limits.LoraRank),
            (nameof(shape.KvLoraRank), shape.KvLoraRank, 1, Limits.KvLoraRank),
            (nameof(shape.QkNopeHeadDim), shape.QkNopeHeadDim, 1, Limits.HeadDim),
            (nameof(shape.QkRopeHeadDim), shape.QkRopeHeadDim, 0, Limits.HeadDim),
            (nameof(shape.VHeadDim), shape.VHeadDim, 1, Limits.HeadDim),
            (nameof(shape.MaxPositionEmbeddings), shape.MaxPositionEmbeddings, 1, Limits.Positions),
        ];
        foreach ((string property, int value, int least, int most) in ranges)
        {
            bool isMissing = (property == nameof(shape.HiddenSize) && IsMissing(value, written.HiddenSize)) || (property == nameof(shape.Heads) && IsMissing(value, written.Heads));
            if (value < least && !isMissing)
            {
                yield return Problem.At(property, Rules.DimensionTooSmall, property, Text(value), Text(least));
            }
            else if (value > most)
            {
                yield return Problem.At(property, Rules.DimensionTooLarge, property, Text(value), Text(most));
            }
        }

        if (shape.QkRopeHeadDim % 2 != 0)
        {
            yield return Problem.At(nameof(shape.QkRopeHeadDim), Rules.OddRopeDimension, Text(shape.QkRopeHeadDim));
        }

        if (spec.ScaleQLora && shape.QLoraRank == 0)
        {
            yield return Problem.At(nameof(spec.ScaleQLora), Rules.ScaleWithoutQueryLatent);
        }
    }

    private static IEnumerable<Problem> ProjectionProblems(MlaSpec spec)
    {
        Dimensions shape = spec.Dimensions;
        (string Projection, long Rows, int Columns)[] projections =
        [
            shape.QLoraRank == 0
                ? ("QProj with Heads · (QkNopeHeadDim + QkRopeHeadDim) · HiddenSize", (long)shape.Heads * shape.QkHeadDim, shape.HiddenSize)
                : spec.OutputGate == OutputGate.Query
                    ? ("QBProj with Heads · (QkNopeHeadDim + QkRopeHeadDim + VHeadDim) · 2 · QLoraRank", (long)shape.Heads * (shape.QkHeadDim + shape.VHeadDim), 2 * shape.QLoraRank)
                    : ("QBProj with Heads · (QkNopeHeadDim + QkRopeHeadDim) · QLoraRank", (long)shape.Heads * shape.QkHeadDim, shape.QLoraRank),
            ("QAProj with QLoraRank · HiddenSize", shape.QLoraRank, shape.HiddenSize),
            ("KvBProj with Heads · (QkNopeHeadDim + VHeadDim) · KvLoraRank", (long)shape.Heads * (shape.QkNopeHeadDim + shape.VHeadDim), shape.KvLoraRank),
            ("OProj with HiddenSize · Heads · VHeadDim", (long)shape.Heads * shape.VHeadDim, shape.HiddenSize),
        ];
        foreach ((string projection, long rows, int columns) in projections)
        {
            if (rows * columns > Limits.ProjectionElements)
            {
                yield return Problem.At(nameof(shape.Heads), Rules.DimensionTooLarge, $"The number of elements of {projection}", Text(rows * columns), Text(Limits.ProjectionElements));
            }
        }
    }

    private static IEnumerable<Problem> NumberProblems(MlaSpec spec)
    {
        // The kernels compute in float32: a number that vanishes or overflows there is none.
        if (!((float)spec.LatentNormEpsilon > 0 && IsFinite((float)spec.LatentNormEpsilon)))
        {
            yield return Problem.At(nameof(spec.LatentNormEpsilon), Rules.UnusableNumber, nameof(spec.LatentNormEpsilon), Text(spec.LatentNormEpsilon), "a positive number within the range of float");
        }

        if (spec.SoftmaxScaleOverride is { } scale && !((float)scale > 0 && IsFinite((float)scale)))
        {
            yield return Problem.At(nameof(MlaSettings.SoftmaxScale), Rules.UnusableNumber, nameof(MlaSettings.SoftmaxScale), Text(scale), "a positive number within the range of float, or 0 to derive it");
        }

        if (!(spec.Llama4ScalingBeta >= 0 && IsFinite((float)spec.Llama4ScalingBeta)))
        {
            yield return Problem.At(nameof(spec.Llama4ScalingBeta), Rules.UnusableNumber, nameof(spec.Llama4ScalingBeta), Text(spec.Llama4ScalingBeta), "a positive number within the range of float, or 0 for none");
        }
    }

    private static IEnumerable<Problem> FormatProblems(MlaSpec spec)
    {
        if (!Enum.IsDefined(typeof(CacheFormat), spec.CacheFormat))
        {
            string[] formats = Enum.GetNames(typeof(CacheFormat));
            yield return Problem.At(nameof(spec.CacheFormat), Rules.UnusableNumber, nameof(spec.CacheFormat), Text((int)spec.CacheFormat), $"{string.Join(", ", formats.Take(formats.Length - 1))} or {formats[formats.Length - 1]}");
        }
    }

    internal static bool IsFinite(float value) => !float.IsNaN(value) && !float.IsInfinity(value);
}
