namespace MlaGen.Models;

/// <summary>An attention layer, seen without its generated class.</summary>
internal interface IAttention
{
    /// <summary>Runs the layer; see <see cref="IAttentionStep{T}.Attend"/>.</summary>
    void Forward(IAttentionStep step, ReadOnlySpan<float> hidden, Span<float> output);
}

/// <summary>A generated layer.</summary>
/// <typeparam name="T">The generated class.</typeparam>
internal sealed class Attention<T>(T layer) : IAttention
    where T : class, IMlaAttention<T>
{
    // LanguageModel<T> has let no other step in.
    public void Forward(IAttentionStep step, ReadOnlySpan<float> hidden, Span<float> output) => ((IAttentionStep<T>)step).Attend(layer, hidden, output);
}

/// <summary>A step of a cache.</summary>
/// <typeparam name="T">The generated class.</typeparam>
/// <param name="batch">The sequences that grow, with their new tokens already added.</param>
internal sealed class BatchStep<T>(MlaBatch<T> batch) : IAttentionStep<T>
    where T : class, IMlaAttention<T>
{
    public int Rows => batch.Rows;

    public void Attend(T attention, ReadOnlySpan<float> hidden, Span<float> output) => attention.Forward(batch, hidden, output);
}
