using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace MlaGen.Models;

/// <summary>The table of token vectors, in the type that it is stored in.</summary>
internal sealed class Embedding
{
    /// <summary>Rows that are kept in one array: the table of a large model is larger than an array can be.</summary>
    private const int BlockRows = 1024;

    private readonly byte[][] _blocks;
    private readonly TensorType _type;
    private readonly int _width;
    private readonly int _rowBytes;
    private readonly float _scale;

    public Embedding(CheckpointTensor table, int rows, int width, float scale)
    {
        _type = table.Type;
        _width = width;
        _rowBytes = width * (_type == TensorType.Float32 ? sizeof(float) : sizeof(ushort));
        _scale = scale;
        _blocks = new byte[((rows - 1) / BlockRows) + 1][];
        for (int block = 0; block < _blocks.Length; block++)
        {
            _blocks[block] = new byte[Math.Min(BlockRows, rows - (block * BlockRows)) * _rowBytes];
            table.Read((long)block * BlockRows * _rowBytes, _blocks[block]);
        }
    }

    /// <summary>Writes the vector of a token.</summary>
    public void Read(int token, Span<float> destination)
    {
        ReadOnlySpan<byte> row = _blocks[token / BlockRows].AsSpan(token % BlockRows * _rowBytes, _rowBytes);
        switch (_type)
        {
            case TensorType.BFloat16:
                ReadOnlySpan<ushort> codes = MemoryMarshal.Cast<byte, ushort>(row);
                for (int i = 0; i < _width; i++)
                {
                    destination[i] = BitConverter.Int32BitsToSingle(codes[i] << 16);
                }

                break;
            case TensorType.Float16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(row), destination);
                break;
            default:
                MemoryMarshal.Cast<byte, float>(row).CopyTo(destination);
                break;
        }

        if (_scale != 1)
        {
            TensorPrimitives.Multiply(destination[.._width], _scale, destination[.._width]);
        }
    }
}
