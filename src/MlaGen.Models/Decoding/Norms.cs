using System.Numerics.Tensors;

namespace MlaGen.Models;

/// <summary>A norm: rows in, rows of the same width out.</summary>
internal interface INorm
{
    /// <summary>Normalises rows.</summary>
    /// <param name="workers">What it runs on.</param>
    /// <param name="x"><c>[rows, width]</c>.</param>
    /// <param name="y"><c>[rows, width]</c>; it may be <paramref name="x"/>.</param>
    void Forward(Workers workers, ReadOnlySpan<float> x, Span<float> y);
}

/// <summary>Root-mean-square norm (transformers' <c>DeepseekV3RMSNorm</c>): <c>x / sqrt(mean(x²) + epsilon) · weight</c>, row by row.</summary>
internal sealed class RmsNorm(float[] weight, float epsilon) : INorm
{
    public void Forward(Workers workers, ReadOnlySpan<float> x, Span<float> y)
    {
        int width = weight.Length;
        for (int start = 0; start < x.Length; start += width)
        {
            ReadOnlySpan<float> row = x.Slice(start, width);
            Span<float> result = y.Slice(start, width);
            float scale = 1 / MathF.Sqrt((RowArithmetic.SumOfSquares(row) / width) + epsilon);
            TensorPrimitives.Multiply(row, scale, result);
            TensorPrimitives.Multiply(result, weight, result);
        }
    }
}

/// <summary>A norm whose result is gated by itself through a low rank (transformers' <c>AXK2GatedNorm</c>): <c>y · sigmoid(up silu(down y))</c>.</summary>
internal sealed class GatedNorm(RmsNorm norm, Linear down, Linear up) : INorm
{
    public void Forward(Workers workers, ReadOnlySpan<float> x, Span<float> y)
    {
        int rows = x.Length / down.InFeatures;
        using RentedFloats lowScratch = new(rows * down.OutFeatures);
        using RentedFloats gateScratch = new(y.Length);
        Span<float> low = lowScratch.Span;
        Span<float> gates = gateScratch.Span;

        norm.Forward(workers, x, y);
        workers.Multiply(down, y, low, rows);
        foreach (ref float value in low)
        {
            value *= RowArithmetic.Sigmoid(value);
        }

        workers.Multiply(up, low, gates, rows);
        RowArithmetic.Sigmoid(gates);
        TensorPrimitives.Multiply(y, gates, y);
    }
}
