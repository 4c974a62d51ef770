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
    public void Forward(Workers workers, ReadOnlySpan<float> x, Span<float> y, int rows)
    {
        using RentedFloats gates = new(rows * gate.OutFeatures);
        using RentedFloats ups = new(rows * up.OutFeatures);
        workers.Multiply(gate, x, gates.Span, rows);
        workers.Multiply(up, x, ups.Span, rows);
        RowArithmetic.SwiGlu(gates.Span, ups.Span, limit);
        workers.Multiply(down, gates.Span, y, rows);
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
