using System.Numerics.Tensors;
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
            float scale = 1 / MathF.Sqrt((FixedOrder.Dot(row, row) / width) + epsilon);
            TensorPrimitives.Multiply(row, scale, result);
            TensorPrimitives.Multiply(result, weight, result);
        }
    }
}
