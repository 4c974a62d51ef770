using MlaGen;

namespace Storyteller.Model;

/// <summary>The attention of one step, wherever its cache lies.</summary>
/// <typeparam name="TAttention">The model's attention.</typeparam>
internal interface IAttentionStep<in TAttention>
{
    /// <summary>Rows of the step: new tokens.</summary>
    int Rows { get; }

    /// <summary>Runs one layer.</summary>
    /// <param name="attention">The layer.</param>
    /// <param name="hidden"><c>[Rows, HiddenSize]</c>.</param>
    /// <param name="output"><c>[Rows, HiddenSize]</c>; overwritten.</param>
    void Attend(TAttention attention, ReadOnlySpan<float> hidden, Span<float> output);
}

/// <summary>A step of a cache of this process.</summary>
/// <param name="batch">The sequences that grow, with their new tokens already added.</param>
internal readonly struct BatchStep<TAttention>(MlaBatch<TAttention> batch) : IAttentionStep<TAttention>
    where TAttention : class, IMlaAttention<TAttention>
{
    public int Rows => batch.Rows;

    public void Attend(TAttention attention, ReadOnlySpan<float> hidden, Span<float> output) => attention.Forward(batch, hidden, output);
}
