using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>What a generated class delegates to: checks the arguments, then runs the batch's engine.</summary>
/// <typeparam name="T">The generated class.</typeparam>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class MlaLayer<T>
    where T : class, IMlaAttention<T>
{
    private readonly LayerWeights _weights;

    /// <summary>Makes a layer.</summary>
    /// <param name="layer">Layer of the cache.</param>
    /// <param name="weights">The layer's weights.</param>
    public MlaLayer(int layer, LayerWeights weights)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(layer);
        MlaDefinition definition = T.Definition.Checked();
        if (weights is { Indexer: null } && definition.Indexer is { IsShared: false })
        {
            throw new ArgumentException("Every layer of this class has an indexer; these weights have none.", nameof(weights));
        }

        Layer = layer;
        _weights = weights;
    }

    /// <summary>Layer of the cache.</summary>
    public int Layer { get; }

    /// <summary>Runs the layer.</summary>
    /// <param name="batch">The step.</param>
    /// <param name="hidden">Hidden states.</param>
    /// <param name="output">Takes the layer's output.</param>
    public void Forward(MlaBatch<T> batch, ReadOnlySpan<float> hidden, Span<float> output)
    {
        ArgumentNullException.ThrowIfNull(batch);
        using MlaBatch.Use use = batch.Begin("Forward");
        batch.ThrowIfNotOpen();
        if (batch.NewTokens != batch.Rows)
        {
            throw new InvalidOperationException("The batch has rows of AddQueries, which append no token: Forward needs new tokens, AttendLatent takes queries alone.");
        }

        MlaLayer.Check(hidden.Length, batch.Rows, 1, T.Shape.HiddenSize, "hidden", "HiddenSize");
        MlaLayer.Check(output.Length, batch.Rows, 1, T.Shape.HiddenSize, "output", "HiddenSize");
        batch.Engine.Forward(_weights, Layer, hidden, output);
    }

    /// <summary>Runs what comes before the core.</summary>
    /// <param name="batch">The step.</param>
    /// <param name="hidden">Hidden states.</param>
    /// <param name="queries">Takes absorbed queries.</param>
    /// <param name="rows">Takes latents and rotary keys.</param>
    public void ProjectLatent(MlaBatch<T> batch, ReadOnlySpan<float> hidden, Span<float> queries, Span<float> rows)
    {
        ArgumentNullException.ThrowIfNull(batch);
        using MlaBatch.Use use = batch.Begin("ProjectLatent");
        batch.ThrowIfNotOpen();
        ThrowIfNotLatent("ProjectLatent");
        if (batch.NewTokens != batch.Rows)
        {
            throw new InvalidOperationException("The batch has rows of AddQueries, which have no position: ProjectLatent needs new tokens.");
        }

        MlaShape shape = T.Shape;
        MlaLayer.Check(hidden.Length, batch.Rows, 1, shape.HiddenSize, "hidden", "HiddenSize");
        MlaLayer.Check(queries.Length, batch.Rows, shape.Heads, shape.CacheRowElements, "queries", "Heads, KvLoraRank + QkRopeHeadDim");
        MlaLayer.Check(rows.Length, batch.Rows, 1, shape.CacheRowElements, "rows", "KvLoraRank + QkRopeHeadDim");
        batch.Engine.ProjectLatent(_weights, hidden, queries, rows);
    }

    /// <summary>Runs what comes after the core.</summary>
    /// <param name="batch">The step.</param>
    /// <param name="latents">Weighted sums of latents.</param>
    /// <param name="output">Takes the layer's output.</param>
    public void ProjectOutput(MlaBatch<T> batch, ReadOnlySpan<float> latents, Span<float> output)
    {
        ArgumentNullException.ThrowIfNull(batch);
        using MlaBatch.Use use = batch.Begin("ProjectOutput");
        batch.ThrowIfNotOpen();
        ThrowIfNotLatent("ProjectOutput");
        MlaShape shape = T.Shape;
        MlaLayer.Check(latents.Length, batch.Rows, shape.Heads, shape.KvLoraRank, "latents", "Heads, KvLoraRank");
        MlaLayer.Check(output.Length, batch.Rows, 1, shape.HiddenSize, "output", "HiddenSize");
        batch.Engine.ProjectOutput(_weights, latents, output);
    }

    /// <summary>
    /// What weighs a head's output by hidden states or softmax denominators cannot be done from weighted sums of latents, and a selection not without index keys.
    /// </summary>
    private void ThrowIfNotLatent(string method)
    {
        if (T.Definition.Indexer is not null)
        {
            throw new InvalidOperationException($"{typeof(T).Name} attends to a selection, which its indexer makes of hidden states and index keys. {method} is for classes without one: Forward runs the whole layer.");
        }

        string? reason = (_weights.Sinks is not null, T.Definition.OutputGate) switch
        {
            (false, OutputGate.None) => null,
            (true, OutputGate.None) => "attention sinks, which weigh a head's output by its log-sum-exp",
            (false, _) => "an output gate, which weighs a head's output by the hidden state",
            _ => "an output gate and attention sinks, which weigh a head's output by the hidden state and by its log-sum-exp",
        };
        if (reason is not null)
        {
            throw new InvalidOperationException($"{typeof(T).Name} has {reason}; ProjectOutput gets only weighted sums of latents. {method} is for classes without them: Forward runs the whole layer.");
        }
    }
}

/// <summary>What a generated class's static members delegate to.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class MlaLayer
{
    /// <summary>Runs the core alone.</summary>
    /// <typeparam name="T">The generated class.</typeparam>
    /// <param name="batch">The step.</param>
    /// <param name="layer">Layer of the cache.</param>
    /// <param name="queries">Absorbed queries.</param>
    /// <param name="output">Takes weighted sums of latents.</param>
    /// <param name="logSumExp">Takes logarithms of the softmax denominators.</param>
    public static void AttendLatent<T>(MlaBatch<T> batch, int layer, ReadOnlySpan<float> queries, Span<float> output, Span<float> logSumExp)
        where T : class, IMlaAttention<T>
        => Attend(batch, layer, queries, [], selects: false, output, logSumExp);

    /// <summary>Runs the core alone on selected tokens.</summary>
    /// <typeparam name="T">The generated class.</typeparam>
    /// <param name="batch">The step.</param>
    /// <param name="layer">Layer of the cache.</param>
    /// <param name="queries">Absorbed queries.</param>
    /// <param name="selected">Which tokens each row attends to.</param>
    /// <param name="output">Takes weighted sums of latents.</param>
    /// <param name="logSumExp">Takes logarithms of the softmax denominators.</param>
    public static void AttendLatent<T>(MlaBatch<T> batch, int layer, ReadOnlySpan<float> queries, ReadOnlySpan<int> selected, Span<float> output, Span<float> logSumExp)
        where T : class, IMlaAttention<T>
        => Attend(batch, layer, queries, selected, selects: true, output, logSumExp);

    /// <summary>Scores cached tokens by the sparse indexer alone.</summary>
    /// <typeparam name="T">The generated class.</typeparam>
    /// <param name="batch">The step.</param>
    /// <param name="layer">Layer of the cache.</param>
    /// <param name="indexQueries">Rotated index queries.</param>
    /// <param name="indexWeights">Weights of the index heads.</param>
    /// <param name="scores">Takes scores of the tokens of each row's sequence.</param>
    public static void IndexScores<T>(MlaBatch<T> batch, int layer, ReadOnlySpan<float> indexQueries, ReadOnlySpan<float> indexWeights, Span<float> scores)
        where T : class, IMlaAttention<T>
    {
        ArgumentNullException.ThrowIfNull(batch);
        using MlaBatch.Use use = batch.Begin("IndexScores");
        batch.ThrowIfNotOpen();
        IndexerDefinition indexer = T.Definition.Indexer ?? throw new InvalidOperationException($"{typeof(T).Name} has no sparse indexer: IndexTopK on the class gives it one.");
        if (indexer.PoolTokens > 0)
        {
            throw new InvalidOperationException($"The indexer of {typeof(T).Name} pools keys, which takes weights: its tokens have no scores by themselves.");
        }

        Check(indexQueries.Length, batch.Rows, indexer.Heads, indexer.HeadDim, "indexQueries", "IndexHeads, IndexHeadDim");
        Check(indexWeights.Length, batch.Rows, indexer.Heads, 1, "indexWeights", "IndexHeads");
        CheckRows(scores.Length, batch.Rows, "scores", "tokens");
        foreach (ref readonly BatchEntry entry in batch.Entries)
        {
            if (entry.Keys > scores.Length / batch.Rows)
            {
                throw new ArgumentException(FormattableString.Invariant($"scores takes [batch.Rows, tokens]; a sequence has {Counted.Of(entry.Keys, "token")}, and there is room for {scores.Length / batch.Rows}."), nameof(scores));
            }
        }

        batch.Engine.IndexScores(layer, indexQueries, indexWeights, scores);
    }

    /// <summary>Writes finished rows.</summary>
    /// <typeparam name="T">The generated class.</typeparam>
    /// <param name="batch">The step.</param>
    /// <param name="layer">Layer of the cache.</param>
    /// <param name="rows">Latent and rotary key of each new token.</param>
    public static void AppendLatent<T>(MlaBatch<T> batch, int layer, ReadOnlySpan<float> rows)
        where T : class, IMlaAttention<T>
    {
        ArgumentNullException.ThrowIfNull(batch);
        using MlaBatch.Use use = batch.Begin("AppendLatent");
        batch.ThrowIfNotOpen();
        string formula = T.Definition.Indexer is null ? "KvLoraRank + QkRopeHeadDim" : T.Definition.Indexer.PoolTokens == 0 ? "KvLoraRank + QkRopeHeadDim + IndexHeadDim" : "KvLoraRank + QkRopeHeadDim + 2·IndexHeadDim";
        Check(rows.Length, batch.Rows, 1, batch.Pool.Layout.RowElements, "rows", formula);
        batch.Engine.AppendLatent(layer, rows);
    }

    /// <summary>Compiles what a class's steps run.</summary>
    /// <typeparam name="T">The generated class.</typeparam>
    public static void Warmup<T>()
        where T : class, IMlaAttention<T>
        => Runtime.Warmup.Run<T>();

    private static void Attend<T>(MlaBatch<T> batch, int layer, ReadOnlySpan<float> queries, ReadOnlySpan<int> selected, bool selects, Span<float> output, Span<float> logSumExp)
        where T : class, IMlaAttention<T>
    {
        ArgumentNullException.ThrowIfNull(batch);
        using MlaBatch.Use use = batch.Begin("AttendLatent");
        batch.ThrowIfNotOpen();
        MlaShape shape = T.Shape;
        Check(queries.Length, batch.Rows, shape.Heads, shape.CacheRowElements, "queries", "Heads, KvLoraRank + QkRopeHeadDim");
        Check(output.Length, batch.Rows, shape.Heads, shape.KvLoraRank, "output", "Heads, KvLoraRank");
        Check(logSumExp.Length, batch.Rows, shape.Heads, 1, "logSumExp", "Heads");
        if (selects)
        {
            CheckRows(selected.Length, batch.Rows, "selected", "most selected tokens");
        }

        batch.Engine.AttendLatent(layer, queries, selected, output, logSumExp);
    }

    /// <summary>Refuses a span that is not as much for each row.</summary>
    private static void CheckRows(int found, int rows, string name, string width)
    {
        if (found == 0 || found % rows != 0)
        {
            throw new ArgumentException(FormattableString.Invariant($"{name} takes [batch.Rows, {width}], as much for each of {Counted.Of(rows, "row")}; found {Counted.Of(found, "element")}."), name);
        }
    }

    internal static void Check(int found, int rows, int heads, int width, string name, string formula)
    {
        if ((long)rows * heads * width > Array.MaxLength)
        {
            throw new ArgumentException(
                FormattableString.Invariant($"{name} takes [batch.Rows, {formula}] = {(long)rows * heads * width} floats for {rows} rows; a step takes at most {Array.MaxLength}. It needs fewer rows."),
                name);
        }

        if (found != (long)rows * heads * width)
        {
            throw new ArgumentException(
                FormattableString.Invariant($"{name} takes [batch.Rows, {formula}] = {Counted.Of((long)rows * heads * width, "float")} for {Counted.Of(rows, "row")}; found {found}."),
                name);
        }
    }
}
