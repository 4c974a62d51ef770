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

    /// <summary>Rows: outputs of the projection.</summary>
    public int Rows { get; }

    /// <summary>Columns: inputs of the projection.</summary>
    public int Columns { get; }

    /// <summary>Type of the elements as they are read: <see cref="TensorType.Float32"/>, <see cref="TensorType.Float16"/> or <see cref="TensorType.BFloat16"/>.</summary>
    public TensorType Type { get; }

    private protected CheckpointTensor Tensor { get; }

    /// <summary>Reads <paramref name="count"/> rows, row-major and little-endian.</summary>
    /// <param name="firstRow">The first of them.</param>
    /// <param name="count">How many.</param>
    /// <param name="destination">Takes them: exactly <c>count · Columns</c> elements of <see cref="Type"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The rows leave the matrix.</exception>
    /// <exception cref="ArgumentException"><paramref name="destination"/> has another length.</exception>
    /// <exception cref="CheckpointException">A decoded element is not finite.</exception>
    public void ReadRows(int firstRow, int count, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstRow);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)firstRow + count, Rows, nameof(count));
        long bytes = (long)count * Columns * Type.Size();
        if (destination.Length != bytes)
        {
            throw new ArgumentException($"{Counted.Of(count, "row")} of {Columns} {Type.Name()} to read: expected {Counted.Of(bytes, "byte")}; found {destination.Length}.", nameof(destination));
        }

        Read(firstRow, count, destination);
    }

    private protected abstract void Read(int firstRow, int count, Span<byte> destination);
}

/// <summary>A matrix that is read as it is stored.</summary>
internal sealed class StoredWeightMatrix(CheckpointTensor tensor, int rows, int columns) : WeightMatrix(tensor, rows, columns, tensor.Type)
{
    private protected override void Read(int firstRow, int count, Span<byte> destination) =>
        Tensor.Read((long)firstRow * Columns * Type.Size(), destination);
}
