using System.Numerics.Tensors;

namespace Storyteller.Text;

/// <summary>Chooses the next token: the most likely one at temperature 0, otherwise at random by likelihood. The same seed makes the same choices.</summary>
internal sealed class Sampler
{
    private readonly Random _random;

    /// <param name="temperature">0 for the most likely token each time.</param>
    /// <param name="seed">Start of the random numbers.</param>
    /// <param name="draws">Random numbers that were drawn before, to go on after them.</param>
    public Sampler(double temperature, int seed, int draws = 0)
    {
        Temperature = temperature;
        Seed = seed;
        _random = new Random(seed);
        while (Draws < draws)
        {
            Draw();
        }
    }

    public double Temperature { get; }

    public int Seed { get; }

    /// <summary>Random numbers drawn so far: with the other two, all that the next choice depends on.</summary>
    public int Draws { get; private set; }

    public int Choose(ReadOnlySpan<float> logits)
    {
        int best = TensorPrimitives.IndexOfMax(logits);
        if (Temperature == 0)
        {
            return best;
        }

        double total = 0;
        foreach (float logit in logits)
        {
            total += Likelihood(logit, logits[best]);
        }

        // A number below the total falls into the share of one token, unless rounding leaves it just past the last one.
        double left = Draw() * total;
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

    private double Likelihood(float logit, float best) => Math.Exp((logit - (double)best) / Temperature);

    private double Draw()
    {
        Draws++;
        return _random.NextDouble();
    }
}
