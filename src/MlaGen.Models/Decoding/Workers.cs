namespace MlaGen.Models;

/// <summary>What a step's products run on, and how exactly.</summary>
/// <param name="Executor">The threads.</param>
/// <param name="Precision">How exactly to multiply.</param>
/// <param name="Cancellation">Ends a product early.</param>
internal readonly record struct Workers(MlaExecutor Executor, MlaPrecision Precision, CancellationToken Cancellation)
{
    /// <summary>Multiplies rows; little work stays on the calling thread.</summary>
    public void Multiply(Linear linear, ReadOnlySpan<float> x, Span<float> y, int rows) => linear.Multiply(x, y, rows, Executor, Precision, Cancellation);

    /// <summary>The same at the highest precision: where the outputs decide what is computed.</summary>
    public void MultiplyExactly(Linear linear, ReadOnlySpan<float> x, Span<float> y, int rows) => linear.Multiply(x, y, rows, Executor, MlaPrecision.Highest, Cancellation);

    /// <summary>Multiplies one row with each of several matrices.</summary>
    public void MultiplyEach(ReadOnlySpan<Linear> linears, ReadOnlySpan<float> xs, Span<float> ys) => Linear.MultiplyEach(linears, xs, ys, Executor, Precision, Cancellation);
}
