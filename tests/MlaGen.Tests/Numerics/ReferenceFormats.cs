namespace MlaGen.Tests.Numerics;

/// <summary>Small float formats by their definition, in double precision: sign, exponent and mantissa, nothing of the product's code.</summary>
internal static class ReferenceFormats
{
    /// <summary>The value of a code of an IEEE-like format; the top exponent holds infinities and NaN.</summary>
    public static double Value(int code, int exponentBits, int mantissaBits)
    {
        int exponent = (code >> mantissaBits) & ((1 << exponentBits) - 1);
        int mantissa = code & ((1 << mantissaBits) - 1);
        if (exponent == (1 << exponentBits) - 1)
        {
            double special = mantissa == 0 ? double.PositiveInfinity : double.NaN;
            return IsNegative(code, exponentBits, mantissaBits) ? -special : special;
        }

        return Finite(code, exponentBits, mantissaBits);
    }

    /// <summary>The value of an e4m3fn code: the top exponent is a number like any other, but for its last mantissa.</summary>
    public static double E4M3(int code) => (code & 0x7F) == 0x7F ? double.NaN : Finite(code, 4, 3);

    /// <summary>The bf16 code nearest to a finite value, ties to even, found among its neighbours by their distance.</summary>
    public static int NearestBFloat16(double value)
    {
        int sign = double.IsNegative(value) ? 0x8000 : 0;
        double magnitude = Math.Abs(value);
        int below = 0;
        for (int bit = 0x4000; bit > 0; bit >>= 1)
        {
            if ((below | bit) <= 0x7F7F && Finite(below | bit, 8, 7) <= magnitude)
            {
                below |= bit;
            }
        }

        // 0x7F80, infinity, stands where the next finite value would.
        double down = magnitude - Finite(below, 8, 7);
        double up = Finite(below + 1, 8, 7) - magnitude;
        return sign | (down < up || (down == up && below % 2 == 0) ? below : below + 1);
    }

    private static double Finite(int code, int exponentBits, int mantissaBits)
    {
        int bias = (1 << (exponentBits - 1)) - 1;
        int exponent = (code >> mantissaBits) & ((1 << exponentBits) - 1);
        double fraction = (code & ((1 << mantissaBits) - 1)) / (double)(1 << mantissaBits);
        double magnitude = exponent == 0 ? Math.ScaleB(fraction, 1 - bias) : Math.ScaleB(1 + fraction, exponent - bias);
        return IsNegative(code, exponentBits, mantissaBits) ? -magnitude : magnitude;
    }

    private static bool IsNegative(int code, int exponentBits, int mantissaBits) => ((code >> (exponentBits + mantissaBits)) & 1) != 0;
}
