namespace MlaGen;

/// <summary>Element types of safetensors files, by the names they carry there.</summary>
public enum TensorType
{
    /// <summary><c>F64</c>.</summary>
    Float64,

    /// <summary><c>F32</c>.</summary>
    Float32,

    /// <summary><c>F16</c>.</summary>
    Float16,

    /// <summary><c>BF16</c>: the upper half of a float.</summary>
    BFloat16,

    /// <summary><c>F8_E4M3</c>: four exponent bits, three mantissa bits, no infinities.</summary>
    Float8E4M3,

    /// <summary><c>F8_E5M2</c>.</summary>
    Float8E5M2,

    /// <summary><c>F8_E8M0</c>: an exponent alone.</summary>
    Float8E8M0,

    /// <summary><c>I64</c>.</summary>
    Int64,

    /// <summary><c>I32</c>.</summary>
    Int32,

    /// <summary><c>I16</c>.</summary>
    Int16,

    /// <summary><c>I8</c>.</summary>
    Int8,

    /// <summary><c>U64</c>.</summary>
    UInt64,

    /// <summary><c>U32</c>.</summary>
    UInt32,

    /// <summary><c>U16</c>.</summary>
    UInt16,

    /// <summary><c>U8</c>.</summary>
    UInt8,

    /// <summary><c>BOOL</c>.</summary>
    Boolean,

    /// <summary><c>F8_E4M3FNUZ</c>: as <see cref="Float8E4M3"/> with another bias, and no negative zero.</summary>
    Float8E4M3Fnuz,

    /// <summary><c>F8_E5M2FNUZ</c>: as <see cref="Float8E5M2"/> with another bias, and no negative zero.</summary>
    Float8E5M2Fnuz,

    /// <summary><c>F6_E2M3</c>: six bits, packed.</summary>
    Float6E2M3,

    /// <summary><c>F6_E3M2</c>: six bits, packed.</summary>
    Float6E3M2,

    /// <summary><c>F4</c>: four bits, packed.</summary>
    Float4,

    /// <summary><c>C64</c>: two floats.</summary>
    Complex64,

    /// <summary>A type that this version does not know: legal in a file as long as nothing reads it.</summary>
    Other,
}
