namespace MlaGen.Models;

/// <summary>MiniCPM3 (transformers' <c>MiniCPM3ForCausalLM</c>): dense, with factors on the embedding, on every branch and before the head.</summary>
internal sealed class MiniCpm3 : DecoderFamily
{
    private readonly float _branchScale;

    public MiniCpm3(ModelConfig model)
        : base(model)
    {
        _ = Width("intermediate_size");
        EmbeddingScale = (float)Config.Number("scale_emb", 0, 1e6, 12);

        // A null says that nothing is scaled; a key that is absent does not.
        _branchScale = Config.IsNull("scale_depth") ? 1 : (float)(Config.Number("scale_depth", 0, 1e6, 1.4) / Math.Sqrt(Layers));
        HeadScale = Config.IsNull("dim_model_base") ? 1 : (float)(Config.Number("dim_model_base", 1, 1 << 20, 256) / Hidden);
    }

    public override RopeLayout RopeLayout => RopeLayout.HalfSplit;

    public override bool ScalesScores => false;

    public override bool DerivesVHeadDim => true;

    protected override double DefaultEpsilon => 1e-5;

    protected override bool MayHaveMlpBias => true;

    protected override bool TiesByDefault => true;

    protected override float EmbeddingScale { get; }

    protected override float HeadScale { get; }

    protected override IDecoderLayer LoadLayer(WeightSource weights, int layer) => new DecoderLayer(
        LoadNorm(weights, "input_layernorm", layer),
        weights.Attention("self_attn.", layer),
        LoadNorm(weights, "post_attention_layernorm", layer),
        LoadFeedForward(weights.At("mlp."), layer),
        _branchScale);
}
