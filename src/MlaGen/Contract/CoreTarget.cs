namespace MlaGen;

/// <summary>What a core needs of the machine. Listed from the least to the most.</summary>
public enum CoreTarget
{
    /// <summary>Nothing: one float at a time.</summary>
    Scalar,

    /// <summary>Vectors of four floats: Arm64, and x86 without AVX2.</summary>
    Vector128,

    /// <summary>Vectors of eight floats: AVX2 with FMA.</summary>
    Vector256,

    /// <summary>Vectors of sixteen floats: AVX-512.</summary>
    Vector512,

    /// <summary>
    /// Vectors of AVX-512 and products of pairs of bfloat16 (<c>vdpbf16ps</c>) or int16 (<c>vpdpwssd</c>), in machine code that the generator assembled. Not on
    /// Intel's processors, which multiply floats faster.
    /// </summary>
    Avx512Bf16,

    /// <summary>Tiles of sixteen rows by sixteen columns (AMX, <c>tdpbf16ps</c>), in machine code that the generator assembled.</summary>
    Amx,
}
