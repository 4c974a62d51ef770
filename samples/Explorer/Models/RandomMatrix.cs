using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using MlaGen;

namespace Explorer.Models;

/// <summary>A checkpoint of one matrix in bf16 or fp8, made as it is read.</summary>
/// <param name="type">BF16, or F8_E4M3 with a scale for each 128 × 128.</param>
/// <param name="rows">Outputs.</param>
/// <param name="columns">Inputs.</param>
internal sealed class RandomMatrix(TensorType type, int rows, int columns) : ICheckpoint
{
    private const int Block = 128;
    private const string Name = "matrix.weight";
    private const string ScaleName = $"{Name}_scale_inv";

    public string Source => "random numbers";

    public IEnumerable<string> Names => type == TensorType.Float8E4M3 ? [Name, ScaleName] : [Name];

    public bool TryGetTensor(string name, [NotNullWhen(true)] out CheckpointTensor? tensor)
    {
        tensor = (name, type) switch
        {
            (Name, _) => new Values { Name = name, Type = type, Shape = [rows, columns], Source = Source },
            (ScaleName, TensorType.Float8E4M3) => new Scales { Name = name, Type = TensorType.Float32, Shape = [Blocks(rows), Blocks(columns)], Source = Source },
            _ => null,
        };
        return tensor is not null;
    }

    private static long Blocks(int length) => (length + Block - 1) / Block;

    /// <summary>Either sign; in bf16 between 1/64 and 1/32, in fp8 every exponent but the smallest, which weights that were scaled hardly have.</summary>
    private sealed class Values : CheckpointTensor
    {
        public override void Read(long offset, Span<byte> destination)
        {
            if (Type == TensorType.Float8E4M3)
            {
                for (int i = 0; i < destination.Length; i++)
                {
                    byte code = (byte)(Hash((ulong)(offset + i)) >> 56);
                    destination[i] = (byte)((code & 0x78) is 0 or 0x78 ? code ^ 0x40 : code);
                }

                return;
            }

            Span<ushort> values = MemoryMarshal.Cast<byte, ushort>(destination);
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = (ushort)((Hash((ulong)(offset / sizeof(ushort)) + (ulong)i) >> 48 & 0x807F) | 0x3C80);
            }
        }

        private static ulong Hash(ulong index) => index * 0x9E3779B97F4A7C15;
    }

    private sealed class Scales : CheckpointTensor
    {
        public override void Read(long offset, Span<byte> destination) => MemoryMarshal.Cast<byte, float>(destination).Fill(1f / 4096);
    }
}
