namespace MlaGen.Tests.Oracles;

/// <summary>What an oracle must know of a layer: dimensions, position scheme and scales, each derived here from the published formulas.</summary>
internal sealed record OracleSpec
{
    public required int HiddenSize { get; init; }

    public required int Heads { get; init; }

    /// <summary>0: one full query projection.</summary>
    public int QLoraRank { get; init; }

    public required int KvLoraRank { get; init; }

    public required int QkNopeHeadDim { get; init; }

    public required int QkRopeHeadDim { get; init; }

    public required int VHeadDim { get; init; }

    public double LatentNormEpsilon { get; init; } = 1e-6;

    public OracleRope Rope { get; init; } = new();

    public bool ScaleQLora { get; init; }

    public bool ScaleKvLora { get; init; }

    /// <summary>Mistral's <c>llama_4_scaling_beta</c>, 0 for none; counts in units of <see cref="OracleRope.OriginalMaxPosition"/>.</summary>
    public double Llama4Beta { get; init; }

    public OutputGate Gate { get; init; }

    /// <summary>What a checkpoint calls the projection of gates from the hidden state.</summary>
    public string GateName { get; init; } = "g_proj";

    public bool HasSinks { get; init; }

    /// <summary>Replaces the derived softmax scale.</summary>
    public double? SoftmaxScaleOverride { get; init; }

    public int QkHeadDim => QkNopeHeadDim + QkRopeHeadDim;

    public int RowWidth => KvLoraRank + QkRopeHeadDim;

    public double QueryLatentScale => ScaleQLora ? Math.Sqrt((double)HiddenSize / QLoraRank) : 1;

    public double KeyLatentScale => ScaleKvLora ? Math.Sqrt((double)HiddenSize / KvLoraRank) : 1;

    /// <summary><c>(nope + rope)^-0.5</c>, for YaRN times <c>mscale²</c> over all dimensions.</summary>
    public double SoftmaxScale
    {
        get
        {
            if (SoftmaxScaleOverride is { } given)
            {
                return given;
            }

            double mscale = Rope is { Scaling: RopeScaling.Yarn, MscaleAllDim: not 0 } ? OracleRope.Mscale(Rope.EffectiveFactor, Rope.MscaleAllDim) : 1;
            return 1 / Math.Sqrt(QkHeadDim) * mscale * mscale;
        }
    }

    /// <summary>Mistral's factor on a query at <paramref name="position"/>.</summary>
    public double QueryPositionScale(int position)
        => Llama4Beta == 0 ? 1 : 1 + (Llama4Beta * Math.Log(1 + (position / Rope.OriginalMaxPosition)));
}
