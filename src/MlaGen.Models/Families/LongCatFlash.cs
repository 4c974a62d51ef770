using System.Numerics.Tensors;

namespace MlaGen.Models;

/// <summary>LongCat-Flash (transformers' <c>LongcatFlashForCausalLM</c>): two attentions a layer, with experts that run beside the second, some of them doing nothing.</summary>
internal sealed class LongCatFlash : DecoderFamily
{
    private static readonly RouterRules _rules = new(ExpertScores.Softmax, GroupScore.None, Dropped: 0, HasBias: true, MayNormalize: false);

    private readonly ExpertSettings _experts;

    public LongCatFlash(ModelConfig model)
        : base(model)
    {
        Layers = Config.Integer("num_layers", 1, ModelConfig.MostLayers / 2);
        int routed = Config.Integer("n_routed_experts", 1, ExpertSettings.MostExperts);
        int identities = Config.IsNull("zero_expert_num") ? 0 : Config.Integer("zero_expert_num", 0, ExpertSettings.MostExperts, 256);
        Config.Word("zero_expert_type", "identity", "identity");
        _ = Width("ffn_hidden_size");
        _experts = new ExpertSettings
        {
            Routed = routed,
            Identities = identities,
            Chosen = Config.Integer("moe_topk", 1, routed + identities, 12),
            Width = Width("expert_ffn_hidden_size"),
            Scale = (float)Config.Number("routed_scaling_factor", 0, 1e6, 6),
        };
    }

    public override int Layers { get; }

    public override int AttentionLayers => 2 * Layers;

    public override double DefaultRopeTheta => 1e7;

    protected override double DefaultEpsilon => 1e-5;

    public override RopeLayout RopeLayout => RopeLayout.Interleaved;

    public override double QueryLatentScale(MlaShape shape) =>
        shape.QLoraRank > 0 && Config.Flag("mla_scale_q_lora", true) ? Math.Sqrt((double)shape.HiddenSize / shape.QLoraRank) : 1;

    public override double KeyLatentScale(MlaShape shape) =>
        Config.Flag("mla_scale_kv_lora", true) ? Math.Sqrt((double)shape.HiddenSize / shape.KvLoraRank) : 1;

    protected override IDecoderLayer LoadLayer(WeightSource weights, int layer) =>
        new Layer(LoadHalf(weights, layer, 0), LoadHalf(weights, layer, 1), LoadExperts(weights.At("mlp.")));

    private Half LoadHalf(WeightSource weights, int layer, int half) => new(
        weights.Norm(FormattableString.Invariant($"input_layernorm.{half}"), Hidden, Epsilon),
        weights.Attention(FormattableString.Invariant($"self_attn.{half}."), (2 * layer) + half),
        weights.Norm(FormattableString.Invariant($"post_attention_layernorm.{half}"), Hidden, Epsilon),
        weights.At(FormattableString.Invariant($"mlps.{half}.")).Mlp(Hidden, Width("ffn_hidden_size")));

    private MixtureOfExperts LoadExperts(WeightSource weights) => new(
        weights.Exact("router.classifier", Hidden, _experts.Candidates),
        new ExpertRouter(_rules, weights.Floats("router.e_score_correction_bias", _experts.Candidates), _experts),
        weights.At("experts.").Experts(_experts, Hidden, float.PositiveInfinity),
        sharedExperts: null);

    private sealed record Half(INorm InputNorm, IAttention Attention, INorm PostAttentionNorm, IFeedForward FeedForward);

    private sealed class Layer(Half first, Half second, IFeedForward experts) : IDecoderLayer
    {
        public void Forward(Workers workers, IAttentionStep step, Span<float> hidden)
        {
            using RentedFloats shortcut = new(hidden.Length);
            Forward(first, workers, step, hidden, shortcut.Span);
            Forward(second, workers, step, hidden, []);
            TensorPrimitives.Add(hidden, shortcut.Span, hidden);
        }

        private void Forward(Half half, Workers workers, IAttentionStep step, Span<float> hidden, Span<float> shortcut)
        {
            using RentedFloats normalised = new(hidden.Length);
            using RentedFloats change = new(hidden.Length);
            half.InputNorm.Forward(workers, hidden, normalised.Span);
            half.Attention.Forward(step, normalised.Span, change.Span);
            TensorPrimitives.Add(hidden, change.Span, hidden);

            half.PostAttentionNorm.Forward(workers, hidden, normalised.Span);
            if (!shortcut.IsEmpty)
            {
                experts.Forward(workers, normalised.Span, shortcut, step.Rows);
            }

            half.FeedForward.Forward(workers, normalised.Span, change.Span, step.Rows);
            TensorPrimitives.Add(hidden, change.Span, hidden);
        }
    }
}
