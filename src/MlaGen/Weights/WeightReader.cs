using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>Finds the weights of a generated class in a checkpoint and checks that they are what the class was generated for.</summary>
internal static class WeightReader
{
    private const string MatrixTypes = "BF16, F16, F32 or block-scaled F8_E4M3";
    private const string VectorTypes = "BF16, F16 or F32";

    // DeepSeek's name, which is a multiplier nonetheless, and that of compressed-tensors.
    private static readonly string[] _scaleSuffixes = ["_scale_inv", "_scale"];

    /// <summary>Finds a matrix. BF16, F16 and F32 stay as they are; F8_E4M3 with a scale for each block of 128 × 128 is read as bf16.</summary>
    /// <param name="checkpoint">Where to look.</param>
    /// <param name="name">Full name; the scales of an F8_E4M3 matrix have the same name with <c>_scale_inv</c> or <c>_scale</c> behind it.</param>
    /// <param name="rows">Expected rows.</param>
    /// <param name="columns">Expected columns.</param>
    /// <param name="shapeFormula">Where the two come from, for messages: <c>[Heads·(QkNopeHeadDim+QkRopeHeadDim), QLoraRank]</c>.</param>
    /// <returns>The matrix, valid as long as the checkpoint is open.</returns>
    /// <exception cref="CheckpointException">The matrix or its scales are missing, surplus, or of another shape or type; a scale is negative or not finite.</exception>
    public static WeightMatrix OpenMatrix(ICheckpoint checkpoint, string name, int rows, int columns, string shapeFormula)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        CheckpointTensor tensor = Find(checkpoint, name, [rows, columns], shapeFormula, MatrixTypes);
        CheckpointTensor[] scales = [.. FindScales(checkpoint, name)];
        switch (tensor.Type)
        {
            case TensorType.BFloat16 or TensorType.Float16 or TensorType.Float32:
                return scales.Length == 0
                    ? new StoredWeightMatrix(tensor, rows, columns)
                    : throw new CheckpointException($"scales {CheckpointException.Quote(name)}, which is {tensor.Type.Name()}; only F8_E4M3 has scales", scales[0].Source, scales[0].Name);
            case TensorType.Float8E4M3:
                return new BlockScaledWeightMatrix(tensor, rows, columns, ReadScales(tensor, scales, rows, columns));
            default:
                throw Mistyped(tensor, MatrixTypes);
        }
    }

    /// <summary>Reads a vector, BF16, F16 or F32, as floats.</summary>
    /// <param name="checkpoint">Where to look.</param>
    /// <param name="name">Full name.</param>
    /// <param name="length">Expected length.</param>
    /// <param name="shapeFormula">Where it comes from, for messages: <c>[KvLoraRank]</c>.</param>
    /// <returns>The values.</returns>
    /// <exception cref="CheckpointException">The vector is missing, or of another shape or type.</exception>
    public static float[] ReadVector(ICheckpoint checkpoint, string name, int length, string shapeFormula)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        return ReadFloats(Find(checkpoint, name, [length], shapeFormula, VectorTypes), length);
    }

    /// <summary>Refuses a checkpoint that has a tensor the class would ignore.</summary>
    /// <param name="checkpoint">Where to look.</param>
    /// <param name="name">Full name of the tensor that must not exist.</param>
    /// <param name="because">The reason, as the rest of a sentence: <c>AttentionBias is false</c>.</param>
    /// <exception cref="CheckpointException">The tensor exists.</exception>
    public static void RequireAbsent(ICheckpoint checkpoint, string name, string because)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        if (checkpoint.TryGetTensor(name, out CheckpointTensor? tensor))
        {
            throw new CheckpointException($"is surplus: expected none because {because}, found {tensor.Describe()}", tensor.Source, name);
        }
    }

    private static CheckpointTensor Find(ICheckpoint checkpoint, string name, ReadOnlySpan<long> shape, string shapeFormula, string types)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        string expected = $"{TensorTypes.Format(shape)} = {shapeFormula}";
        if (!checkpoint.TryGetTensor(name, out CheckpointTensor? tensor))
        {
            throw new CheckpointException($"is missing; expected {expected}, {types}", checkpoint.Source, name);
        }

        return tensor.Shape.AsSpan().SequenceEqual(shape)
            ? tensor
            : throw new CheckpointException($"has the wrong shape: expected {expected}, found {tensor.Describe()}", tensor.Source, name);
    }

    private static IEnumerable<CheckpointTensor> FindScales(ICheckpoint checkpoint, string name)
    {
        foreach (string suffix in _scaleSuffixes)
        {
            if (checkpoint.TryGetTensor(name + suffix, out CheckpointTensor? scale))
            {
                yield return scale;
            }
        }
    }

    private static float[] ReadScales(CheckpointTensor matrix, CheckpointTensor[] found, int rows, int columns)
    {
        long[] shape = [BlockScaledWeightMatrix.BlocksOf(rows), BlockScaledWeightMatrix.BlocksOf(columns)];
        string expected = $"{TensorTypes.Format(shape)} = [⌈{rows}/{BlockScaledWeightMatrix.BlockSize}⌉, ⌈{columns}/{BlockScaledWeightMatrix.BlockSize}⌉]";
        if (found is not [CheckpointTensor scale])
        {
            string names = string.Join(found.Length == 0 ? " or " : " and ", _scaleSuffixes.Select(suffix => CheckpointException.Quote(matrix.Name + suffix)));
            throw new CheckpointException(
                found.Length == 0 ? $"is F8_E4M3 without scales; expected {names}, {expected}" : $"has two sets of scales, {names}; expected one", matrix.Source, matrix.Name);
        }

        if (!scale.Shape.AsSpan().SequenceEqual(shape))
        {
            throw new CheckpointException($"has the wrong shape: expected {expected}, found {scale.Describe()}", scale.Source, scale.Name);
        }

        float[] scales = ReadFloats(scale, checked((int)(shape[0] * shape[1])));
        int bad = Array.FindIndex(scales, value => !float.IsFinite(value) || value < 0);
        return bad < 0
            ? scales
            : throw new CheckpointException(
                FormattableString.Invariant($"has the value {scales[bad]} at [{bad / shape[1]}, {bad % shape[1]}]; expected a finite scale that is not negative"), scale.Source, scale.Name);
    }

    private static float[] ReadFloats(CheckpointTensor tensor, int count)
    {
        float[] values = new float[count];
        switch (tensor.Type)
        {
            case TensorType.Float32:
                tensor.Read(0, MemoryMarshal.AsBytes(values.AsSpan()));
                break;
            case TensorType.Float16:
                Widen<Half>(tensor, values, static value => (float)value);
                break;
            case TensorType.BFloat16:
                Widen<ushort>(tensor, values, BFloat16Conversion.ToSingle);
                break;
            default:
                throw Mistyped(tensor, VectorTypes);
        }

        return values;
    }

    private static void Widen<T>(CheckpointTensor tensor, Span<float> values, Func<T, float> widen)
        where T : unmanaged
    {
        var codes = new T[values.Length];
        tensor.Read(0, MemoryMarshal.AsBytes(codes.AsSpan()));
        for (int i = 0; i < codes.Length; i++)
        {
            values[i] = widen(codes[i]);
        }
    }

    private static CheckpointException Mistyped(CheckpointTensor tensor, string expected) =>
        new($"has the wrong type: expected {expected}, found {tensor.Describe()}", tensor.Source, tensor.Name);
}
