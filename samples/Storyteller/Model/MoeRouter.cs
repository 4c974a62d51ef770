using System.Numerics.Tensors;

namespace Storyteller.Model;

/// <summary>How DeepSeek-V3 chooses experts (<c>noaux_tc</c>; transformers' <c>DeepseekV3TopkRouter</c>).</summary>
/// <param name="bias">One value an expert (<c>e_score_correction_bias</c>): it decides who is chosen, never how much an expert counts.</param>
/// <param name="groups">Groups of neighbouring experts (<c>n_group</c>).</param>
/// <param name="chosenGroups">Groups that experts are chosen from (<c>topk_group</c>).</param>
/// <param name="chosenExperts">Experts chosen for a token (<c>num_experts_per_tok</c>).</param>
/// <param name="normalize">Whether the weights of a token's experts are made to sum to one (<c>norm_topk_prob</c>).</param>
/// <param name="scale">Factor on the weights (<c>routed_scaling_factor</c>).</param>
internal sealed class MoeRouter(float[] bias, int groups, int chosenGroups, int chosenExperts, bool normalize, float scale)
{
    public int Experts => bias.Length;

    public int ChosenExperts => chosenExperts;

    /// <summary>Chooses the experts of one token.</summary>
    /// <param name="logits">The gate's output, one value an expert.</param>
    /// <param name="experts">Receives <see cref="ChosenExperts"/> experts, best first.</param>
    /// <param name="weights">Receives their weights.</param>
    public void Route(ReadOnlySpan<float> logits, Span<int> experts, Span<float> weights)
    {
        using RentedFloats scoreScratch = new(Experts);
        using RentedFloats candidateScratch = new(Experts);
        using RentedFloats groupScratch = new(groups);
        Span<float> scores = scoreScratch.Span;
        Span<float> candidates = candidateScratch.Span;
        Span<float> groupScores = groupScratch.Span;

        TensorPrimitives.Sigmoid(logits, scores);
        TensorPrimitives.Add(scores, bias, candidates);

        int groupSize = Experts / groups;
        for (int group = 0; group < groups; group++)
        {
            groupScores[group] = SumOfTopTwo(candidates.Slice(group * groupSize, groupSize));
        }

        for (int dropped = 0; dropped < groups - chosenGroups; dropped++)
        {
            int weakest = IndexOfWeakest(groupScores);
            groupScores[weakest] = float.PositiveInfinity;
            candidates.Slice(weakest * groupSize, groupSize).Fill(float.NegativeInfinity);
        }

        for (int rank = 0; rank < chosenExperts; rank++)
        {
            int expert = TensorPrimitives.IndexOfMax<float>(candidates);
            candidates[expert] = float.NegativeInfinity;
            experts[rank] = expert;
            weights[rank] = scores[expert];
        }

        weights = weights[..chosenExperts];
        float factor = normalize ? scale / (TensorPrimitives.Sum<float>(weights) + 1e-20f) : scale;
        TensorPrimitives.Multiply(weights, factor, weights);
    }

    private static float SumOfTopTwo(ReadOnlySpan<float> values)
    {
        float first = float.NegativeInfinity;
        float second = float.NegativeInfinity;
        foreach (float value in values)
        {
            second = Math.Max(second, Math.Min(first, value));
            first = Math.Max(first, value);
        }

        return first + second;
    }

    /// <summary>The last of the smallest, so that of equal groups the first is kept.</summary>
    private static int IndexOfWeakest(ReadOnlySpan<float> values)
    {
        int weakest = 0;
        for (int i = 1; i < values.Length; i++)
        {
            if (values[i] <= values[weakest])
            {
                weakest = i;
            }
        }

        return weakest;
    }
}
