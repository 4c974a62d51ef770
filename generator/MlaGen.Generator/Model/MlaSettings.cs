namespace MlaGen.Generator.Model;

/// <summary>
/// What was written, property by property, with null for what was not: the properties of one attribute, or the same facts out of
/// one model configuration. The names are those of <c>MlaAttentionAttribute</c>, which says what each means.
/// </summary>
internal sealed record MlaSettings
{
    public static readonly MlaSettings Empty = new();

    public int? HiddenSize { get; init; }

    public int? Heads { get; init; }

    public int? QLoraRank { get; init; }

    public int? KvLoraRank { get; init; }

    public int? QkRopeHeadDim { get; init; }

    public int? QkNopeHeadDim { get; init; }

    public int? VHeadDim { get; init; }

    public int? MaxPositionEmbeddings { get; init; }

    public bool? AttentionBias { get; init; }

    public double? RopeTheta { get; init; }

    public RopeLayout? RopeLayout { get; init; }

    public RopeScaling? RopeScaling { get; init; }

    public double? RopeFactor { get; init; }

    public int? OriginalMaxPositionEmbeddings { get; init; }

    public double? BetaFast { get; init; }

    public double? BetaSlow { get; init; }

    public double? Mscale { get; init; }

    public double? MscaleAllDim { get; init; }

    public bool? RopeTruncate { get; init; }

    public double? AttentionFactor { get; init; }

    public EquatableArray<double>? ShortFactor { get; init; }

    public EquatableArray<double>? LongFactor { get; init; }

    public double? LatentNormEpsilon { get; init; }

    public double? SoftmaxScale { get; init; }

    public bool? ScaleQLora { get; init; }

    public bool? ScaleKvLora { get; init; }

    public double? Llama4ScalingBeta { get; init; }

    public OutputGate? OutputGate { get; init; }

    public string? OutputGateName { get; init; }

    public bool? AttentionSinks { get; init; }

    public CacheFormat? CacheFormat { get; init; }

    public bool? AllowDense { get; init; }

    public bool? DecodedWeights { get; init; }

    /// <summary>Every setting by its name, in one fixed order; null where nothing was written.</summary>
    public IEnumerable<(string Property, object? Value)> All =>
    [
        (nameof(HiddenSize), HiddenSize),
        (nameof(Heads), Heads),
        (nameof(QLoraRank), QLoraRank),
        (nameof(KvLoraRank), KvLoraRank),
        (nameof(QkRopeHeadDim), QkRopeHeadDim),
        (nameof(QkNopeHeadDim), QkNopeHeadDim),
        (nameof(VHeadDim), VHeadDim),
        (nameof(MaxPositionEmbeddings), MaxPositionEmbeddings),
        (nameof(AttentionBias), AttentionBias),
        (nameof(RopeTheta), RopeTheta),
        (nameof(RopeLayout), RopeLayout),
        (nameof(RopeScaling), RopeScaling),
        (nameof(RopeFactor), RopeFactor),
        (nameof(OriginalMaxPositionEmbeddings), OriginalMaxPositionEmbeddings),
        (nameof(BetaFast), BetaFast),
        (nameof(BetaSlow), BetaSlow),
        (nameof(Mscale), Mscale),
        (nameof(MscaleAllDim), MscaleAllDim),
        (nameof(RopeTruncate), RopeTruncate),
        (nameof(AttentionFactor), AttentionFactor),
        (nameof(ShortFactor), ShortFactor),
        (nameof(LongFactor), LongFactor),
        (nameof(LatentNormEpsilon), LatentNormEpsilon),
        (nameof(SoftmaxScale), SoftmaxScale),
        (nameof(ScaleQLora), ScaleQLora),
        (nameof(ScaleKvLora), ScaleKvLora),
        (nameof(Llama4ScalingBeta), Llama4ScalingBeta),
        (nameof(OutputGate), OutputGate),
        (nameof(OutputGateName), OutputGateName),
        (nameof(AttentionSinks), AttentionSinks),
        (nameof(CacheFormat), CacheFormat),
        (nameof(AllowDense), AllowDense),
        (nameof(DecodedWeights), DecodedWeights),
    ];

    /// <summary>Whether a setting was written.</summary>
    public bool Has(string property) => All.Any(setting => setting.Property == property && setting.Value is not null);

    /// <summary>These settings, completed by others: how an attribute overrides its configuration.</summary>
    public MlaSettings Over(MlaSettings other) => new()
    {
        HiddenSize = HiddenSize ?? other.HiddenSize,
        Heads = Heads ?? other.Heads,
        QLoraRank = QLoraRank ?? other.QLoraRank,
        KvLoraRank = KvLoraRank ?? other.KvLoraRank,
        QkRopeHeadDim = QkRopeHeadDim ?? other.QkRopeHeadDim,
        QkNopeHeadDim = QkNopeHeadDim ?? other.QkNopeHeadDim,
        VHeadDim = VHeadDim ?? other.VHeadDim,
        MaxPositionEmbeddings = MaxPositionEmbeddings ?? other.MaxPositionEmbeddings,
        AttentionBias = AttentionBias ?? other.AttentionBias,
        RopeTheta = RopeTheta ?? other.RopeTheta,
        RopeLayout = RopeLayout ?? other.RopeLayout,
        RopeScaling = RopeScaling ?? other.RopeScaling,
        RopeFactor = RopeFactor ?? other.RopeFactor,
        OriginalMaxPositionEmbeddings = OriginalMaxPositionEmbeddings ?? other.OriginalMaxPositionEmbeddings,
        BetaFast = BetaFast ?? other.BetaFast,
        BetaSlow = BetaSlow ?? other.BetaSlow,
        Mscale = Mscale ?? other.Mscale,
        MscaleAllDim = MscaleAllDim ?? other.MscaleAllDim,
        RopeTruncate = RopeTruncate ?? other.RopeTruncate,
        AttentionFactor = AttentionFactor ?? other.AttentionFactor,
        ShortFactor = ShortFactor ?? other.ShortFactor,
        LongFactor = LongFactor ?? other.LongFactor,
        LatentNormEpsilon = LatentNormEpsilon ?? other.LatentNormEpsilon,
        SoftmaxScale = SoftmaxScale ?? other.SoftmaxScale,
        ScaleQLora = ScaleQLora ?? other.ScaleQLora,
        ScaleKvLora = ScaleKvLora ?? other.ScaleKvLora,
        Llama4ScalingBeta = Llama4ScalingBeta ?? other.Llama4ScalingBeta,
        OutputGate = OutputGate ?? other.OutputGate,
        OutputGateName = OutputGateName ?? other.OutputGateName,
        AttentionSinks = AttentionSinks ?? other.AttentionSinks,
        CacheFormat = CacheFormat ?? other.CacheFormat,
        AllowDense = AllowDense ?? other.AllowDense,
        DecodedWeights = DecodedWeights ?? other.DecodedWeights,
    };

    /// <summary>The specification of a class, with the attribute's defaults for what was not written; required dimensions become 0.</summary>
    public MlaSpec ToSpec(TargetClass target) => new(
        target,
        new Dimensions(
            HiddenSize ?? 0,
            Heads ?? 0,
            QLoraRank ?? 0,
            KvLoraRank ?? 512,
            QkNopeHeadDim ?? 128,
            QkRopeHeadDim ?? 64,
            VHeadDim ?? 128,
            MaxPositionEmbeddings ?? 4096),
        new RopeSpec(
            RopeLayout ?? Model.RopeLayout.Interleaved,
            RopeScaling ?? Model.RopeScaling.None,
            RopeTheta ?? 10000,
            RopeFactor ?? 0,
            OriginalMaxPositionEmbeddings ?? 0,
            BetaFast ?? 32,
            BetaSlow ?? 1,
            Mscale ?? 0,
            MscaleAllDim ?? 0,
            RopeTruncate ?? true,
            AttentionFactor ?? 0,
            ShortFactor ?? EquatableArray<double>.Empty,
            LongFactor ?? EquatableArray<double>.Empty),
        LatentNormEpsilon ?? 1e-6,
        SoftmaxScale is null or 0 ? null : SoftmaxScale,
        AttentionBias ?? false,
        ScaleQLora ?? false,
        ScaleKvLora ?? false,
        Llama4ScalingBeta ?? 0,
        CacheFormat ?? Model.CacheFormat.Float32)
    {
        OutputGate = OutputGate ?? Model.OutputGate.None,
        OutputGateName = OutputGateName ?? "g_proj",
        AttentionSinks = AttentionSinks ?? false,
        AllowDense = AllowDense ?? false,
    };
}
