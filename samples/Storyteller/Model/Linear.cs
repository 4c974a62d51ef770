using MlaGen;
using MlaGen.Runtime;

namespace Storyteller.Model;

/// <summary>A matrix product <c>y = x Wᵀ</c> without bias; <c>W</c> is <c>[outputs, inputs]</c>, as checkpoints store it.</summary>
internal sealed class Linear
{
    private readonly PackedMatrix _weights;

    private Linear(PackedMatrix weights) => _weights = weights;

    public int Outputs => _weights.Rows;

    public int Inputs => _weights.Columns;

    /// <summary>Packs a matrix in the type that the checkpoint has it in.</summary>
    public static Linear Load(ICheckpoint checkpoint, string name, int outputs, int inputs)
    {
        CheckpointTensor tensor = Tensors.Find(checkpoint, name, outputs, inputs);
        long rowBytes = (long)inputs * Tensors.ElementBytes(tensor);
        return new Linear(PackedMatrix.Pack(
            outputs,
            inputs,
            tensor.Type,
            (firstRow, count, destination) => tensor.Read(firstRow * rowBytes, destination[..checked((int)(count * rowBytes))])));
    }

    /// <summary>Multiplies <paramref name="rows"/> rows of <paramref name="x"/>; a row's result does not depend on its neighbours.</summary>
    /// <param name="x"><c>[rows, Inputs]</c>.</param>
    /// <param name="y"><c>[rows, Outputs]</c>.</param>
    /// <param name="rows">How many rows.</param>
    public void Forward(ReadOnlySpan<float> x, Span<float> y, int rows) => _weights.Multiply(x, y, rows);
}
