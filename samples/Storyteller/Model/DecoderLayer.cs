using System.Numerics.Tensors;
using MlaGen;

namespace Storyteller.Model;

/// <summary>One layer (transformers' <c>DeepseekV3DecoderLayer</c>): attention, then feed-forward, each on normalised rows and added to what came in.</summary>
/// <typeparam name="TAttention">The model's attention.</typeparam>
internal sealed class DecoderLayer<TAttention>(RmsNorm inputNorm, TAttention attention, RmsNorm postAttentionNorm, IFeedForward feedForward)
    where TAttention : class, IMlaAttention<TAttention>
{
    public static DecoderLayer<TAttention> Load(ICheckpoint checkpoint, ModelConfig config, int layer)
    {
        string prefix = $"model.layers.{layer}.";
        return new DecoderLayer<TAttention>(
            RmsNorm.Load(checkpoint, prefix + "input_layernorm.weight", config.HiddenSize, config.RmsNormEpsilon),
            TAttention.Load(checkpoint, prefix + "self_attn.", layer),
            RmsNorm.Load(checkpoint, prefix + "post_attention_layernorm.weight", config.HiddenSize, config.RmsNormEpsilon),
            layer < config.DenseLayers
                ? Mlp.Load(checkpoint, prefix + "mlp.", config.HiddenSize, config.IntermediateSize)
                : MixtureOfExperts.Load(checkpoint, prefix + "mlp.", config));
    }

    /// <summary>Carries a step's rows through the layer, in place.</summary>
    /// <param name="step">The step: whose rows these are.</param>
    /// <param name="hidden"><c>[step.Rows, HiddenSize]</c>.</param>
    public void Forward<TStep>(TStep step, Span<float> hidden)
        where TStep : IAttentionStep<TAttention>
    {
        using RentedFloats normalised = new(hidden.Length);
        using RentedFloats change = new(hidden.Length);

        inputNorm.Forward(hidden, normalised.Span);
        step.Attend(attention, normalised.Span, change.Span);
        TensorPrimitives.Add(hidden, change.Span, hidden);

        postAttentionNorm.Forward(hidden, normalised.Span);
        feedForward.Forward(normalised.Span, change.Span, step.Rows);
        TensorPrimitives.Add(hidden, change.Span, hidden);
    }
}
