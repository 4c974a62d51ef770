using System.Numerics.Tensors;

namespace MlaGen.Models;

/// <summary>Chooses the experts of a token from the gate's outputs.</summary>
/// <param name="rules">What the family does.</param>
/// <param name="bias">One value an expert: it decides who is chosen, never how much an expert counts. Empty for none.</param>
/// <param name="settings">How many, of how many, and the weights' scale.</param>
internal sealed class ExpertRouter(RouterRules rules, float[] bias, ExpertSettings settings)
{
    public int Experts => settings.Candidates;

    public int ChosenExperts => settings.Chosen;

    /// <summary>Chooses the experts of one token.</summary>
    /// <param name="logits">The gate's output, one value an expert; overwritten.</param>
    /// <param name="experts">Receives <see cref="ChosenExperts"/> experts, best first.</param>
    /// <param name="weights">Receives their weights.</param>
    public void Route(Span<float> logits, Span<int> experts, Span<float> weights)
    {
        Span<float> scores = logits;
        using RentedFloats candidateScratch = new(Experts);
        Span<float> candidates = candidateScratch.Span;
        Score(scores);
        scores.CopyTo(candidates);
        if (bias.Length > 0)
        {
            TensorPrimitives.Add(scores, bias, candidates);
        }

        DropGroups(candidates);
        float sum = 0;
        for (int rank = 0; rank < ChosenExperts; rank++)
        {
            int expert = IndexOfBest(candidates);
            candidates[expert] = float.NegativeInfinity;
            experts[rank] = expert;
            weights[rank] = scores[expert];
            sum += scores[expert];
        }

        float factor = rules.MayNormalize && settings.Normalize ? settings.Scale / (sum + 1e-20f) : settings.Scale;
        TensorPrimitives.Multiply(weights[..ChosenExperts], factor, weights[..ChosenExperts]);
    }

    private void Score(Span<float> logits)
    {
        if (rules.Scores == ExpertScores.Sigmoid)
        {
            RowArithmetic.Sigmoid(logits);
            return;
        }

        float most = TensorPrimitives.Max<float>(logits);
        float sum = 0;
        foreach (ref float logit in logits)
        {
            logit = MathF.Exp(logit - most);
            sum += logit;
        }

        foreach (ref float score in logits)
        {
            score /= sum;
        }
    }

    private void DropGroups(Span<float> candidates)
    {
        if (rules.Groups == GroupScore.None || settings.Groups == settings.ChosenGroups)
        {
            return;
        }

        int size = Experts / settings.Groups;
        using RentedFloats groupScratch = new(settings.Groups);
        Span<float> groups = groupScratch.Span;
        for (int group = 0; group < groups.Length; group++)
        {
            (float best, float second) = TwoBest(candidates.Slice(group * size, size));
            groups[group] = rules.Groups == GroupScore.Best ? best : best + second;
        }

        for (int dropped = 0; dropped < settings.Groups - settings.ChosenGroups; dropped++)
        {
            int weakest = IndexOfWeakest(groups);
            groups[weakest] = float.PositiveInfinity;
            candidates.Slice(weakest * size, size).Fill(rules.Dropped);
        }
    }

    private static (float Best, float Second) TwoBest(ReadOnlySpan<float> values)
    {
        float best = float.NegativeInfinity;
        float second = float.NegativeInfinity;
        foreach (float value in values)
        {
            second = Math.Max(second, Math.Min(best, value));
            best = Math.Max(best, value);
        }

        return (best, second);
    }

    /// <summary>The first of the largest; the first of all where nothing is larger than nothing, so that a NaN leads nowhere outside.</summary>
    private static int IndexOfBest(ReadOnlySpan<float> values)
    {
        int best = 0;
        for (int i = 1; i < values.Length; i++)
        {
            if (values[i] > values[best])
            {
                best = i;
            }
        }

        return best;
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
