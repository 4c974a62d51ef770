namespace MlaGen.Runtime;

/// <summary>The parts of an IEEE half-precision number, as the widening loads use them.</summary>
internal static class Float16Bits
{
    internal const uint Sign = 0x8000;

    internal const uint Magnitude = 0x7FFF;

    /// <summary>Smallest magnitude, moved to a float's place, that means infinity or NaN.</summary>
    internal const uint InfinityMagnitude = 0x7C00 << 13;

    internal const uint FullExponent = 0x7F80_0000;

    /// <summary>2^112: the distance between a float's exponent bias (127) and a half's (15).</summary>
    internal const float BiasShift = 5.192296858534828e+33f;
}
