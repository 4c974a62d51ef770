using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>Finds the weights of a generated class in a checkpoint and checks that they are what the class was generated for.</summary>
internal static class WeightReader
{
    /// <summary>What a checkpoint has in place of a tensor that it lacks, as the end of a sentence.</summary>
    public delegate string MissingHint(ICheckpoint checkpoint, string name);

    // DeepSeek's name, which is a multiplier nonetheless, and that of compressed-tensors.
    private static readonly string[] _scaleSuffixes = ["_scale_inv", "_scale"];

    /// <summary>Finds a matrix. BF16, F16 and F32 stay as they are; F8_E4M3 with a scale for each block of 128 × 128, for each row, or for all of it keeps its codes.</summary>
    /// <param name="checkpoint">Where to look.</param>
    /// <param name="name">Full name; the scales of an F8_E4M3 matrix have the same name with <c>_scale_inv</c> or <c>_scale</c> behind it.</param>
    /// <param name="rows">Expected rows.</param>
    /// <param name="columns">Expected columns.</param>
    /// <param name="shapeFormula">Where the two come from, for messages: <c>[Heads·(QkNopeHeadDim+QkRopeHeadDim), QLoraRank]</c>.</param>
    /// <param name="hint">What to say behind the sentence that it is missing.</param>
    /// <returns>The matrix, valid as long as the checkpoint is open.</returns>
    /// <exception cref="CheckpointException">The matrix or its scales are missing, surplus, or of another shape or type; a scale is negative or not finite.</exception>
    public static WeightMatrix OpenMatrix(ICheckpoint checkpoint, string name, int rows, int columns, string shapeFormula, MissingHint? hint = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        CheckpointTensor tensor = Find(checkpoint, name, [rows, columns], shapeFormula, hint, LoadableTypes.Matrices, LoadableTypes.IsMatrix);
        CheckpointTensor[] scales = [.. FindScales(checkpoint, name)];
        switch (tensor.Type)
        {
            case TensorType.BFloat16 or TensorType.Float16 or TensorType.Float32:
                return scales.Length == 0
                    ? new StoredWeightMatrix(tensor, rows, columns)
                    : throw new CheckpointException($"scales {CheckpointException.Quote(name)}, which is {tensor.Type.Name()}; only {LoadableTypes.Scaled} has scales", scales[0].Source, scales[0].Name);
            case TensorType.Float8E4M3:
                return ReadScaled(tensor, scales, rows, columns);
            default:
                throw Mistyped(tensor, LoadableTypes.Matrices);
        }
    }

    /// <summary>Reads a vector, BF16, F16 or F32, as floats.</summary>
    /// <param name="checkpoint">Where to look.</param>
    /// <param name="name">Full name.</param>
    /// <param name="length">Expected length.</param>
    /// <param name="shapeFormula">Where it comes from, for messages: <c>[KvLoraRank]</c>.</param>
    /// <param name="hint">What to say behind the sentence that it is missing.</param>
    /// <returns>The values.</returns>
    /// <exception cref="CheckpointException">The vector is missing, or of another shape or type.</exception>
    public static float[] ReadVector(ICheckpoint checkpoint, string name, int length, string shapeFormula, MissingHint? hint = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        return ReadFloats(Find(checkpoint, name, [length], shapeFormula, hint, LoadableTypes.Vectors, LoadableTypes.IsVector), length);
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
            throw Surplus(tensor, because);
        }
    }

    /// <summary>Refuses a checkpoint with a tensor under the attention's prefix that nothing reads and that might change the arithmetic.</summary>
    /// <remarks>
    /// Everything that begins with the prefix counts, also where the prefix is empty. Scales of activations and of a quantized cache, and rotary buffers,
    /// change nothing; the tensors of a sparse indexer change nothing for a class that stands in for it within its reach.
    /// </remarks>
    /// <param name="checkpoint">Where to look.</param>
    /// <param name="prefix">What the names begin with.</param>
    /// <param name="allowDense">Whether the class was made with <see cref="MlaAttentionAttribute.AllowDense"/>.</param>
    /// <param name="projections">The class's projections, by their names in the checkpoint.</param>
    /// <exception cref="CheckpointException">There is such a tensor.</exception>
    public static void RefuseUnread(ICheckpoint checkpoint, string prefix, bool allowDense, params string[] projections)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(prefix);
        ArgumentNullException.ThrowIfNull(projections);

        // Without one of its weights the prefix is wrong, and so would be every word about what stands under it: the projection says what is missing.
        if (!projections.All(projection => checkpoint.TryGetTensor(prefix + ProjectionNames.WeightTensor(projection), out _)))
        {
            return;
        }

        (CheckpointTensor Tensor, string Because)? first = null;
        foreach (string name in checkpoint.Names)
        {
            if (name.StartsWith(prefix, StringComparison.Ordinal)
                && (first is null || string.CompareOrdinal(name, first.Value.Tensor.Name) < 0)
                && checkpoint.TryGetTensor(name, out CheckpointTensor? tensor)
                && AttentionTensors.Objection(name[prefix.Length..], projections, allowDense, tensor.Shape.All(static dimension => dimension == 1)) is { } because)
            {
                first = (tensor, because);
            }
        }

        if (first is { } refused)
        {
            throw Surplus(refused.Tensor, refused.Because);
        }
    }

    private static CheckpointException Surplus(CheckpointTensor tensor, string because) =>
        new($"is surplus: expected none because {because}, found {tensor.Describe()}", tensor.Source, tensor.Name);

    private static CheckpointTensor Find(ICheckpoint checkpoint, string name, ReadOnlySpan<long> shape, string shapeFormula, MissingHint? hint, string types, Func<string, bool> accepts)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        string expected = $"{TensorTypes.Format(shape)} = {shapeFormula}";
        if (!checkpoint.TryGetTensor(name, out CheckpointTensor? tensor))
        {
            throw new CheckpointException($"is missing; expected {expected}, {types}{hint?.Invoke(checkpoint, name)}", checkpoint.Source, name);
        }

        // Before the shape: packed weights have another one because of their type.
        if (!accepts(tensor.Type.Name()))
        {
            throw Mistyped(tensor, types);
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

    private static BlockScaledWeightMatrix ReadScaled(CheckpointTensor matrix, CheckpointTensor[] found, int rows, int columns)
    {
        const int Block = LoadableTypes.BlockSize;
        long[] blocks = [LoadableTypes.BlocksOf(rows), LoadableTypes.BlocksOf(columns)];
        string expected = $"{TensorTypes.Format(blocks)} = {LoadableTypes.ScaleFormula(rows, columns)}";
        if (found is not [CheckpointTensor scale])
        {
            string names = string.Join(found.Length == 0 ? " or " : " and ", _scaleSuffixes.Select(suffix => CheckpointException.Quote(matrix.Name + suffix)));
            throw new CheckpointException(
                found.Length == 0 ? $"is {LoadableTypes.Scaled} without scales; expected {names}, {expected}" : $"has two sets of scales, {names}; expected one", matrix.Source, matrix.Name);
        }

        // Where two readings of a shape are possible, each block has the same scale in both.
        ReadOnlySpan<long> shape = scale.Shape.AsSpan();
        (int Rows, int Columns)? block =
            shape.SequenceEqual(blocks) ? (Block, Block)
            : shape is [] or [1] or [1, 1] ? (rows, columns)
            : shape is [long outputs] && outputs == rows || shape is [long channels, 1] && channels == rows ? (1, columns)
            : null;
        return block is { } size
            ? new BlockScaledWeightMatrix(matrix, rows, columns, ReadScales(scale), size.Rows, size.Columns)
            : throw new CheckpointException($"has the wrong shape: expected {expected}, found {scale.Describe()}", scale.Source, scale.Name);
    }

    private static float[] ReadScales(CheckpointTensor scale)
    {
        long count = 1;
        foreach (long dimension in scale.Shape)
        {
            count *= dimension;
        }

        float[] scales = ReadFloats(scale, count);
        int bad = Array.FindIndex(scales, value => !float.IsFinite(value) || value < 0);
        return bad < 0
            ? scales
            : throw new CheckpointException(
                FormattableString.Invariant($"has the value {scales[bad]} at {Place(scale.Shape, bad)}; expected a finite scale that is not negative"), scale.Source, scale.Name);
    }

    private static string Place(System.Collections.Immutable.ImmutableArray<long> shape, int index) => shape switch
    {
        [] => "[]",
        [_] => $"[{index}]",
        _ => $"[{index / shape[^1]}, {index % shape[^1]}]",
    };

    private static float[] ReadFloats(CheckpointTensor tensor, long count)
    {
        // Read as bytes in one piece.
        const int Most = int.MaxValue / sizeof(float);
        if (count > Most)
        {
            throw new CheckpointException($"is too large: at most {Most} values are read, found {tensor.Describe()}", tensor.Source, tensor.Name);
        }

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
                throw Mistyped(tensor, LoadableTypes.Vectors);
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
