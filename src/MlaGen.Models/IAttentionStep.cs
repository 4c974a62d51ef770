namespace MlaGen.Models;

/// <summary>One step of a model, wherever its attention is carried out.</summary>
public interface IAttentionStep
{
    /// <summary>Rows of the step: new tokens.</summary>
    int Rows { get; }
}

/// <summary>
/// The attention of one step, for engines that carry it out themselves: that keep rows elsewhere, or cut a context into parts.
/// <see cref="IMlaAttention{TSelf}.ProjectLatent"/> and <see cref="IMlaAttention{TSelf}.ProjectOutput"/> are what comes before and after their cores.
/// </summary>
/// <typeparam name="T">The generated class.</typeparam>
public interface IAttentionStep<in T> : IAttentionStep
    where T : class, IMlaAttention<T>
{
    /// <summary>Runs one layer; layers come in their order, each once.</summary>
    /// <param name="attention">The layer.</param>
    /// <param name="hidden">Hidden states <c>[Rows, HiddenSize]</c>, normalised.</param>
    /// <param name="output">Takes the layer's output <c>[Rows, HiddenSize]</c>; every number of it.</param>
    void Attend(T attention, ReadOnlySpan<float> hidden, Span<float> output);
}
