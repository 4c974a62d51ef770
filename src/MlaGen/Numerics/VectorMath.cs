using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MlaGen.Runtime;

/// <summary>
/// The exponential of the kernels' softmax. Every lane of every width does the same operations in the same order, so that a value does not
/// depend on where in a vector it stands. Within 2 ulp for arguments up to 0; exactly 1 at 0; 0 below the smallest normal result.
/// </summary>
/// <remarks>Cody-Waite reduction by ln 2 and a polynomial of degree six on [-ln2/2, ln2/2].</remarks>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class VectorMath
{
    private const float Log2E = 1.44269504f;

    // Adding 1.5 * 2^23 rounds to an integer and leaves that integer in the low bits.
    private const float RoundingShift = 12582912f;

    // ln 2 in two parts; the first has few enough bits that its product with an exponent is exact.
    private const float Ln2High = 0.693359375f;
    private const float Ln2Low = -2.12194440e-4f;

    // Below this the result would be subnormal.
    private const float Underflow = -87.33654f;

    private const float C2 = 0.5f;
    private const float C3 = 0.16666665459f;
    private const float C4 = 0.04166579619f;
    private const float C5 = 0.00833345205f;
    private const float C6 = 0.00139819994f;
    private const float C7 = 0.000198756914f;

    /// <summary>e^x of each lane, for x up to 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        Vector512<float> shifted = Vector512.MultiplyAddEstimate(x, Vector512.Create(Log2E), Vector512.Create(RoundingShift));
        Vector512<float> exponent = shifted - Vector512.Create(RoundingShift);
        Vector512<float> r = Vector512.MultiplyAddEstimate(exponent, Vector512.Create(-Ln2High), x);
        r = Vector512.MultiplyAddEstimate(exponent, Vector512.Create(-Ln2Low), r);
        Vector512<float> p = Vector512.MultiplyAddEstimate(Vector512.Create(C7), r, Vector512.Create(C6));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(C5));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(C4));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(C3));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(C2));
        p = Vector512.MultiplyAddEstimate(p, r * r, r) + Vector512<float>.One;
        Vector512<float> scaled = (p.AsInt32() + (shifted.AsInt32() << 23)).AsSingle();
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(Underflow)), Vector512<float>.Zero, scaled);
    }

    /// <summary>e^x of each lane, for x up to 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> x)
    {
        Vector256<float> shifted = Vector256.MultiplyAddEstimate(x, Vector256.Create(Log2E), Vector256.Create(RoundingShift));
        Vector256<float> exponent = shifted - Vector256.Create(RoundingShift);
        Vector256<float> r = Vector256.MultiplyAddEstimate(exponent, Vector256.Create(-Ln2High), x);
        r = Vector256.MultiplyAddEstimate(exponent, Vector256.Create(-Ln2Low), r);
        Vector256<float> p = Vector256.MultiplyAddEstimate(Vector256.Create(C7), r, Vector256.Create(C6));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(C5));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(C4));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(C3));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(C2));
        p = Vector256.MultiplyAddEstimate(p, r * r, r) + Vector256<float>.One;
        Vector256<float> scaled = (p.AsInt32() + (shifted.AsInt32() << 23)).AsSingle();
        return Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256.Create(Underflow)), Vector256<float>.Zero, scaled);
    }

    /// <summary>e^x of each lane, for x up to 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Exp(Vector128<float> x)
    {
        Vector128<float> shifted = Vector128.MultiplyAddEstimate(x, Vector128.Create(Log2E), Vector128.Create(RoundingShift));
        Vector128<float> exponent = shifted - Vector128.Create(RoundingShift);
        Vector128<float> r = Vector128.MultiplyAddEstimate(exponent, Vector128.Create(-Ln2High), x);
        r = Vector128.MultiplyAddEstimate(exponent, Vector128.Create(-Ln2Low), r);
        Vector128<float> p = Vector128.MultiplyAddEstimate(Vector128.Create(C7), r, Vector128.Create(C6));
        p = Vector128.MultiplyAddEstimate(p, r, Vector128.Create(C5));
        p = Vector128.MultiplyAddEstimate(p, r, Vector128.Create(C4));
        p = Vector128.MultiplyAddEstimate(p, r, Vector128.Create(C3));
        p = Vector128.MultiplyAddEstimate(p, r, Vector128.Create(C2));
        p = Vector128.MultiplyAddEstimate(p, r * r, r) + Vector128<float>.One;
        Vector128<float> scaled = (p.AsInt32() + (shifted.AsInt32() << 23)).AsSingle();
        return Vector128.ConditionalSelect(Vector128.LessThan(x, Vector128.Create(Underflow)), Vector128<float>.Zero, scaled);
    }

    /// <summary>e^x, for x up to 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Exp(float x)
    {
        float shifted = float.MultiplyAddEstimate(x, Log2E, RoundingShift);
        float exponent = shifted - RoundingShift;
        float r = float.MultiplyAddEstimate(exponent, -Ln2High, x);
        r = float.MultiplyAddEstimate(exponent, -Ln2Low, r);
        float p = float.MultiplyAddEstimate(C7, r, C6);
        p = float.MultiplyAddEstimate(p, r, C5);
        p = float.MultiplyAddEstimate(p, r, C4);
        p = float.MultiplyAddEstimate(p, r, C3);
        p = float.MultiplyAddEstimate(p, r, C2);
        p = float.MultiplyAddEstimate(p, r * r, r) + 1f;
        float scaled = BitConverter.Int32BitsToSingle(unchecked(BitConverter.SingleToInt32Bits(p) + (BitConverter.SingleToInt32Bits(shifted) << 23)));
        return x < Underflow ? 0f : scaled;
    }
}
