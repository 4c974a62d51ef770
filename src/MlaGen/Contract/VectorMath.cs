using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MlaGen.Runtime;

/// <summary>
/// The exponential of the kernels' softmax. Every lane of every width does the same operations in the same order, so that a value does not
/// depend on where in a vector it stands. Exactly 1 at 0, 0 below the smallest normal result; the relative error grows from 2e-7 near 0 to 5e-7 at -87.
/// What is not a number stays so: the power of two is multiplied, and not added to the exponent's bits, which would make a number of some NaNs.
/// </summary>
/// <remarks>Reduction by ln 2 and a polynomial of degree five on [-ln2/2, ln2/2].</remarks>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class VectorMath
{
    private const float Log2E = 1.44269504f;

    // Adding 1.5 * 2^23 rounds to an integer and leaves that integer in the low bits; with the exponents' bias, a shift makes it a power of two.
    private const float RoundingShift = 12582912f + 127;

    // One constant, not two: fused, its rounding costs 2e-9 for each power of two, and 16 registers are just enough for what remains.
    private const float Ln2 = 0.693147181f;

    // Below this the result would be subnormal.
    private const float Underflow = -87.33654f;

    // Least greatest relative error of 1 + r + r² (C2 + C3 r + C4 r² + C5 r³) on the interval: 1e-07.
    private const float C2 = 0.4999923f;
    private const float C3 = 0.16667116f;
    private const float C4 = 0.041890334f;
    private const float C5 = 0.008312503f;

    /// <summary>e^x of each lane, for x up to 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        Vector512<float> shifted = Vector512.MultiplyAddEstimate(x, Vector512.Create(Log2E), Vector512.Create(RoundingShift));
        Vector512<float> exponent = shifted - Vector512.Create(RoundingShift);
        Vector512<float> r = Vector512.MultiplyAddEstimate(exponent, Vector512.Create(-Ln2), x);
        Vector512<float> p = Vector512.MultiplyAddEstimate(Vector512.Create(C5), r, Vector512.Create(C4));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(C3));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(C2));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512<float>.One);
        p = Vector512.MultiplyAddEstimate(p, r, Vector512<float>.One);
        Vector512<float> scaled = p * (shifted.AsInt32() << 23).AsSingle();
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(Underflow)), Vector512<float>.Zero, scaled);
    }

    /// <summary>e^x of each lane, for x up to 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> x)
    {
        Vector256<float> shifted = Vector256.MultiplyAddEstimate(x, Vector256.Create(Log2E), Vector256.Create(RoundingShift));
        Vector256<float> exponent = shifted - Vector256.Create(RoundingShift);
        Vector256<float> r = Vector256.MultiplyAddEstimate(exponent, Vector256.Create(-Ln2), x);
        Vector256<float> p = Vector256.MultiplyAddEstimate(Vector256.Create(C5), r, Vector256.Create(C4));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(C3));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(C2));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256<float>.One);
        p = Vector256.MultiplyAddEstimate(p, r, Vector256<float>.One);
        Vector256<float> scaled = p * (shifted.AsInt32() << 23).AsSingle();
        return Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256.Create(Underflow)), Vector256<float>.Zero, scaled);
    }

    /// <summary>e^x of each lane, for x up to 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Exp(Vector128<float> x)
    {
        Vector128<float> shifted = Vector128.MultiplyAddEstimate(x, Vector128.Create(Log2E), Vector128.Create(RoundingShift));
        Vector128<float> exponent = shifted - Vector128.Create(RoundingShift);
        Vector128<float> r = Vector128.MultiplyAddEstimate(exponent, Vector128.Create(-Ln2), x);
        Vector128<float> p = Vector128.MultiplyAddEstimate(Vector128.Create(C5), r, Vector128.Create(C4));
        p = Vector128.MultiplyAddEstimate(p, r, Vector128.Create(C3));
        p = Vector128.MultiplyAddEstimate(p, r, Vector128.Create(C2));
        p = Vector128.MultiplyAddEstimate(p, r, Vector128<float>.One);
        p = Vector128.MultiplyAddEstimate(p, r, Vector128<float>.One);
        Vector128<float> scaled = p * (shifted.AsInt32() << 23).AsSingle();
        return Vector128.ConditionalSelect(Vector128.LessThan(x, Vector128.Create(Underflow)), Vector128<float>.Zero, scaled);
    }

    /// <summary>1 / (1 + e^-x) of each lane, for any x: of both signs from the exponential that does not overflow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<float> Sigmoid(Vector512<float> x)
    {
        Vector512<float> e = Exp(-Vector512.Abs(x));
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512<float>.Zero), e, Vector512<float>.One) / (Vector512<float>.One + e);
    }

    /// <summary>1 / (1 + e^-x) of each lane, for any x: of both signs from the exponential that does not overflow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<float> Sigmoid(Vector256<float> x)
    {
        Vector256<float> e = Exp(-Vector256.Abs(x));
        return Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256<float>.Zero), e, Vector256<float>.One) / (Vector256<float>.One + e);
    }

    /// <summary>1 / (1 + e^-x) of each lane, for any x: of both signs from the exponential that does not overflow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<float> Sigmoid(Vector128<float> x)
    {
        Vector128<float> e = Exp(-Vector128.Abs(x));
        return Vector128.ConditionalSelect(Vector128.LessThan(x, Vector128<float>.Zero), e, Vector128<float>.One) / (Vector128<float>.One + e);
    }

    /// <summary>1 / (1 + e^-x), for any x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float Sigmoid(float x)
    {
        float e = Exp(-MathF.Abs(x));
        return (x < 0 ? e : 1) / (1 + e);
    }

    /// <summary>The sum of the lanes of each of four vectors, in a fixed order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sums(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d)
        => Sums(a.GetLower() + a.GetUpper(), b.GetLower() + b.GetUpper(), c.GetLower() + c.GetUpper(), d.GetLower() + d.GetUpper());

    /// <summary>The sum of the lanes of each of four vectors, in a fixed order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sums(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d)
        => Sums(a.GetLower() + a.GetUpper(), b.GetLower() + b.GetUpper(), c.GetLower() + c.GetUpper(), d.GetLower() + d.GetUpper());

    /// <summary>The sum of the lanes of each of four vectors, in a fixed order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<float> Sums(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d)
    {
        Vector128<float> ab = Halved(a, b);
        Vector128<float> cd = Halved(c, d);

        // Put together of halves they would go through memory, in pieces that a processor does not forward.
        return Sse.IsSupported
            ? Sse.MoveLowToHigh(ab, cd) + Sse.MoveHighToLow(cd, ab)
            : Vector128.Create(ab.GetLower(), cd.GetLower()) + Vector128.Create(ab.GetUpper(), cd.GetUpper());

        // Two sums of a, two of b: a0 + a2, b0 + b2, a1 + a3, b1 + b3.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static Vector128<float> Halved(Vector128<float> a, Vector128<float> b) => PanelPacking.InterleaveLower(a, b) + PanelPacking.InterleaveUpper(a, b);
    }

    /// <summary>e^x, for x up to 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Exp(float x)
    {
        float shifted = float.MultiplyAddEstimate(x, Log2E, RoundingShift);
        float exponent = shifted - RoundingShift;
        float r = float.MultiplyAddEstimate(exponent, -Ln2, x);
        float p = float.MultiplyAddEstimate(C5, r, C4);
        p = float.MultiplyAddEstimate(p, r, C3);
        p = float.MultiplyAddEstimate(p, r, C2);
        p = float.MultiplyAddEstimate(p, r, 1f);
        p = float.MultiplyAddEstimate(p, r, 1f);
        float scaled = p * BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(shifted) << 23);
        return x < Underflow ? 0f : scaled;
    }
}
