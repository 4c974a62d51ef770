using System.Numerics.Tensors;

namespace MlaGen.Tests.Oracles;

/// <summary>The few operations the oracles are made of, in double precision.</summary>
internal static class OracleMath
{
    public static double[] Widen(ReadOnlySpan<float> values)
    {
        var wide = new double[values.Length];
        TensorPrimitives.ConvertTruncating(values, wide);
        return wide;
    }

    /// <summary><c>input [rows, columns] · weightᵀ [outputs, columns] + bias</c>, giving <c>[rows, outputs]</c>.</summary>
    public static double[] Linear(double[] input, int columns, float[] weight, float[]? bias = null)
    {
        int rows = input.Length / columns;
        int outputs = weight.Length / columns;
        var result = new double[rows * outputs];
        Parallel.For(0, outputs, () => new double[columns], (output, _, wide) =>
        {
            TensorPrimitives.ConvertTruncating(weight.AsSpan(output * columns, columns), wide);
            for (int row = 0; row < rows; row++)
            {
                double sum = TensorPrimitives.Dot(input.AsSpan(row * columns, columns), wide);
                result[(row * outputs) + output] = sum + (bias?[output] ?? 0);
            }

            return wide;
        }, _ => { });
        return result;
    }

    /// <summary>Root-mean-square norm of each row of <paramref name="width"/> elements, in place.</summary>
    public static void Normalise(Span<double> rows, int width, float[] weight, double epsilon, double scale)
    {
        for (int start = 0; start < rows.Length; start += width)
        {
            Span<double> row = rows.Slice(start, width);
            double inverse = 1 / Math.Sqrt((TensorPrimitives.SumOfSquares<double>(row) / width) + epsilon);
            for (int i = 0; i < width; i++)
            {
                row[i] *= inverse * weight[i] * scale;
            }
        }
    }

    /// <summary>Softmax in place; the natural logarithm of the sum of exponentials comes back, negative infinity for no scores.</summary>
    public static double Softmax(Span<double> scores)
    {
        if (scores.IsEmpty)
        {
            return double.NegativeInfinity;
        }

        double maximum = TensorPrimitives.Max<double>(scores);
        double sum = 0;
        foreach (ref double score in scores)
        {
            score = Math.Exp(score - maximum);
            sum += score;
        }

        TensorPrimitives.Divide(scores, sum, scores);
        return maximum + Math.Log(sum);
    }

    /// <summary><c>destination += factor · values</c>.</summary>
    public static void AddScaled(ReadOnlySpan<double> values, double factor, Span<double> destination)
        => TensorPrimitives.MultiplyAdd(values, factor, destination, destination);

    /// <summary>The largest magnitude, 0 of nothing.</summary>
    public static double MaxMagnitude(ReadOnlySpan<double> values)
        => values.IsEmpty ? 0 : Math.Abs(TensorPrimitives.MaxMagnitude(values));
}
