using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using MlaGen;

namespace Storyteller.Model;

/// <summary>Root-mean-square norm (transformers' <c>DeepseekV3RMSNorm</c>): <c>x / sqrt(mean(x²) + epsilon) · weight</c>, row by row.</summary>
internal sealed class RmsNorm(float[] weight, float epsilon)
{
    public static RmsNorm Load(ICheckpoint checkpoint, string name, int width, float epsilon) =>
        new(Tensors.Read(checkpoint, name, width), epsilon);

    /// <summary>Normalises rows of the weight's width; <paramref name="y"/> may be <paramref name="x"/>.</summary>
    public void Forward(ReadOnlySpan<float> x, Span<float> y)
    {
        int width = weight.Length;
        for (int start = 0; start < x.Length; start += width)
        {
            ReadOnlySpan<float> row = x.Slice(start, width);
            Span<float> result = y.Slice(start, width);
            float scale = 1 / MathF.Sqrt((SumOfSquares(row) / width) + epsilon);
            TensorPrimitives.Multiply(row, scale, result);
            TensorPrimitives.Multiply(result, weight, result);
        }
    }

    /// <summary>
    /// Sums in an order that depends on the length alone. TensorPrimitives' sums begin at an aligned address, so that the same row would
    /// give other last bits in another buffer.
    /// </summary>
    private static float SumOfSquares(ReadOnlySpan<float> values)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        Vector<float> sums = default;
        foreach (Vector<float> vector in vectors)
        {
            sums += vector * vector;
        }

        float sum = Vector.Sum(sums);
        foreach (float value in values[(vectors.Length * Vector<float>.Count)..])
        {
            sum += value * value;
        }

        return sum;
    }
}
