using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace MlaGen;

/// <summary>Layers on tensors, whose shape says what a span leaves to its length.</summary>
public static class MlaTensorExtensions
{
    /// <summary>Runs a layer, as its <c>Forward</c> on spans does.</summary>
    /// <typeparam name="T">A class generated from <see cref="MlaAttentionAttribute"/>.</typeparam>
    /// <param name="layer">The layer.</param>
    /// <param name="batch">The step: which sequences, how many new tokens of each.</param>
    /// <param name="hidden">Hidden states <c>[batch.Rows, HiddenSize]</c>, dense.</param>
    /// <param name="output">Takes the layer's output <c>[batch.Rows, HiddenSize]</c>, dense; it may be <paramref name="hidden"/> itself.</param>
    /// <exception cref="ArgumentException">A tensor has another shape, or gaps between its rows; nothing was changed.</exception>
    public static void Forward<T>(this T layer, MlaBatch<T> batch, in ReadOnlyTensorSpan<float> hidden, in TensorSpan<float> output)
        where T : class, IMlaAttention<T>
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(batch);
        batch.ThrowIfNotOpen();
        Check(hidden, batch.Rows, T.Shape.HiddenSize, nameof(hidden));
        Check(output, batch.Rows, T.Shape.HiddenSize, nameof(output));
        int length = batch.Rows * T.Shape.HiddenSize;
        layer.Forward(
            batch,
            MemoryMarshal.CreateReadOnlySpan(in hidden.GetPinnableReference(), length),
            MemoryMarshal.CreateSpan(ref output.GetPinnableReference(), length));
    }

    private static void Check(in ReadOnlyTensorSpan<float> tensor, int rows, int width, string name)
    {
        ReadOnlySpan<nint> lengths = tensor.Lengths;
        if (lengths.Length != 2 || lengths[0] != rows || lengths[1] != width)
        {
            throw new ArgumentException(FormattableString.Invariant($"{name} takes [batch.Rows, HiddenSize] = [{rows}, {width}]; found [{string.Join(", ", lengths.ToArray())}]."), name);
        }

        if ((long)rows * width > int.MaxValue)
        {
            throw new ArgumentException(FormattableString.Invariant($"{name} has {(long)rows * width} floats; a step takes at most {int.MaxValue}. It needs fewer rows."), name);
        }

        if (!tensor.IsDense)
        {
            throw new ArgumentException($"{name} must be dense: its rows follow each other without a gap.", name);
        }
    }
}
