using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Model;
using MlaGen.Generator.Planning;

namespace MlaGen.Generator.Validation;

/// <summary>
/// Whether the numbers that a specification leads to can be computed with: each setting may be in its range by itself, and what they make together still
/// vanish or overflow in float32, in which the kernels compute.
/// </summary>
internal static class ConstantsValidator
{
    /// <param name="spec">A specification without other problems.</param>
    public static IEnumerable<Problem> Validate(MlaSpec spec)
    {
        RopeConstants constants = RopeConstants.For(spec);
        for (int i = 0; i < constants.InverseFrequencies.Count; i++)
        {
            if (!IsUsable(constants.InverseFrequencies[i]))
            {
                string property = spec.Rope.Scaling switch
                {
                    RopeScaling.LongRope => nameof(MlaSettings.ShortFactor),
                    RopeScaling.Yarn => nameof(MlaSettings.RopeFactor),
                    _ => nameof(MlaSettings.RopeTheta),
                };
                yield return Unusable(property, $"The frequency of rotated pair {SpecValidator.Text(i)}", constants.InverseFrequencies[i], constants.FrequencyDerivation);
                break;
            }
        }

        if (!IsUsable(constants.AttentionFactor))
        {
            string property = spec.Rope.AttentionFactor != 0 ? nameof(MlaSettings.AttentionFactor) : spec.Rope.Mscale != 0 ? nameof(MlaSettings.Mscale) : nameof(MlaSettings.OriginalMaxPositionEmbeddings);
            yield return Unusable(property, "The factor on cosine and sine", constants.AttentionFactor, constants.AttentionFactorDerivation);
        }

        if (!IsUsable((float)constants.SoftmaxScale))
        {
            string property = spec.SoftmaxScaleOverride is null ? nameof(MlaSettings.MscaleAllDim) : nameof(MlaSettings.SoftmaxScale);
            yield return Unusable(property, "The softmax scale", (float)constants.SoftmaxScale, constants.SoftmaxScaleDerivation);
        }
    }

    private static bool IsUsable(float number) => number > 0 && SpecValidator.IsFinite(number);

    private static Problem Unusable(string property, string what, float number, string derivation)
        => Problem.At(property, Rules.UnusableNumber, what, SpecValidator.Text(number), $"a positive number within the range of float ({derivation})");
}
