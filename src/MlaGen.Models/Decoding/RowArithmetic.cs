using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using MlaGen.Runtime;

namespace MlaGen.Models;

/// <summary>
/// Arithmetic on rows whose bits depend on the row alone. TensorPrimitives' sums begin at an aligned address, and its exponential has other last bits
/// in the remainder of a span than before it: the same row would come out differently among others.
/// </summary>
internal static class RowArithmetic
{
    /// <summary>Sums in an order that depends on the length alone.</summary>
    public static float SumOfSquares(ReadOnlySpan<float> values)
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

    /// <summary>Writes <c>gate · sigmoid(gate) · up</c> over the gates.</summary>
    /// <param name="gates">Any number of values.</param>
    /// <param name="ups">As many.</param>
    /// <param name="limit">Gates are cut off above it, the others at both ends; infinity for no limit.</param>
    public static void SwiGlu(Span<float> gates, ReadOnlySpan<float> ups, float limit = float.PositiveInfinity)
    {
        int done = 0;
        for (; done <= gates.Length - Vector256<float>.Count; done += Vector256<float>.Count)
        {
            SwiGlu(Vector256.Create<float>(gates[done..]), Vector256.Create<float>(ups[done..]), limit).CopyTo(gates[done..]);
        }

        if (done < gates.Length)
        {
            Span<float> gate = stackalloc float[Vector256<float>.Count];
            Span<float> up = stackalloc float[Vector256<float>.Count];
            gates[done..].CopyTo(gate);
            ups[done..].CopyTo(up);
            SwiGlu(gate, up, limit);
            gate[..(gates.Length - done)].CopyTo(gates[done..]);
        }
    }

    /// <summary>Writes <c>1 / (1 + exp(-x))</c> over every value.</summary>
    public static void Sigmoid(Span<float> values)
    {
        foreach (ref float value in values)
        {
            value = Sigmoid(value);
        }
    }

    /// <summary>The logistic function.</summary>
    public static float Sigmoid(float value) => 1 / (1 + MathF.Exp(-value));

    private static Vector256<float> SwiGlu(Vector256<float> gate, Vector256<float> up, float limit)
    {
        if (float.IsFinite(limit))
        {
            gate = Vector256.Min(gate, Vector256.Create(limit));
            up = Vector256.Max(Vector256.Min(up, Vector256.Create(limit)), Vector256.Create(-limit));
        }

        return gate / (Vector256<float>.One + VectorMath.Exp(-gate)) * up;
    }
}
