namespace MlaGen.Models;

/// <summary>Hunyuan Hy4 (transformers' <c>HYV4ForCausalLM</c>): DeepSeek-V3's experts, clamped, on a residual of several streams.</summary>
internal sealed class HyV4 : SparseFamily
{
    private readonly float _epsilon;
    private readonly float _magnitude;

    public HyV4(ModelConfig model)
        : base(model, RouterRules.DeepSeekV3, ExpertDefaults.DeepSeekV3 with { DenseLayers = 1, Groups = 1, ChosenGroups = 1, Scale = 2.827 })
    {
        Streams = Config.Integer("hc_mult", 1, 64, 4);
        _epsilon = (float)Config.Number("hc_eps", 0, 1, 1e-6);
        _magnitude = (float)Config.Number("hc_magnitude", 0, 1e6, 2);
        Limit = (float)Config.Number("swiglu_limit", 1e-6, 1e30, 10);
    }

    public override RopeLayout RopeLayout => RopeLayout.HalfSplit;

    public override OutputGate OutputGate => OutputGate.ElementWise;

    public override bool HasSinks => true;

    public override IndexerRules Indexer => new(RopeLayout.HalfSplit, RotatesLast: true, NormEpsilon: Epsilon, Frequency: 4);

    protected override double DefaultEpsilon => 1e-5;

    protected override string GateName => "linear_gate";

    protected override float Limit { get; }

    protected override int Streams { get; }

    protected override StreamMix LoadMerge(WeightSource model) => LoadMix(model, "hc_pre.hc_head.hc_head_", Streams, scales: 1);

    protected override IDecoderLayer LoadLayer(WeightSource weights, int layer) => new HyperConnectedLayer(
        LoadMix(weights, "hc_pre.hc_attn_layer.hc_", 2 * Streams, scales: 2),
        LoadNorm(weights, "input_layernorm", layer),
        weights.Attention("self_attn.", layer),
        LoadMix(weights, "hc_pre.hc_mlp_layer.hc_", 2 * Streams, scales: 2),
        LoadNorm(weights, "post_attention_layernorm", layer),
        LoadFeedForward(weights.At("mlp."), layer));

    private StreamMix LoadMix(WeightSource weights, string name, int mixes, int scales) => new(
        new Linear(Streams * Hidden, mixes, weights.Floats($"{name}fn", mixes, Streams * Hidden)),
        weights.Floats($"{name}scale", scales),
        weights.Floats($"{name}base", mixes),
        Streams,
        Epsilon,
        _epsilon,
        _magnitude);
}
