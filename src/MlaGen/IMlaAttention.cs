using System.ComponentModel;
using MlaGen.Runtime;

namespace MlaGen;

/// <summary>What every class generated from <see cref="MlaAttentionAttribute"/> is: one MLA layer.</summary>
/// <typeparam name="TSelf">The generated class itself.</typeparam>
public interface IMlaAttention<TSelf>
    where TSelf : class, IMlaAttention<TSelf>
{
    /// <summary>The layer's dimensions.</summary>
    static abstract MlaShape Shape { get; }

    /// <summary>The layer's constants.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    static abstract MlaDefinition Definition { get; }

    /// <summary>
    /// Compiles everything that steps of this class run, in tens of milliseconds, so that the first one is as fast as those that follow.
    /// Otherwise it is compiled as it is first called. Needs no weights, and so can run beside their loading; touches no cache and no batch.
    /// </summary>
    /// <remarks>Thread-safe. Once a process is enough: later calls compile nothing. A class that was not generated has nothing to compile.</remarks>
    static virtual void Warmup()
    {
    }

    /// <summary>Takes the memory that a batch's steps of up to so many rows work in.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="rows">Rows of a step.</param>
    /// <remarks>For <see cref="LatentCache{TAttention}.CreateBatch"/>. A class that was not generated takes its memory as it needs it.</remarks>
    [EditorBrowsable(EditorBrowsableState.Never)]
    static virtual void Reserve(MlaBatch<TSelf> batch, int rows)
    {
    }

    /// <summary>Runs the layer: appends the batch's new tokens to the cache and attends to every token up to and including each row's own.</summary>
    /// <param name="batch">The step: which sequences, how many new tokens of each.</param>
    /// <param name="hidden">Hidden states <c>[batch.Rows, HiddenSize]</c>.</param>
    /// <param name="output">Takes the layer's output <c>[batch.Rows, HiddenSize]</c>; it may be <paramref name="hidden"/> itself.</param>
    /// <exception cref="ArgumentException">A span has another length; nothing was changed.</exception>
    void Forward(MlaBatch<TSelf> batch, ReadOnlySpan<float> hidden, Span<float> output);
}
