namespace MlaGen.Runtime;

/// <summary>
/// Converts between e4m3fn and float: sign, four exponent bits of bias 7, three mantissa bits. There are denormals (down to 2⁻⁹) but no
/// infinities; 0x7F and 0xFF are NaN, and the largest value is 448 (Micikevicius et al., "FP8 formats for deep learning", 2022).
/// </summary>
internal static class Float8E4M3
{
    /// <summary>Bits from a code's place in an integer to that in a float.</summary>
    internal const int MantissaShift = 23 - 3;

    /// <summary>Magnitude of a code at its place in a float.</summary>
    internal const uint MovedMagnitude = NaN << MantissaShift;

    /// <summary>The same with the sign, at a float's.</summary>
    internal const uint MovedCode = MovedMagnitude | 0x8000_0000;

    /// <summary>Takes an exponent field of bias 7 to one of bias 127; exact, for denormals too.</summary>
    internal const float Rebias = 1.329227995784916e+36f;

    /// <summary>What takes the exponent of a normal number, at its place in a float, to a float's.</summary>
    internal const uint MovedBiasDifference = BiasDifference << 23;

    /// <summary>The bits of <see cref="SmallestNormal"/> as a float: put in front of a denormal's mantissa, they add this much to it.</summary>
    internal const uint MovedSmallestNormal = (BiasDifference + 1) << 23;

    /// <summary>The smallest number that is no denormal.</summary>
    internal const float SmallestNormal = 1f / (1 << 6);

    private const int BiasDifference = 127 - 7;
    private const byte Sign = 0x80;
    private const byte NaN = 0x7F;

    // The distance between floats from here to twice this is 2⁻⁹, the smallest e4m3 denormal: adding it rounds to a whole number of them.
    private const float DenormalRounder = 1 << 14;

    /// <summary>The value of a code; exact.</summary>
    public static float ToSingle(byte code)
    {
        int magnitude = code & NaN;
        float value = magnitude == NaN ? float.NaN : BitConverter.Int32BitsToSingle(magnitude << MantissaShift) * Rebias;
        return (code & Sign) != 0 ? -value : value;
    }

    /// <summary>The code nearest to a value, ties to even. What rounds beyond 448 becomes NaN, as there is no infinity.</summary>
    public static byte FromSingle(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        byte sign = (byte)((bits >> 24) & Sign);
        bits &= 0x7FFF_FFFF;
        float magnitude = BitConverter.UInt32BitsToSingle(bits);
        if (magnitude < SmallestNormal)
        {
            uint denormals = BitConverter.SingleToUInt32Bits(magnitude + DenormalRounder) - BitConverter.SingleToUInt32Bits(DenormalRounder);
            return (byte)(sign | denormals);
        }

        uint rounded = (bits + ((1u << (MantissaShift - 1)) - 1) + ((bits >> MantissaShift) & 1)) >> MantissaShift;
        return (byte)(sign | Math.Min(rounded - (BiasDifference << 3), NaN));
    }
}
