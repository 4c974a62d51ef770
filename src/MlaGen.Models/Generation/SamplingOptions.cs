namespace MlaGen.Models;

/// <summary>How a token is chosen from the scores. Applied in this order: repetition, temperature, top k, top p, min p.</summary>
public sealed record SamplingOptions
{
    /// <summary>0 takes the most likely token, more lets chance in.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Only so many of the most likely tokens are chosen from; 0 for all.</summary>
    public int TopK { get; init; }

    /// <summary>Only the most likely tokens that together have this probability are chosen from.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Only tokens with at least this share of the most likely one's probability are chosen from.</summary>
    public double MinP { get; init; }

    /// <summary>Divides the positive and multiplies the negative scores of tokens that the text already has; 1 for no effect.</summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Start of the random numbers: the same seed makes the same choices.</summary>
    public int Seed { get; init; }

    /// <summary>Refuses what cannot be.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range: says which, and the range.</exception>
    public void Validate()
    {
        Check(Temperature, 0, 100, nameof(Temperature));
        Check(TopK, 0, int.MaxValue, nameof(TopK));
        Check(TopP, 0, 1, nameof(TopP));
        Check(MinP, 0, 1, nameof(MinP));
        Check(RepetitionPenalty, 0.01, 100, nameof(RepetitionPenalty));
    }

    internal static void Check(double value, double least, double most, string name)
    {
        // A NaN is in no range.
        if (!(value >= least && value <= most))
        {
            throw new ArgumentOutOfRangeException(name, value, FormattableString.Invariant($"{name}: expected a number from {least} to {most}."));
        }
    }
}
