using System.Numerics.Tensors;

namespace Storyteller.Text;

/// <summary>Chooses the next token: the most likely one at temperature 0, otherwise at random by likelihood. The same seed makes the same choices.</summary>
internal sealed class Sampler(double temperature, int seed)
{
    private readonly Random _random = new(seed);

    public int Choose(ReadOnlySpan<float> logits)
    {
        int best = TensorPrimitives.IndexOfMax(logits);
        if (temperature == 0)
        {
            return best;
        }

        double total = 0;
        foreach (float logit in logits)
        {
            total += Likelihood(logit, logits[best]);
        }

        // A number below the total falls into the share of one token, unless rounding leaves it just past the last one.
        double left = _random.NextDouble() * total;
        for (int token = 0; token < logits.Length; token++)
        {
            left -= Likelihood(logits[token], logits[best]);
            if (left < 0)
            {
                return token;
            }
        }

        return best;
    }

    private double Likelihood(float logit, float best) => Math.Exp((logit - (double)best) / temperature);
}
