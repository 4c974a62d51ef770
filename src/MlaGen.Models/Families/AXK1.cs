namespace MlaGen.Models;

/// <summary>A.X-K1 (transformers' <c>AXK1ForCausalLM</c>): DeepSeek-V3 with one more norm behind its experts.</summary>
internal sealed class AXK1(ModelConfig model) : SparseFamily(model, RouterRules.DeepSeekV3, ExpertDefaults.DeepSeekV3 with { DenseLayers = 1 })
{
    protected override IDecoderLayer LoadLayer(WeightSource weights, int layer) => new DecoderLayer(
        LoadNorm(weights, "input_layernorm", layer),
        weights.Attention("self_attn.", layer),
        LoadNorm(weights, "post_attention_layernorm", layer),
        IsSparse(layer)
            ? new NormedFeedForward(LoadExperts(weights.At("mlp.")), weights.Norm("post_mlp_layernorm", Hidden, Epsilon))
            : LoadFeedForward(weights.At("mlp."), layer));
}
