using System.Buffers;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// A matrix of e4m3 codes with one multiplier for each block: of 128 × 128 elements as DeepSeek publishes them, a whole row (a scale per output channel)
/// or the whole matrix. A weight is <c>code · scale[row / blockRows, column / blockColumns]</c>, a float.
/// </summary>
/// <remarks>
/// Blocks are counted from the first row of the whole matrix. A head's rows may begin inside a block (192 = 1.5 blocks a head in DeepSeek-V3's
/// <c>q_b_proj</c>), so a part must never be decoded as if it were a matrix of its own.
/// </remarks>
internal sealed class BlockScaledWeightMatrix : WeightMatrix
{
    private static readonly float[] _values = [.. Enumerable.Range(0, 256).Select(code => Float8E4M3.ToSingle((byte)code))];

    private readonly float[] _scales;
    private readonly int _blockRows;
    private readonly int _blockColumns;

    /// <summary>Takes the codes and the scales, row-major, one for each block; the last of a row or column may be partly used.</summary>
    public BlockScaledWeightMatrix(CheckpointTensor codes, int rows, int columns, float[] scales, int blockRows, int blockColumns)
        : base(codes, rows, columns, TensorType.Float8E4M3) => (_scales, _blockRows, _blockColumns) = (scales, blockRows, blockColumns);

    /// <summary>Writes a row's codes, then a scale for each 128 of them.</summary>
    private protected override void Read(int firstRow, int count, Span<byte> destination)
    {
        for (int row = firstRow; row < firstRow + count; row++)
        {
            ReadRow(row, destination);
            destination = destination[Float8Panels.RowBytes(Columns)..];
        }
    }

    private protected override void ReadFloats(int firstRow, int count, Span<float> destination)
    {
        byte[] rented = ArrayPool<byte>.Shared.Rent(Float8Panels.RowBytes(Columns));
        for (int row = firstRow; row < firstRow + count; row++)
        {
            ReadRow(row, rented);
            for (int first = 0; first < Columns; first += LoadableTypes.BlockSize)
            {
                float scale = Scale(row, first);
                int end = Math.Min(first + LoadableTypes.BlockSize, Columns);
                for (int column = first; column < end; column++)
                {
                    destination[column] = _values[rented[column]] * scale;
                }
            }

            destination = destination[Columns..];
        }

        ArrayPool<byte>.Shared.Return(rented);
    }

    private float Scale(int row, int column) => _scales[(row / _blockRows * (((Columns - 1) / _blockColumns) + 1)) + (column / _blockColumns)];

    private void ReadRow(int row, Span<byte> destination)
    {
        const int Block = LoadableTypes.BlockSize;
        Span<byte> codes = destination[..Columns];
        Tensor.Read((long)row * Columns, codes);
        for (int first = 0; first < Columns; first += Block)
        {
            float scale = Scale(row, first);
            MemoryMarshal.Write(destination[(Columns + (first / Block * sizeof(float)))..], scale);
            CheckFinite(row, first, codes.Slice(first, Math.Min(Block, Columns - first)), scale);
        }
    }

    private void CheckFinite(int row, int firstColumn, ReadOnlySpan<byte> codes, float scale)
    {
        ReadOnlySpan<float> values = _values;
        for (int i = 0; i < codes.Length; i++)
        {
            if (!float.IsFinite(values[codes[i]] * scale))
            {
                throw new CheckpointException(
                    FormattableString.Invariant($"has the code 0x{codes[i]:X2} at [{row}, {firstColumn + i}], with the scale {scale}: not a finite value"), Tensor.Source, Tensor.Name);
            }
        }
    }
}
