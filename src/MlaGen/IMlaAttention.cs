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

    /// <summary>What the class is to the runtime.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    static abstract MlaDefinition Definition { get; }

    /// <summary>Which layer of the cache this one writes and reads.</summary>
    int Layer { get; }

    /// <summary>Loads a layer.</summary>
    /// <param name="checkpoint">Where the tensors are.</param>
    /// <param name="prefix">What their names begin with, such as <c>model.layers.0.self_attn.</c></param>
    /// <param name="layer">Which layer of the cache it writes and reads, counted from 0.</param>
    /// <returns>The layer. Its weights are packed; the checkpoint is not needed any more.</returns>
    /// <exception cref="CheckpointException">A tensor is missing, or of another shape or type: says which, what was expected and what was found.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="layer"/> is negative.</exception>
    static abstract TSelf Load(ICheckpoint checkpoint, string prefix, int layer);

    /// <summary>The attention core alone, for engines that own their projections: absorbed queries against cached rows.</summary>
    /// <param name="batch">The step.</param>
    /// <param name="layer">Layer of the cache.</param>
    /// <param name="queries">Absorbed, rotated, unscaled queries <c>[batch.Rows, Heads, KvLoraRank + QkRopeHeadDim]</c>; the softmax scale is applied inside.</param>
    /// <param name="output">Takes weighted sums of latents <c>[batch.Rows, Heads, KvLoraRank]</c>; zeros for a row without keys.</param>
    /// <param name="logSumExp">Takes the natural logarithm of each softmax's denominator <c>[batch.Rows, Heads]</c>; negative infinity for a row without keys.</param>
    /// <exception cref="ArgumentException">A span has another length; nothing was changed.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The cache has no such layer.</exception>
    /// <exception cref="InvalidOperationException">The batch is empty, or a layer has not written the rows of its new tokens.</exception>
    /// <exception cref="OperationCanceledException">Cancelled by <see cref="MlaBatch.CancellationToken"/>.</exception>
    /// <exception cref="ObjectDisposedException">The batch or the cache is disposed.</exception>
    static virtual void AttendLatent(MlaBatch<TSelf> batch, int layer, ReadOnlySpan<float> queries, Span<float> output, Span<float> logSumExp) => MlaLayer.AttendLatent(batch, layer, queries, output, logSumExp);

    /// <summary>
    /// The attention core alone on selected tokens, for engines that select themselves: with <see cref="IndexScores"/> and <see cref="TopTokens"/>, or otherwise. The softmax is over the selected
    /// tokens, and no others are read.
    /// </summary>
    /// <param name="batch">The step.</param>
    /// <param name="layer">Layer of the cache.</param>
    /// <param name="queries">Absorbed, rotated, unscaled queries <c>[batch.Rows, Heads, KvLoraRank + QkRopeHeadDim]</c>; the softmax scale is applied inside.</param>
    /// <param name="selected">Which tokens of its sequence each row attends to <c>[batch.Rows, most]</c>: indices of tokens that the row sees, in ascending order, and -1 behind the last one.</param>
    /// <param name="output">Takes weighted sums of latents <c>[batch.Rows, Heads, KvLoraRank]</c>; zeros for a row that selects nothing.</param>
    /// <param name="logSumExp">Takes the natural logarithm of each softmax's denominator <c>[batch.Rows, Heads]</c>; negative infinity for a row that selects nothing.</param>
    /// <exception cref="ArgumentException">A span has another length, or a row selects what it does not see, or out of order; nothing was changed.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The cache has no such layer.</exception>
    /// <exception cref="InvalidOperationException">The batch is empty, or a layer has not written the rows of its new tokens.</exception>
    /// <exception cref="OperationCanceledException">Cancelled by <see cref="MlaBatch.CancellationToken"/>.</exception>
    /// <exception cref="ObjectDisposedException">The batch or the cache is disposed.</exception>
    static virtual void AttendLatent(MlaBatch<TSelf> batch, int layer, ReadOnlySpan<float> queries, ReadOnlySpan<int> selected, Span<float> output, Span<float> logSumExp) => MlaLayer.AttendLatent(batch, layer, queries, selected, output, logSumExp);

    /// <summary>The scores of the class's sparse indexer alone, for engines that own their projections: <c>Σ_h w_h · relu(q_h · k_t · IndexHeadDim^-½) · IndexHeads^-½</c> for every cached token.</summary>
    /// <param name="batch">The step.</param>
    /// <param name="layer">Layer of the cache; its rows have index keys.</param>
    /// <param name="indexQueries">Rotated index queries <c>[batch.Rows, IndexHeads, IndexHeadDim]</c>.</param>
    /// <param name="indexWeights">Weights of the index heads as <c>weights_proj</c> makes them <c>[batch.Rows, IndexHeads]</c>; both factors are applied inside.</param>
    /// <param name="scores">Takes scores of the tokens of each row's sequence <c>[batch.Rows, tokens]</c>, as many tokens as the longest sequence has or more; negative infinity for those that the row does not see.</param>
    /// <exception cref="ArgumentException">A span has another length; nothing was changed.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The cache has no such layer.</exception>
    /// <exception cref="InvalidOperationException">The class has no sparse indexer, the batch is empty, or a layer has not written the rows of its new tokens.</exception>
    /// <exception cref="OperationCanceledException">Cancelled by <see cref="MlaBatch.CancellationToken"/>.</exception>
    /// <exception cref="ObjectDisposedException">The batch or the cache is disposed.</exception>
    static virtual void IndexScores(MlaBatch<TSelf> batch, int layer, ReadOnlySpan<float> indexQueries, ReadOnlySpan<float> indexWeights, Span<float> scores) => MlaLayer.IndexScores(batch, layer, indexQueries, indexWeights, scores);

    /// <summary>Writes the rows of the batch's new tokens, for engines that own their projections.</summary>
    /// <param name="batch">The step.</param>
    /// <param name="layer">Layer of the cache.</param>
    /// <param name="rows">Normalised latent, then rotated key of each new token <c>[batch.Rows, KvLoraRank + QkRopeHeadDim]</c>, and of a class with a sparse indexer its index key behind them, behind that the logits by which pools weigh it, if the class has pools; rows of <see cref="MlaBatch.AddQueries"/> are passed over.</param>
    /// <exception cref="ArgumentException">A span has another length; nothing was changed.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The cache has no such layer.</exception>
    /// <exception cref="InvalidOperationException">The batch is empty.</exception>
    /// <exception cref="OverflowException">The cache's format cannot hold a value; the step can only be rolled back.</exception>
    /// <exception cref="ObjectDisposedException">The batch or the cache is disposed.</exception>
    static virtual void AppendLatent(MlaBatch<TSelf> batch, int layer, ReadOnlySpan<float> rows) => MlaLayer.AppendLatent(batch, layer, rows);

    /// <summary>
    /// Compiles everything that steps of this class run, in about a tenth of a second, so that the first one is as fast as those that follow.
    /// Otherwise it is compiled as it is first called. Needs no weights, and so can run beside their loading; touches no cache and no batch.
    /// </summary>
    /// <remarks>Thread-safe. Once a process is enough: later calls compile nothing.</remarks>
    static virtual void Warmup() => Runtime.Warmup.Run<TSelf>();

    /// <summary>Which attention cores the class has for a cache, which of them run on this machine, and why the better ones do not.</summary>
    /// <param name="format">Format of the cache; <see langword="null"/> for the class's own.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such format.</exception>
    static virtual MlaCores Cores(CacheFormat? format = null) => MlaCores.Of<TSelf>(format);

    /// <summary>Runs the layer: appends the batch's new tokens to the cache and attends to every token up to and including each row's own.</summary>
    /// <param name="batch">The step: which sequences, how many new tokens of each.</param>
    /// <param name="hidden">Hidden states <c>[batch.Rows, HiddenSize]</c>.</param>
    /// <param name="output">Takes the layer's output <c>[batch.Rows, HiddenSize]</c>; it may be <paramref name="hidden"/> itself.</param>
    /// <exception cref="ArgumentException">A span has another length; nothing was changed.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The cache has no such layer.</exception>
    /// <exception cref="InvalidOperationException">The batch is empty, or has rows of <see cref="MlaBatch.AddQueries"/>, or a layer without an indexer comes before one that selects for it.</exception>
    /// <exception cref="OverflowException">The cache's format cannot hold a value; the step can only be rolled back.</exception>
    /// <exception cref="NotFiniteNumberException">A score of the sparse indexer is not a number; the step can only be rolled back.</exception>
    /// <exception cref="OperationCanceledException">Cancelled by <see cref="MlaBatch.CancellationToken"/>; the step can only be rolled back.</exception>
    /// <exception cref="ObjectDisposedException">The batch or the cache is disposed.</exception>
    void Forward(MlaBatch<TSelf> batch, ReadOnlySpan<float> hidden, Span<float> output);

    /// <summary>
    /// What comes before <see cref="AttendLatent(MlaBatch{TSelf}, int, ReadOnlySpan{float}, Span{float}, Span{float})"/>, for engines that keep rows elsewhere, cut a context into parts or spread it over machines: from
    /// hidden states to absorbed queries and to the rows of the new tokens, with the same bits as in <see cref="Forward"/>. Reads and writes no
    /// cache: of the batch it takes positions, threads and working memory, and a batch that does nothing else is rolled back.
    /// </summary>
    /// <param name="batch">The step; which sequence a new token belongs to makes no difference, its position does.</param>
    /// <param name="hidden">Hidden states <c>[batch.Rows, HiddenSize]</c>.</param>
    /// <param name="queries">Takes absorbed, rotated, unscaled queries <c>[batch.Rows, Heads, KvLoraRank + QkRopeHeadDim]</c>.</param>
    /// <param name="rows">Takes normalised latent, then rotated key of each new token <c>[batch.Rows, KvLoraRank + QkRopeHeadDim]</c>, for <see cref="AppendLatent"/>.</param>
    /// <exception cref="ArgumentException">A span has another length; nothing was changed.</exception>
    /// <exception cref="InvalidOperationException">
    /// The batch is empty, or has rows of <see cref="MlaBatch.AddQueries"/>; or the class has an output gate or attention sinks, which <see cref="ProjectOutput"/>
    /// could not apply, or a sparse indexer, whose selection takes index keys.
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled by <see cref="MlaBatch.CancellationToken"/>.</exception>
    /// <exception cref="ObjectDisposedException">The batch or the cache is disposed.</exception>
    void ProjectLatent(MlaBatch<TSelf> batch, ReadOnlySpan<float> hidden, Span<float> queries, Span<float> rows);

    /// <summary>What comes after <see cref="AttendLatent(MlaBatch{TSelf}, int, ReadOnlySpan{float}, Span{float}, Span{float})"/>: from weighted sums of latents, those of all parts merged, to the layer's output. Reads and writes no cache.</summary>
    /// <param name="batch">The step.</param>
    /// <param name="latents">Weighted sums of latents <c>[batch.Rows, Heads, KvLoraRank]</c>.</param>
    /// <param name="output">Takes the layer's output <c>[batch.Rows, HiddenSize]</c>.</param>
    /// <exception cref="ArgumentException">A span has another length; nothing was changed.</exception>
    /// <exception cref="InvalidOperationException">
    /// The batch is empty; or the class has an output gate or attention sinks, which take hidden states and the log-sum-exp of all parts, or a sparse indexer, whose
    /// selection takes index keys.
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled by <see cref="MlaBatch.CancellationToken"/>.</exception>
    /// <exception cref="ObjectDisposedException">The batch or the cache is disposed.</exception>
    void ProjectOutput(MlaBatch<TSelf> batch, ReadOnlySpan<float> latents, Span<float> output);
}
