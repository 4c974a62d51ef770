using System.Numerics.Tensors;
using MlaGen;

namespace Storyteller.Model;

/// <summary>One layer (transformers' <c>DeepseekV3DecoderLayer</c>): attention, then feed-forward, each on normalised rows and added to what came in.</summary>
internal sealed class DecoderLayer(RmsNorm inputNorm, StoryAttention attention, RmsNorm postAttentionNorm, IFeedForward feedForward)
{
    public static DecoderLayer Load(ICheckpoint checkpoint, ModelConfig config, int layer)
    {
        string prefix = $"model.layers.{layer}.";
        return new DecoderLayer(
            RmsNorm.Load(checkpoint, prefix + "input_layernorm.weight", config.HiddenSize, config.RmsNormEpsilon),
            StoryAttention.Load(checkpoint, prefix + "self_attn.", layer),
            RmsNorm.Load(checkpoint, prefix + "post_attention_layernorm.weight", config.HiddenSize, config.RmsNormEpsilon),
            layer < config.DenseLayers
                ? Mlp.Load(checkpoint, prefix + "mlp.", config.HiddenSize, config.IntermediateSize)
                : MixtureOfExperts.Load(checkpoint, prefix + "mlp.", config));
    }

    /// <summary>Carries the batch's rows through the layer, in place.</summary>
    /// <param name="batch">The step: whose rows these are.</param>
    /// <param name="hidden"><c>[batch.Rows, HiddenSize]</c>.</param>
    public void Forward(MlaBatch<StoryAttention> batch, Span<float> hidden)
    {
        using RentedFloats normalised = new(hidden.Length);
        using RentedFloats change = new(hidden.Length);

        inputNorm.Forward(hidden, normalised.Span);
        attention.Forward(batch, normalised.Span, change.Span);
        TensorPrimitives.Add(hidden, change.Span, hidden);

        postAttentionNorm.Forward(hidden, normalised.Span);
        feedForward.Forward(normalised.Span, change.Span, batch.Rows);
        TensorPrimitives.Add(hidden, change.Span, hidden);
    }
}
