using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>Norm by mean and variance, as torch's <c>LayerNorm</c>.</summary>
internal static class LayerNorm
{
    /// <summary><c>values = (values - mean) / sqrt(variance + epsilon) · weight + bias</c>, in place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Apply(Span<float> values, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, double epsilon)
    {
        double sum = 0;
        foreach (float value in values)
        {
            sum += value;
        }

        double mean = sum / values.Length;
        double squares = 0;
        foreach (float value in values)
        {
            squares += (value - mean) * (value - mean);
        }

        double factor = 1 / Math.Sqrt((squares / values.Length) + epsilon);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)(((values[i] - mean) * factor * weight[i]) + bias[i]);
        }
    }
}
