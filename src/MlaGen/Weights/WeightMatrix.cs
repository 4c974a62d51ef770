using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MlaGen.Runtime;

/// <summary>A matrix of a checkpoint that fits what was asked for; its rows are read, and decoded where need be, on request.</summary>
/// <remarks>Valid as long as its checkpoint is open. Any number of threads may read at once.</remarks>
internal abstract class WeightMatrix
{
    private protected WeightMatrix(CheckpointTensor tensor, int rows, int columns, TensorType type)
    {
        Tensor = tensor;
        Rows = rows;
        Columns = columns;
        Type = type;
    }

    /// <summary>Name of the tensor.</summary>
    public string Name => Tensor.Name;

    /// <summary>Rows: outputs of the projection.</summary>
    public int Rows { get; }

    /// <summary>Columns: inputs of the projection.</summary>
    public int Columns { get; }

    /// <summary>
    /// Type of the elements as they are read: <see cref="TensorType.Float32"/>, <see cref="TensorType.Float16"/>, <see cref="TensorType.BFloat16"/>, or
    /// <see cref="TensorType.Float8E4M3"/> or <see cref="TensorType.Int32"/>, whose rows have scales behind them.
    /// </summary>
    public TensorType Type { get; }

    /// <summary>The products of the format that holds the elements as they are stored.</summary>
    public virtual PanelProducts Products => PanelFormats.Of(Type);

    /// <summary>Whether they are brought into no other format.</summary>
    public virtual bool StaysStored => false;

    private protected CheckpointTensor Tensor { get; }

    /// <summary>Reads <paramref name="count"/> rows, row-major and little-endian.</summary>
    /// <param name="firstRow">The first of them.</param>
    /// <param name="count">How many.</param>
    /// <param name="destination">Takes them, as the panel format of <see cref="Type"/> packs them: exactly as many bytes.</param>
    /// <exception cref="ArgumentOutOfRangeException">The rows leave the matrix.</exception>
    /// <exception cref="ArgumentException"><paramref name="destination"/> has another length.</exception>
    /// <exception cref="CheckpointException">A scaled element is not finite.</exception>
    public void ReadRows(int firstRow, int count, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstRow);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)firstRow + count, Rows, nameof(count));
        long bytes = (long)count * Products.RowBytes(Columns);
        if (destination.Length != bytes)
        {
            throw new ArgumentException($"{Counted.Of(count, "row")} of {Columns} {Type.Name()} to read: expected {Counted.Of(bytes, "byte")}; found {destination.Length}.", nameof(destination));
        }

        Read(firstRow, count, destination);
    }

    /// <summary>Reads <paramref name="count"/> rows as floats.</summary>
    /// <param name="firstRow">The first of them.</param>
    /// <param name="count">How many.</param>
    /// <param name="destination">Takes <c>count · Columns</c> floats.</param>
    /// <exception cref="CheckpointException">An element is not finite.</exception>
    public void ReadFloats(int firstRow, int count, Span<byte> destination)
    {
        Span<float> floats = MemoryMarshal.Cast<byte, float>(destination);
        ReadFloats(firstRow, count, floats);
        for (int row = 0; row < count; row++)
        {
            if (!AreFinite(floats.Slice(row * Columns, Columns)))
            {
                throw new CheckpointException(FormattableString.Invariant($"has a value in row {firstRow + row} that is not finite"), Tensor.Source, Tensor.Name);
            }
        }
    }

    /// <summary>What to throw at the tensor.</summary>
    public CheckpointException Refuse(string problem, Exception cause) => new(problem, Tensor.Source, Tensor.Name, cause);

    private protected abstract void Read(int firstRow, int count, Span<byte> destination);

    private protected abstract void ReadFloats(int firstRow, int count, Span<float> destination);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool AreFinite(ReadOnlySpan<float> values)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        Vector<int> areFinite = Vector<int>.AllBitsSet;
        foreach (Vector<float> vector in vectors)
        {
            areFinite &= Vector.LessThanOrEqual(Vector.Abs(vector), new Vector<float>(float.MaxValue));
        }

        bool isFinite = areFinite == Vector<int>.AllBitsSet;
        foreach (float value in values[(vectors.Length * Vector<float>.Count)..])
        {
            isFinite &= float.IsFinite(value);
        }

        return isFinite;
    }
}

/// <summary>A matrix that is read as it is stored.</summary>
internal sealed class StoredWeightMatrix(CheckpointTensor tensor, int rows, int columns) : WeightMatrix(tensor, rows, columns, tensor.Type)
{
    private protected override void Read(int firstRow, int count, Span<byte> destination) =>
        Tensor.Read((long)firstRow * Columns * Type.Size(), destination);

    private protected override void ReadFloats(int firstRow, int count, Span<float> destination)
    {
        if (Type == TensorType.Float32)
        {
            Read(firstRow, count, MemoryMarshal.AsBytes(destination));
            return;
        }

        // The halves of the floats' own memory that they are widened into, from the front.
        Span<ushort> codes = MemoryMarshal.Cast<float, ushort>(destination)[destination.Length..];
        Read(firstRow, count, MemoryMarshal.AsBytes(codes));
        if (Type == TensorType.BFloat16)
        {
            Widen(codes, destination);
            return;
        }

        for (int i = 0; i < codes.Length; i++)
        {
            destination[i] = (float)BitConverter.UInt16BitsToHalf(codes[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Widen(ReadOnlySpan<ushort> codes, Span<float> destination)
    {
        int i = 0;
        for (; i <= codes.Length - Vector512<int>.Count; i += Vector512<int>.Count)
        {
            (Vector512.WidenLower(Vector256.Create(codes[i..]).ToVector512Unsafe()) << 16).AsSingle().CopyTo(destination[i..]);
        }

        for (; i < codes.Length; i++)
        {
            destination[i] = BFloat16Conversion.ToSingle(codes[i]);
        }
    }
}
