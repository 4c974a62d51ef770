using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// A matrix of four bits as compressed-tensors stores it (<c>pack-quantized</c>, symmetric, Kimi-K2's experts): <c>weight_packed</c> has eight codes in a word, each
/// 8 too large, <c>weight_scale</c> a scale for each group of a row. A weight is <c>code · scale</c>.
/// </summary>
internal sealed class PackedInt4WeightMatrix : WeightMatrix
{
    private const string Packed = "_packed";

    private readonly CheckpointTensor _scales;

    /// <summary>Neighbours that share a scale in the checkpoint: one of the panels' groups or several.</summary>
    private readonly int _group;

    /// <summary>Neighbours that share one in panels.</summary>
    private readonly int _panelGroup;

    private PackedInt4WeightMatrix(CheckpointTensor codes, CheckpointTensor scales, int rows, int columns, int group)
        : base(codes, rows, columns, TensorType.Int32)
    {
        _scales = scales;
        _group = group;
        _panelGroup = group % 64 == 0 ? 64 : 32;
    }

    public override PanelProducts Products => PanelFormats.OfStoredInt4(_panelGroup, _scales.Type);

    public override bool StaysStored => true;

    /// <summary>Finds such a matrix.</summary>
    /// <param name="checkpoint">Where to look.</param>
    /// <param name="name">Full name it would have if it were not packed.</param>
    /// <param name="rows">Expected rows.</param>
    /// <param name="columns">Expected columns.</param>
    /// <returns>The matrix, valid as long as the checkpoint is open; <see langword="null"/> if it is not packed.</returns>
    /// <exception cref="CheckpointException">It has another shape or type, zero points or an order of its own, or a part of it is missing.</exception>
    public static PackedInt4WeightMatrix? TryOpen(ICheckpoint checkpoint, string name, int rows, int columns)
    {
        if (!checkpoint.TryGetTensor(name + Packed, out CheckpointTensor? codes))
        {
            return null;
        }

        foreach (string surplus in new[] { "", "_zero_point", "_g_idx" })
        {
            WeightReader.RequireAbsent(checkpoint, name + surplus, $"{CheckpointException.Quote(codes.Name)} is read as symmetric codes in order");
        }

        Require(codes, codes.Type == TensorType.Int32, $"I32 [{rows}, ⌈{columns}/{Int4.WordCodes}⌉]", rows, Int4.Words(columns));
        CheckpointTensor shape = Find(checkpoint, name + "_shape");
        Require(shape, shape.Type is TensorType.Int64 or TensorType.Int32, "I64 [2]", 2);
        (long Rows, long Columns) found = ReadShape(shape);
        if (found != (rows, columns))
        {
            throw new CheckpointException(FormattableString.Invariant($"says [{found.Rows}, {found.Columns}]; expected [{rows}, {columns}]"), shape.Source, shape.Name);
        }

        CheckpointTensor scales = Find(checkpoint, name + "_scale");
        long groups = scales.Shape is [_, long count] && count > 0 && count <= columns ? count : 0;
        int group = groups == 1 ? RoundUp(columns, 64) : groups == 0 ? 0 : Enumerable.Range(1, ((columns - 1) / 32) + 1).Select(static i => 32 * i).FirstOrDefault(size => Int4.Scales(columns, size) == groups);
        Require(scales, group > 0 && scales.Type is TensorType.BFloat16 or TensorType.Float16, $"BF16 or F16 [{rows}, ⌈{columns}/group⌉] with groups of a multiple of 32", rows, (int)groups);
        return new PackedInt4WeightMatrix(codes, scales, rows, columns, group);
    }

    /// <summary>Writes of each row the words, then a scale for each group of panels.</summary>
    private protected override void Read(int firstRow, int count, Span<byte> destination)
    {
        int wordBytes = Int4.Words(Columns) * sizeof(uint);
        ushort[] scales = new ushort[Int4.Scales(Columns, _group)];
        for (int row = firstRow; row < firstRow + count; row++)
        {
            Tensor.Read((long)row * wordBytes, destination[..wordBytes]);
            _scales.Read((long)row * scales.Length * sizeof(ushort), MemoryMarshal.AsBytes(scales.AsSpan()));
            CheckFinite(row, scales);
            Span<ushort> target = MemoryMarshal.Cast<byte, ushort>(destination.Slice(wordBytes, Int4.Scales(Columns, _panelGroup) * sizeof(ushort)));
            for (int group = 0; group < target.Length; group++)
            {
                target[group] = scales[group * _panelGroup / _group];
            }

            destination = destination[Int4.StoredRowBytes(Columns, _panelGroup)..];
        }
    }

    private protected override void ReadFloats(int firstRow, int count, Span<float> destination) => throw new NotSupportedException("Weights of four bits stay as they are stored.");

    private static int RoundUp(int value, int unit) => (value + unit - 1) / unit * unit;

    private static CheckpointTensor Find(ICheckpoint checkpoint, string name) =>
        checkpoint.TryGetTensor(name, out CheckpointTensor? tensor) ? tensor : throw new CheckpointException("is missing; packed weights have it beside them", checkpoint.Source, name);

    private static void Require(CheckpointTensor tensor, bool fits, string expected, params ReadOnlySpan<long> shape)
    {
        if (!fits || !tensor.Shape.AsSpan().SequenceEqual(shape))
        {
            throw new CheckpointException($"does not fit: expected {expected}, found {tensor.Describe()}", tensor.Source, tensor.Name);
        }
    }

    private static (long Rows, long Columns) ReadShape(CheckpointTensor shape)
    {
        Span<long> values = stackalloc long[2];
        if (shape.Type == TensorType.Int64)
        {
            shape.Read(0, MemoryMarshal.AsBytes(values));
            return (values[0], values[1]);
        }

        Span<int> narrow = stackalloc int[2];
        shape.Read(0, MemoryMarshal.AsBytes(narrow));
        return (narrow[0], narrow[1]);
    }

    private void CheckFinite(int row, ReadOnlySpan<ushort> scales)
    {
        for (int group = 0; group < scales.Length; group++)
        {
            float scale = _scales.Type == TensorType.BFloat16 ? BFloat16Conversion.ToSingle(scales[group]) : (float)BitConverter.UInt16BitsToHalf(scales[group]);
            if (!float.IsFinite(scale))
            {
                throw new CheckpointException(FormattableString.Invariant($"has the value {scale} at [{row}, {group}]; expected a finite scale"), _scales.Source, _scales.Name);
            }
        }
    }
}
