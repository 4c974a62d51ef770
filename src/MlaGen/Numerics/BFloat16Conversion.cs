namespace MlaGen.Runtime;

/// <summary>Converts between bf16, the upper half of a float, and float.</summary>
internal static class BFloat16Conversion
{
    /// <summary>The value of a code; exact.</summary>
    public static float ToSingle(ushort code) => BitConverter.UInt32BitsToSingle((uint)code << 16);

    /// <summary>The code nearest to a value, ties to even. What is too large becomes infinite; a NaN stays a NaN of its sign.</summary>
    public static ushort FromSingle(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value))
        {
            // Its payload may lie in the lower half alone: without the quiet bit it would end as an infinity.
            return (ushort)((bits >> 16) | 0x40);
        }

        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
