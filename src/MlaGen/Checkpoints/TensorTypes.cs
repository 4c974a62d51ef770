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
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a tensor type."),
    };

    /// <summary>Bytes of one element.</summary>
    public static int Size(this TensorType type) => type switch
    {
        TensorType.Float64 or TensorType.Int64 or TensorType.UInt64 => 8,
        TensorType.Float32 or TensorType.Int32 or TensorType.UInt32 => 4,
        TensorType.Float16 or TensorType.BFloat16 or TensorType.Int16 or TensorType.UInt16 => 2,
        TensorType.Float8E4M3 or TensorType.Float8E5M2 or TensorType.Float8E8M0 => 1,
        TensorType.Int8 or TensorType.UInt8 or TensorType.Boolean => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a tensor type."),
    };

    /// <summary>Finds a type by its name in a safetensors header.</summary>
    public static bool TryParse(string name, out TensorType type)
    {
        foreach (TensorType candidate in _all)
        {
            if (candidate.Name() == name)
            {
                type = candidate;
                return true;
            }
        }

        type = default;
        return false;
    }

    /// <summary>Bytes of a tensor; false when its dimensions are negative or their product, taken from the left, overflows.</summary>
    public static bool TryGetByteLength(TensorType type, ReadOnlySpan<long> shape, out long bytes)
    {
        Int128 product = type.Size();
        foreach (long dimension in shape)
        {
            product *= dimension;
            if (dimension < 0 || product > long.MaxValue)
            {
                bytes = 0;
                return false;
            }
        }

        bytes = (long)product;
        return true;
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
    public static string Describe(this CheckpointTensor tensor) => $"{tensor.Type.Name()} {Format(tensor.Shape.AsSpan())}";
}
