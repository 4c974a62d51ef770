using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>Root mean square norm, as transformers' <c>DeepseekV3RMSNorm</c>.</summary>
internal static class RmsNorm
{
    /// <summary><c>result = values / sqrt(mean(values²) + epsilon) · weight · scale</c>; may work in place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Apply(ReadOnlySpan<float> values, ReadOnlySpan<float> weight, double epsilon, float scale, Span<float> result)
    {
        // Four sums beside each other, always the same four: order must not depend on where the values lie.
        double sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
        int i = 0;
        for (; i + 4 <= values.Length; i += 4)
        {
            sum0 += (double)values[i] * values[i];
            sum1 += (double)values[i + 1] * values[i + 1];
            sum2 += (double)values[i + 2] * values[i + 2];
            sum3 += (double)values[i + 3] * values[i + 3];
        }

        for (; i < values.Length; i++)
        {
            sum0 += (double)values[i] * values[i];
        }

        float factor = (float)(1 / Math.Sqrt((((sum0 + sum1) + (sum2 + sum3)) / values.Length) + epsilon));
        weight = weight[..values.Length];
        result = result[..values.Length];
        for (i = 0; i < values.Length; i++)
        {
            result[i] = values[i] * factor * weight[i] * scale;
        }
    }
}
