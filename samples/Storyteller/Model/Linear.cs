using MlaGen;

namespace Storyteller.Model;

/// <summary>A matrix product <c>y = x Wᵀ</c> without bias; <c>W</c> is <c>[outputs, inputs]</c>, as checkpoints store it.</summary>
internal sealed class Linear
{
    private readonly float[] _weights;

    public Linear(float[] weights, int outputs, int inputs)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(weights.Length, outputs * inputs);
        _weights = weights;
        Outputs = outputs;
        Inputs = inputs;
    }

    public int Outputs { get; }

    public int Inputs { get; }

    public static Linear Load(ICheckpoint checkpoint, string name, int outputs, int inputs) =>
        new(Tensors.Read(checkpoint, name, outputs, inputs), outputs, inputs);

    /// <summary>Multiplies <paramref name="rows"/> rows of <paramref name="x"/>; a row's result does not depend on its neighbours.</summary>
    /// <param name="x"><c>[rows, Inputs]</c>.</param>
    /// <param name="y"><c>[rows, Outputs]</c>.</param>
    /// <param name="rows">How many rows.</param>
    public void Forward(ReadOnlySpan<float> x, Span<float> y, int rows)
    {
        // Outputs run outermost: a row of weights is read from memory once and then meets every row of x.
        for (int output = 0; output < Outputs; output++)
        {
            ReadOnlySpan<float> weights = _weights.AsSpan(output * Inputs, Inputs);
            for (int row = 0; row < rows; row++)
            {
                y[(row * Outputs) + output] = FixedOrder.Dot(x.Slice(row * Inputs, Inputs), weights);
            }
        }
    }
}
