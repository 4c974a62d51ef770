namespace MlaGen.Models;

/// <summary>What a step's products run on.</summary>
/// <param name="Executor">The threads.</param>
/// <param name="Cancellation">Ends a product early.</param>
internal readonly record struct Workers(MlaExecutor Executor, CancellationToken Cancellation)
{
    /// <summary>Multiplies rows; little work stays on the calling thread.</summary>
    public void Multiply(Linear linear, ReadOnlySpan<float> x, Span<float> y, int rows) => linear.Multiply(x, y, rows, Executor, Cancellation);

    /// <summary>Multiplies one row with each of several matrices.</summary>
    public void MultiplyEach(ReadOnlySpan<Linear> linears, ReadOnlySpan<float> xs, Span<float> ys) => Linear.MultiplyEach(linears, xs, ys, Executor, Cancellation);
}
