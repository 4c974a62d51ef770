using System.Numerics.Tensors;
using MlaGen;

namespace Storyteller.Model;

/// <summary>A feed-forward part of a layer: hidden rows in, hidden rows out.</summary>
internal interface IFeedForward
{
    /// <summary>Computes <paramref name="rows"/> rows.</summary>
    /// <param name="x"><c>[rows, HiddenSize]</c>.</param>
    /// <param name="y"><c>[rows, HiddenSize]</c>; overwritten, and not the memory of <paramref name="x"/>.</param>
    /// <param name="rows">How many rows.</param>
    void Forward(ReadOnlySpan<float> x, Span<float> y, int rows);
}

/// <summary>SwiGLU (transformers' <c>DeepseekV3MLP</c>): <c>down(silu(gate x) · up x)</c>.</summary>
internal sealed class Mlp(Linear gate, Linear up, Linear down) : IFeedForward
{
    public static Mlp Load(ICheckpoint checkpoint, string prefix, int hiddenSize, int intermediateSize) => new(
        Linear.Load(checkpoint, prefix + "gate_proj", hiddenSize, intermediateSize),
        Linear.Load(checkpoint, prefix + "up_proj", hiddenSize, intermediateSize),
        Linear.Load(checkpoint, prefix + "down_proj", intermediateSize, hiddenSize));

    public void Forward(ReadOnlySpan<float> x, Span<float> y, int rows)
    {
        using RentedFloats gated = new(rows * gate.OutFeatures);
        using RentedFloats raised = new(rows * up.OutFeatures);
        using RentedFloats sigmoid = new(rows * gate.OutFeatures);
        gate.Multiply(x, gated.Span, rows);
        up.Multiply(x, raised.Span, rows);
        TensorPrimitives.Sigmoid(gated.Span, sigmoid.Span);
        TensorPrimitives.Multiply(gated.Span, sigmoid.Span, gated.Span);
        TensorPrimitives.Multiply(gated.Span, raised.Span, gated.Span);
        down.Multiply(gated.Span, y, rows);
    }
}
