using System.Runtime.Intrinsics;

namespace MlaGen;

/// <summary>The vector width that kernels run with. A result is bit-for-bit reproducible within a tier, and equal within rounding between tiers.</summary>
public enum SimdTier
{
    /// <summary>One float at a time.</summary>
    Scalar,

    /// <summary>Four floats: Arm64, and x86 without AVX2.</summary>
    Vector128,

    /// <summary>Eight floats: AVX2 with FMA.</summary>
    Vector256,

    /// <summary>Sixteen floats: AVX-512.</summary>
    Vector512,
}

/// <summary>Tells the tier of this process.</summary>
public static class SimdTiers
{
    /// <summary>The widest tier that this process's runtime and processor support.</summary>
    public static SimdTier Current =>
        Vector512.IsHardwareAccelerated ? SimdTier.Vector512
        : Vector256.IsHardwareAccelerated ? SimdTier.Vector256
        : Vector128.IsHardwareAccelerated ? SimdTier.Vector128
        : SimdTier.Scalar;
}
