using System.Buffers.Binary;
using MlaGen;

namespace Storyteller.Model;

/// <summary>Finds tensors of a checkpoint, and reads small ones as floats.</summary>
internal static class Tensors
{
    private const int ChunkBytes = 1 << 16;

    /// <summary>Finds a tensor that must exist, have exactly this shape, and be of a type that can be computed with.</summary>
    /// <exception cref="CheckpointException">It is missing, has another shape, or elements that are neither <c>BF16</c>, <c>F16</c> nor <c>F32</c>.</exception>
    public static CheckpointTensor Find(ICheckpoint checkpoint, string name, params ReadOnlySpan<int> shape)
    {
        string expected = $"[{string.Join(", ", shape.ToArray())}]";
        if (!checkpoint.TryGetTensor(name, out CheckpointTensor? tensor))
        {
            throw new CheckpointException($"is missing; config.json asks for {expected}", checkpoint.Source, name);
        }

        string found = $"[{string.Join(", ", tensor.Shape)}]";
        if (expected != found)
        {
            throw new CheckpointException($"has shape {found}; config.json asks for {expected}", tensor.Source, name);
        }

        return tensor.Type is TensorType.BFloat16 or TensorType.Float16 or TensorType.Float32
            ? tensor
            : throw new CheckpointException($"has elements of type {tensor.Type}, expected BFloat16, Float16 or Float32", tensor.Source, name);
    }

    /// <summary>Bytes of one element of a tensor that <see cref="Find"/> returned.</summary>
    public static int ElementBytes(CheckpointTensor tensor) => tensor.Type == TensorType.Float32 ? sizeof(float) : sizeof(ushort);

    /// <summary>Reads a tensor under the conditions of <see cref="Find"/>.</summary>
    public static float[] Read(ICheckpoint checkpoint, string name, params ReadOnlySpan<int> shape)
    {
        CheckpointTensor tensor = Find(checkpoint, name, shape);
        int elementBytes = ElementBytes(tensor);
        int length = 1;
        foreach (int dimension in shape)
        {
            length = checked(length * dimension);
        }

        float[] values = new float[length];
        byte[] bytes = new byte[Math.Min(ChunkBytes, (long)length * elementBytes)];
        for (int done = 0; done < length;)
        {
            int count = Math.Min(bytes.Length / elementBytes, length - done);
            Span<byte> chunk = bytes.AsSpan(0, count * elementBytes);
            tensor.Read((long)done * elementBytes, chunk);
            Widen(tensor.Type, chunk, values.AsSpan(done, count));
            done += count;
        }

        return values;
    }

    private static void Widen(TensorType type, ReadOnlySpan<byte> bytes, Span<float> values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = type switch
            {
                TensorType.BFloat16 => BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadUInt16LittleEndian(bytes[(2 * i)..]) << 16),
                TensorType.Float16 => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes[(2 * i)..]),
                _ => BinaryPrimitives.ReadSingleLittleEndian(bytes[(4 * i)..]),
            };
        }
    }
}
