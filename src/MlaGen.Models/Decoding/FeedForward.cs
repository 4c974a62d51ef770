using System.Buffers;

namespace MlaGen.Models;

/// <summary>A feed-forward part of a layer: hidden rows in, hidden rows out.</summary>
internal interface IFeedForward
{
    /// <summary>Computes <paramref name="rows"/> rows.</summary>
    /// <param name="workers">What it runs on.</param>
    /// <param name="x"><c>[rows, HiddenSize]</c>.</param>
    /// <param name="y"><c>[rows, HiddenSize]</c>; overwritten, and not the memory of <paramref name="x"/>.</param>
    /// <param name="rows">How many rows.</param>
    void Forward(Workers workers, ReadOnlySpan<float> x, Span<float> y, int rows);
}

/// <summary>SwiGLU (transformers' <c>DeepseekV3MLP</c>): <c>down(silu(gate x) · up x)</c>.</summary>
/// <param name="gate">To the inner width.</param>
/// <param name="up">To the inner width.</param>
/// <param name="down">Back.</param>
/// <param name="limit">Clamps both factors (<c>swiglu_limit</c>); infinity for none.</param>
internal sealed class Mlp(Linear gate, Linear up, Linear down, float limit) : IFeedForward
{
    private Linear Gate => gate;

    private Linear Up => up;

    private Linear Down => down;

    private float Limit => limit;

    private int Width => gate.OutFeatures;

    public void Forward(Workers workers, ReadOnlySpan<float> x, Span<float> y, int rows)
    {
        using RentedFloats gates = new(rows * gate.OutFeatures);
        using RentedFloats ups = new(rows * up.OutFeatures);
        workers.Multiply(gate, x, gates.Span, rows);
        workers.Multiply(up, x, ups.Span, rows);
        RowArithmetic.SwiGlu(gates.Span, ups.Span, limit);
        workers.Multiply(down, gates.Span, y, rows);
    }

    /// <summary>Carries one row through each of several, whose products run beside each other: alone, small ones would leave threads idle.</summary>
    /// <param name="workers">What it runs on.</param>
    /// <param name="parts">The parts, of one hidden size.</param>
    /// <param name="x"><c>[HiddenSize]</c>.</param>
    /// <param name="ys">A row for each, <c>[parts.Length, HiddenSize]</c>, with the bits of <see cref="Forward"/>.</param>
    public static void ForwardEach(Workers workers, ReadOnlySpan<Mlp> parts, ReadOnlySpan<float> x, Span<float> ys)
    {
        int inner = 0;
        foreach (Mlp part in parts)
        {
            inner += part.Width;
        }

        using RentedFloats inputs = new(2 * parts.Length * x.Length);
        using RentedFloats factors = new(2 * inner);
        using RentedFloats products = new(inner);
        Linear[] layers = ArrayPool<Linear>.Shared.Rent(2 * parts.Length);
        for (int i = 0; i < parts.Length; i++)
        {
            (layers[2 * i], layers[(2 * i) + 1]) = (parts[i].Gate, parts[i].Up);
            x.CopyTo(inputs.Span[(2 * i * x.Length)..]);
            x.CopyTo(inputs.Span[(((2 * i) + 1) * x.Length)..]);
        }

        workers.MultiplyEach(layers.AsSpan(0, 2 * parts.Length), inputs.Span, factors.Span);
        Span<float> pair = factors.Span;
        Span<float> product = products.Span;
        for (int i = 0; i < parts.Length; i++)
        {
            int width = parts[i].Width;
            RowArithmetic.SwiGlu(pair[..width], pair[width..(2 * width)], parts[i].Limit);
            pair[..width].CopyTo(product);
            pair = pair[(2 * width)..];
            product = product[width..];
            layers[i] = parts[i].Down;
        }

        workers.MultiplyEach(layers.AsSpan(0, parts.Length), products.Span, ys);
        ArrayPool<Linear>.Shared.Return(layers, clearArray: true);
    }
}

/// <summary>A feed-forward part whose output is normalised before it is added (A.X-K1's <c>post_mlp_layernorm</c>).</summary>
internal sealed class NormedFeedForward(IFeedForward inner, INorm norm) : IFeedForward
{
    public void Forward(Workers workers, ReadOnlySpan<float> x, Span<float> y, int rows)
    {
        inner.Forward(workers, x, y, rows);
        norm.Forward(workers, y, y);
    }
}
