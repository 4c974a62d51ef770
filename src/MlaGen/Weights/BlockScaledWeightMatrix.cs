using System.Buffers;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// A matrix of e4m3 codes with one multiplier for each block: of 128 × 128 elements as DeepSeek publishes them, a whole row (a scale per output channel)
/// or the whole matrix. Read as bf16: <c>code · scale[row / blockRows, column / blockColumns]</c>, a float, rounded to nearest even.
/// </summary>
/// <remarks>
/// Blocks are counted from the first row of the whole matrix. A head's rows may begin inside a block (192 = 1.5 blocks a head in DeepSeek-V3's
/// <c>q_b_proj</c>), so a part must never be decoded as if it were a matrix of its own.
/// </remarks>
internal sealed class BlockScaledWeightMatrix : WeightMatrix
{
    private const ushort InfinityBits = 0x7F80;

    private static readonly float[] _values = [.. Enumerable.Range(0, 256).Select(code => Float8E4M3.ToSingle((byte)code))];

    private readonly float[] _scales;
    private readonly int _blockRows;
    private readonly int _blockColumns;

    /// <summary>Takes the codes and the scales, row-major, one for each block; the last of a row or column may be partly used.</summary>
    public BlockScaledWeightMatrix(CheckpointTensor codes, int rows, int columns, float[] scales, int blockRows, int blockColumns)
        : base(codes, rows, columns, TensorType.BFloat16) => (_scales, _blockRows, _blockColumns) = (scales, blockRows, blockColumns);

    private protected override void Read(int firstRow, int count, Span<byte> destination)
    {
        byte[] rented = ArrayPool<byte>.Shared.Rent(Columns);
        Span<byte> codes = rented.AsSpan(0, Columns);
        Span<ushort> decoded = MemoryMarshal.Cast<byte, ushort>(destination);
        for (int row = firstRow; row < firstRow + count; row++)
        {
            Tensor.Read((long)row * Columns, codes);
            Decode(row, codes, decoded[..Columns]);
            decoded = decoded[Columns..];
        }

        ArrayPool<byte>.Shared.Return(rented);
    }

    private void Decode(int row, ReadOnlySpan<byte> codes, Span<ushort> decoded)
    {
        int blocks = BlocksOf(Columns, _blockColumns);
        ReadOnlySpan<float> scales = _scales.AsSpan(row / _blockRows * blocks, blocks);
        for (int block = 0; block < scales.Length; block++)
        {
            int firstColumn = block * _blockColumns;
            int columns = Math.Min(_blockColumns, Columns - firstColumn);
            int bad = DecodeBlock(codes.Slice(firstColumn, columns), scales[block], decoded.Slice(firstColumn, columns));
            if (bad >= 0)
            {
                int column = firstColumn + bad;
                throw new CheckpointException(
                    FormattableString.Invariant($"has the code 0x{codes[column]:X2} at [{row}, {column}], with the scale {scales[block]}: not a finite bf16 value"),
                    Tensor.Source,
                    Tensor.Name);
            }
        }
    }

    private static int BlocksOf(int elements, int size) => ((elements - 1) / size) + 1;

    /// <summary>Decodes until the first element that is not finite, and returns its index; -1 when all are.</summary>
    private static int DecodeBlock(ReadOnlySpan<byte> codes, float scale, Span<ushort> decoded)
    {
        ReadOnlySpan<float> values = _values;
        for (int i = 0; i < codes.Length && i < decoded.Length; i++)
        {
            ushort value = BFloat16Conversion.FromSingle(values[codes[i]] * scale);
            if ((value & InfinityBits) == InfinityBits)
            {
                return i;
            }

            decoded[i] = value;
        }

        return -1;
    }
}
