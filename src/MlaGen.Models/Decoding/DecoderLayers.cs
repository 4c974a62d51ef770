using System.Numerics.Tensors;

namespace MlaGen.Models;

/// <summary>One layer of a decoder.</summary>
internal interface IDecoderLayer
{
    /// <summary>Carries the step's rows through the layer, in place.</summary>
    /// <param name="workers">What products run on.</param>
    /// <param name="step">The step: whose rows these are.</param>
    /// <param name="hidden"><c>[step.Rows, streams · HiddenSize]</c>.</param>
    void Forward(Workers workers, IAttentionStep step, Span<float> hidden);
}

/// <summary>Attention, then feed-forward, each on normalised rows and added to what came in (transformers' <c>DeepseekV3DecoderLayer</c>).</summary>
/// <param name="inputNorm">Before attention.</param>
/// <param name="attention">Attention.</param>
/// <param name="postAttentionNorm">Before the feed-forward part.</param>
/// <param name="feedForward">The feed-forward part.</param>
/// <param name="branchScale">Factor on what is added.</param>
internal sealed class DecoderLayer(INorm inputNorm, IAttention attention, INorm postAttentionNorm, IFeedForward feedForward, float branchScale = 1) : IDecoderLayer
{
    public void Forward(Workers workers, IAttentionStep step, Span<float> hidden)
    {
        using RentedFloats normalised = new(hidden.Length);
        using RentedFloats change = new(hidden.Length);

        inputNorm.Forward(workers, hidden, normalised.Span);
        attention.Forward(step, normalised.Span, change.Span);
        Add(change.Span, hidden);

        postAttentionNorm.Forward(workers, hidden, normalised.Span);
        feedForward.Forward(workers, normalised.Span, change.Span, step.Rows);
        Add(change.Span, hidden);
    }

    private void Add(Span<float> change, Span<float> hidden)
    {
        if (branchScale != 1)
        {
            TensorPrimitives.Multiply(change, branchScale, change);
        }

        TensorPrimitives.Add(hidden, change, hidden);
    }
}
