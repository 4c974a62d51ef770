namespace MlaGen.Runtime;

/// <summary>Names and sizes of element types, and the sizes of tensors made of them.</summary>
internal static class TensorTypes
{
    private static readonly TensorType[] _all = Enum.GetValues<TensorType>();

    /// <summary>The type's name in a safetensors header.</summary>
    public static string Name(this TensorType type) => type switch
    {
        TensorType.Float64 => "F64",
        TensorType.Float32 => "F32",
        TensorType.Float16 => "F16",
        TensorType.BFloat16 => "BF16",
        TensorType.Float8E4M3 => "F8_E4M3",
        TensorType.Float8E5M2 => "F8_E5M2",
        TensorType.Float8E8M0 => "F8_E8M0",
        TensorType.Int64 => "I64",
        TensorType.Int32 => "I32",
        TensorType.Int16 => "I16",
        TensorType.Int8 => "I8",
        TensorType.UInt64 => "U64",
        TensorType.UInt32 => "U32",
        TensorType.UInt16 => "U16",
        TensorType.UInt8 => "U8",
        TensorType.Boolean => "BOOL",
        TensorType.Float8E4M3Fnuz => "F8_E4M3FNUZ",
        TensorType.Float8E5M2Fnuz => "F8_E5M2FNUZ",
        TensorType.Float6E2M3 => "F6_E2M3",
        TensorType.Float6E3M2 => "F6_E3M2",
        TensorType.Float4 => "F4",
        TensorType.Complex64 => "C64",
        TensorType.Other => "of another type",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a tensor type."),
    };

    /// <summary>The name that a tensor's type has in its file.</summary>
    public static string NameOfType(this CheckpointTensor tensor) =>
        tensor.TypeName is { } name ? CheckpointException.Quote(name) : tensor.Type.Name();

    /// <summary>Bytes of one element of a type that takes whole bytes.</summary>
    public static int Size(this TensorType type) => Bits(type) / 8;

    private static int Bits(TensorType type) => type switch
    {
        TensorType.Float64 or TensorType.Int64 or TensorType.UInt64 or TensorType.Complex64 => 64,
        TensorType.Float32 or TensorType.Int32 or TensorType.UInt32 => 32,
        TensorType.Float16 or TensorType.BFloat16 or TensorType.Int16 or TensorType.UInt16 => 16,
        TensorType.Float8E4M3 or TensorType.Float8E5M2 or TensorType.Float8E8M0 or TensorType.Float8E4M3Fnuz or TensorType.Float8E5M2Fnuz => 8,
        TensorType.Int8 or TensorType.UInt8 or TensorType.Boolean => 8,
        TensorType.Float6E2M3 or TensorType.Float6E3M2 => 6,
        TensorType.Float4 => 4,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a tensor type of known size."),
    };

    /// <summary>Finds a type by its name in a safetensors header.</summary>
    public static bool TryParse(string name, out TensorType type)
    {
        foreach (TensorType candidate in _all)
        {
            if (candidate != TensorType.Other && candidate.Name() == name)
            {
                type = candidate;
                return true;
            }
        }

        type = default;
        return false;
    }

    /// <summary>Bytes of a tensor; a reason when it cannot have that shape.</summary>
    public static string? SizeProblem(TensorType type, ReadOnlySpan<long> shape, out long bytes)
    {
        bytes = 0;
        Int128 elements = 1;
        foreach (long dimension in shape)
        {
            // From the left, as the reference implementation multiplies: a zero further on does not undo an overflow.
            elements *= dimension;
            if (dimension < 0 || elements > long.MaxValue)
            {
                return "a dimension is negative, or the size overflows";
            }
        }

        Int128 bits = elements * Bits(type);
        if (bits % 8 != 0)
        {
            return $"{bits} bits are no whole number of bytes";
        }

        if (bits / 8 > long.MaxValue)
        {
            return "a dimension is negative, or the size overflows";
        }

        bytes = (long)(bits / 8);
        return null;
    }

    /// <summary>Refuses a read that leaves the tensor.</summary>
    public static void CheckRange(CheckpointTensor tensor, long length, long offset, int count)
    {
        if (offset < 0 || offset > length - count)
        {
            throw new ArgumentOutOfRangeException(
                nameof(offset), offset, $"Tensor {CheckpointException.Quote(tensor.Name)} has {Counted.Of(length, "byte")}; {Counted.Of(count, "byte")} from offset {offset} on would leave it.");
        }
    }

    /// <summary>A shape as messages show it: <c>[576, 7168]</c>.</summary>
    public static string Format(ReadOnlySpan<long> shape)
    {
        const int Longest = 8;
        string dimensions = string.Join(", ", shape[..Math.Min(shape.Length, Longest)].ToArray());
        return shape.Length <= Longest ? $"[{dimensions}]" : $"[{dimensions}, … {shape.Length} dimensions]";
    }

    /// <summary>Type and shape of a tensor as messages show them: <c>BF16 [576, 7168]</c>.</summary>
    public static string Describe(this CheckpointTensor tensor) => $"{tensor.NameOfType()} {Format(tensor.Shape.AsSpan())}";
}
