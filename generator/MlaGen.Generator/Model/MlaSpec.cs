namespace MlaGen.Generator.Model;

/// <summary>Everything about one annotated class that its emitted code depends on: plain values, compared by value.</summary>
/// <param name="Target">The class to complete.</param>
/// <param name="Dimensions">Widths, ranks and limits.</param>
/// <param name="Rope">Rotary positions.</param>
/// <param name="LatentNormEpsilon">Epsilon of the two latent norms.</param>
/// <param name="SoftmaxScaleOverride">Softmax scale as given, or null to derive it.</param>
/// <param name="AttentionBias">Whether q_a_proj, kv_a_proj_with_mqa and o_proj carry a bias.</param>
/// <param name="ScaleQLora">Whether the query latent is multiplied by sqrt(HiddenSize / QLoraRank).</param>
/// <param name="ScaleKvLora">Whether the key/value latent is multiplied by sqrt(HiddenSize / KvLoraRank).</param>
/// <param name="Llama4ScalingBeta">Growth of queries with the position, or 0.</param>
/// <param name="CacheFormat">How the cache keeps a row.</param>
internal sealed record MlaSpec(
    TargetClass Target,
    Dimensions Dimensions,
    RopeSpec Rope,
    double LatentNormEpsilon,
    double? SoftmaxScaleOverride,
    bool AttentionBias,
    bool ScaleQLora,
    bool ScaleKvLora,
    double Llama4ScalingBeta,
    CacheFormat CacheFormat)
{
    /// <summary>What the output of a head is multiplied by.</summary>
    public OutputGate OutputGate { get; init; }

    /// <summary>What a checkpoint calls the projection of output gates from the hidden state.</summary>
    public string OutputGateName { get; init; } = string.Empty;

    /// <summary>Whether each head has a logit without a value.</summary>
    public bool AttentionSinks { get; init; }

    /// <summary>Whether it stands in for sparse attention, so that the tensors of an indexer may lie beside its weights.</summary>
    public bool AllowDense { get; init; }

    /// <summary>Where each value comes from, for a class whose dimensions a model's configuration gives; else empty.</summary>
    public EquatableArray<ValueSource> Provenance { get; init; }
}

/// <summary>Where one value comes from.</summary>
/// <param name="Property">Name of the attribute's property.</param>
/// <param name="Source">The configuration's file, or the attribute, with the value of the file that it overrides.</param>
internal sealed record ValueSource(string Property, string Source);

/// <summary>Widths, ranks and limits, by the names of Hugging Face's configurations.</summary>
internal sealed record Dimensions(
    int HiddenSize,
    int Heads,
    int QLoraRank,
    int KvLoraRank,
    int QkNopeHeadDim,
    int QkRopeHeadDim,
    int VHeadDim,
    int MaxPositionEmbeddings)
{
    /// <summary>Width of a head's query and key.</summary>
    public int QkHeadDim => QkNopeHeadDim + QkRopeHeadDim;

    /// <summary>Elements of a cached row: latent, then rotary key.</summary>
    public int CacheRowElements => KvLoraRank + QkRopeHeadDim;
}

/// <summary>
/// Rotary positions as configured; RopeConstants turns them into numbers. The factor is the model's, given or derived from the two lengths
/// that its configuration states: the number of positions that a class accepts has no part in it.
/// </summary>
internal sealed record RopeSpec(
    RopeLayout Layout,
    RopeScaling Scaling,
    double Theta,
    double Factor,
    int OriginalMaxPositionEmbeddings,
    double BetaFast,
    double BetaSlow,
    double Mscale,
    double MscaleAllDim,
    bool Truncate,
    double AttentionFactor,
    EquatableArray<double> ShortFactor,
    EquatableArray<double> LongFactor);

/// <summary>Mirrors MlaGen.RopeLayout, value by value.</summary>
internal enum RopeLayout
{
    Interleaved,
    HalfSplit,
    None,
}

/// <summary>Mirrors MlaGen.RopeScaling, value by value.</summary>
internal enum RopeScaling
{
    None,
    Yarn,
    LongRope,
}

/// <summary>Mirrors MlaGen.OutputGate, value by value.</summary>
internal enum OutputGate
{
    None,
    HeadWise,
    ElementWise,
    Query,
}

/// <summary>Mirrors MlaGen.CacheFormat, value by value.</summary>
internal enum CacheFormat
{
    Float32,
    BFloat16,
    Float16,
    Float8,
    Int8,
}
