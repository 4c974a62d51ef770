using MlaGen.Generator.Model;

namespace MlaGen.Generator.Planning;

/// <summary>A target of emission: how wide its vectors are and how many it can hold. Mirrors MlaGen.SimdTier by name.</summary>
/// <param name="Name">Name of the tier and, but for the scalar one, of its vector type.</param>
/// <param name="Lanes">Floats in a vector.</param>
/// <param name="Registers">Vector registers of the processors it is planned for.</param>
internal sealed record SimdTier(string Name, int Lanes, int Registers)
{
    public static readonly SimdTier Scalar = new("Scalar", 1, 16);

    /// <summary>Planned for Arm64's 32 registers; x86 without AVX2 has 16 and spills.</summary>
    public static readonly SimdTier Vector128 = new("Vector128", 4, 32);

    public static readonly SimdTier Vector256 = new("Vector256", 8, 16);

    public static readonly SimdTier Vector512 = new("Vector512", 16, 32);

    public static readonly EquatableArray<SimdTier> All = new([Vector512, Vector256, Vector128, Scalar]);

    /// <summary>Registers that a tile may use: one stays free for the compiler's own moves.</summary>
    public int RegisterBudget => Registers - 1;
}
