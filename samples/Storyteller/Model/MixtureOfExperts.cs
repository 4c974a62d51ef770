using System.Buffers;
using System.Numerics.Tensors;
using MlaGen;

namespace Storyteller.Model;

/// <summary>A sparse feed-forward part (transformers' <c>DeepseekV3MoE</c>): a few routed experts for each token, and one shared by all.</summary>
internal sealed class MixtureOfExperts(Linear gate, MoeRouter router, Mlp[] experts, IFeedForward sharedExperts) : IFeedForward
{
    public static MixtureOfExperts Load(ICheckpoint checkpoint, string prefix, ModelConfig config)
    {
        Linear gate = Linear.Load(checkpoint, prefix + "gate", config.HiddenSize, config.RoutedExperts);
        float[] bias = Tensors.Read(checkpoint, prefix + "gate.e_score_correction_bias", config.RoutedExperts);
        Mlp[] experts = new Mlp[config.RoutedExperts];
        for (int expert = 0; expert < experts.Length; expert++)
        {
            experts[expert] = Mlp.Load(checkpoint, $"{prefix}experts.{expert}.", config.HiddenSize, config.MoeIntermediateSize);
        }

        return new MixtureOfExperts(
            gate,
            new MoeRouter(bias, config.ExpertGroups, config.ChosenExpertGroups, config.ExpertsPerToken, config.NormalizeExpertWeights, config.RoutedScalingFactor),
            experts,
            Mlp.Load(checkpoint, prefix + "shared_experts.", config.HiddenSize, config.SharedExperts * config.MoeIntermediateSize));
    }

    public void Forward(ReadOnlySpan<float> x, Span<float> y, int rows)
    {
        int chosen = router.ChosenExperts;
        using RentedFloats logits = new(rows * router.Experts);
        using RentedFloats weights = new(rows * chosen);
        int[] choices = ArrayPool<int>.Shared.Rent(rows * chosen);

        gate.Multiply(x, logits.Span, rows);
        for (int row = 0; row < rows; row++)
        {
            router.Route(
                logits.Span.Slice(row * router.Experts, router.Experts),
                choices.AsSpan(row * chosen, chosen),
                weights.Span.Slice(row * chosen, chosen));
        }

        // Experts run in ascending order, so that the sum of a row is the same whoever its neighbours are.
        y.Clear();
        for (int expert = 0; expert < experts.Length; expert++)
        {
            AddExpert(expert, x, y, choices.AsSpan(0, rows * chosen), weights.Span);
        }

        using RentedFloats shared = new(y.Length);
        sharedExperts.Forward(x, shared.Span, rows);
        TensorPrimitives.Add(y, shared.Span, y);
        ArrayPool<int>.Shared.Return(choices);
    }

    /// <summary>Gathers the rows that chose an expert, runs them through it together, and adds the weighted results.</summary>
    private void AddExpert(int expert, ReadOnlySpan<float> x, Span<float> y, ReadOnlySpan<int> choices, ReadOnlySpan<float> weights)
    {
        int rows = choices.Count(expert);
        if (rows == 0)
        {
            return;
        }

        int width = gate.InFeatures;
        int chosen = router.ChosenExperts;
        using RentedFloats input = new(rows * width);
        using RentedFloats output = new(rows * width);
        int gathered = 0;
        for (int choice = 0; choice < choices.Length; choice++)
        {
            if (choices[choice] == expert)
            {
                x.Slice(choice / chosen * width, width).CopyTo(input.Span.Slice(gathered++ * width, width));
            }
        }

        experts[expert].Forward(input.Span, output.Span, rows);

        int scattered = 0;
        for (int choice = 0; choice < choices.Length; choice++)
        {
            if (choices[choice] == expert)
            {
                Span<float> target = y.Slice(choice / chosen * width, width);
                TensorPrimitives.MultiplyAdd(output.Span.Slice(scattered++ * width, width), weights[choice], target, target);
            }
        }
    }
}
