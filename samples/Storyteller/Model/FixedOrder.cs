using System.Numerics;
using System.Runtime.InteropServices;

namespace Storyteller.Model;

/// <summary>
/// Reductions in one order that depends on the length alone. TensorPrimitives' reductions start at an aligned address, so that the same
/// row gives other last bits in another buffer, and a story could depend on how its prompt was cut.
/// </summary>
internal static class FixedOrder
{
    /// <summary>The dot product of two rows of the same length.</summary>
    public static float Dot(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Length, y.Length);
        ReadOnlySpan<Vector<float>> xs = MemoryMarshal.Cast<float, Vector<float>>(x);
        ReadOnlySpan<Vector<float>> ys = MemoryMarshal.Cast<float, Vector<float>>(y);
        Vector<float> sum0 = default, sum1 = default, sum2 = default, sum3 = default;
        int i = 0;
        for (; i <= xs.Length - 4; i += 4)
        {
            sum0 = Vector.FusedMultiplyAdd(xs[i], ys[i], sum0);
            sum1 = Vector.FusedMultiplyAdd(xs[i + 1], ys[i + 1], sum1);
            sum2 = Vector.FusedMultiplyAdd(xs[i + 2], ys[i + 2], sum2);
            sum3 = Vector.FusedMultiplyAdd(xs[i + 3], ys[i + 3], sum3);
        }

        for (; i < xs.Length; i++)
        {
            sum0 = Vector.FusedMultiplyAdd(xs[i], ys[i], sum0);
        }

        float sum = Vector.Sum(sum0 + sum1 + (sum2 + sum3));
        for (int rest = xs.Length * Vector<float>.Count; rest < x.Length; rest++)
        {
            sum = MathF.FusedMultiplyAdd(x[rest], y[rest], sum);
        }

        return sum;
    }
}
