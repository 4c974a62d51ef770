namespace MlaGen.Runtime;

/// <summary>
/// What may stand under an attention's prefix. A tensor that nothing reads is refused unless it is known to leave the arithmetic alone: an output gate
/// or a sink left out in silence would be another model. The generator compiles this file too, so that the build and the loading agree.
/// </summary>
internal static class AttentionTensors
{
    private const string Indexer = "indexer.";

    // Buffers that older releases saved; they are computed from the configuration.
    private static readonly string[] _buffers = ["rotary_emb.inv_freq", "rotary_emb.original_inv_freq", "rotary_emb.cos_cached", "rotary_emb.sin_cached"];

    // Of activations and of a quantized cache, one number each: they say how far to round, and nothing is rounded here.
    private static readonly string[] _activationScales = ["input_scale", "input_scale_inv", "activation_scale", "output_scale"];
    private static readonly string[] _cacheScales = ["k_scale", "v_scale", "kv_scale", "q_scale", "prob_scale", "prob_output_scale"];

    private static readonly string[] _weightScales = [ProjectionNames.ScaleInverse, ProjectionNames.Scale];
    private static readonly string[] _indexerModules = ["wq_b", "wk", "k_norm", "weights_proj"];

    /// <summary>Why a tensor cannot be passed over, as the rest of a sentence after <c>because</c>; null for one that is read or that changes nothing.</summary>
    /// <param name="name">Its name behind the prefix: <c>q_a_proj.weight</c>.</param>
    /// <param name="projections">The class's own projections. Their biases and scales are judged where they are read.</param>
    /// <param name="allowDense">Whether the class stands in for sparse attention.</param>
    /// <param name="isScalar">Whether it is a single number.</param>
    public static string? Objection(string name, IEnumerable<string> projections, bool allowDense, bool isScalar)
    {
        int dot = name.LastIndexOf('.');
        string module = dot < 0 ? string.Empty : name.Substring(0, dot);
        string tensor = name.Substring(dot + 1);
        if (_buffers.Contains(name) || (isScalar && _cacheScales.Contains(tensor)))
        {
            return null;
        }

        if (name.StartsWith(Indexer, StringComparison.Ordinal))
        {
            return IndexerObjection(module.Length < Indexer.Length ? string.Empty : module.Substring(Indexer.Length), allowDense);
        }

        bool isOwn = projections.Contains(module);
        if (name == ProjectionNames.Sinks)
        {
            return projections.Contains(name) ? null : "it has attention sinks, and the class none: AttentionSinks = true on the class reads it";
        }

        if (!isOwn && !ProjectionNames.All.Contains(module))
        {
            return ProjectionNames.Gates.Contains(module)
                ? "it makes an output gate, and the class has none of that name: OutputGate and OutputGateName on the class say which"
                : "nothing reads it, and it might change what attention computes";
        }

        bool isVector = module.EndsWith("layernorm", StringComparison.Ordinal);
        if (isOwn && (tensor is ProjectionNames.Weight or ProjectionNames.Bias || (!isVector && (_weightScales.Contains(tensor) || (isScalar && _activationScales.Contains(tensor))))))
        {
            return null;
        }

        return isOwn
            ? "it belongs to a quantization that is not read"
            : module == ProjectionNames.QProj ? "QLoraRank is not 0: queries pass through q_a_proj and q_b_proj" : "QLoraRank is 0: queries come from q_proj alone";
    }

    /// <summary>The other way to queries: <c>q_proj</c> for a projection of the query latent, <c>q_a_proj</c> for <c>q_proj</c>; null for other projections.</summary>
    public static string? OtherQuery(string projection) => projection switch
    {
        ProjectionNames.QProj => ProjectionNames.QAProj,
        ProjectionNames.QAProj or ProjectionNames.QALayernorm or ProjectionNames.QBProj => ProjectionNames.QProj,
        _ => null,
    };

    /// <summary>How the class says that it is the other way.</summary>
    /// <param name="other">The projection that the checkpoint has: <see cref="OtherQuery"/>.</param>
    /// <param name="rank">Rows of <c>q_a_proj</c>.</param>
    public static string QueryAdvice(string other, long rank) => other == ProjectionNames.QProj
        ? "the model has no query latent, which is QLoraRank = 0 on the class"
        : FormattableString.Invariant($"the model has a query latent, which is QLoraRank = {rank} on the class");

    /// <summary>What to say where a gate's projection is missing and there is one of another name.</summary>
    public const string GateAdvice = "OutputGateName on the class says what the checkpoint calls it";

    private static string? IndexerObjection(string module, bool allowDense)
    {
        if (!_indexerModules.Contains(module) && module != "rotary_emb")
        {
            return "it is no known part of a sparse indexer, and dense attention in its place might differ at any length";
        }

        return allowDense
            ? null
            : "it belongs to a sparse indexer, and attention is dense: AllowDense = true with MaxPositionEmbeddings of at most the model's index_topk accepts that, since up to there both are the same";
    }
}
