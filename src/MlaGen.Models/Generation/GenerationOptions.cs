using System.Collections.Immutable;

namespace MlaGen.Models;

/// <summary>What one request wants.</summary>
public sealed record GenerationOptions
{
    /// <summary>Tokens to generate at most.</summary>
    public int MaxTokens { get; init; } = 256;

    /// <summary>How tokens are chosen.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Tokens that end the text; <see langword="null"/> for those of the model, empty for none.</summary>
    public ImmutableArray<int>? StopTokens { get; init; }

    /// <summary>Texts that end the text; they do not become part of it. Needs a tokenizer.</summary>
    public ImmutableArray<string> StopTexts { get; init; } = [];

    /// <summary>The most likely tokens to tell the logarithms of probabilities of, beside the chosen one; <see langword="null"/> to tell none at all.</summary>
    public int? LogProbs { get; init; }

    internal void Validate()
    {
        const int MostStops = 64;
        SamplingOptions.Check(MaxTokens, 1, int.MaxValue, nameof(MaxTokens));
        SamplingOptions.Check(LogProbs ?? 0, 0, 100, nameof(LogProbs));
        ArgumentNullException.ThrowIfNull(Sampling);
        Sampling.Validate();
        if (StopTexts.IsDefault || StopTexts.Length > MostStops || StopTexts.Any(string.IsNullOrEmpty))
        {
            throw new ArgumentException($"StopTexts: expected at most {MostStops} texts, none of them empty.");
        }
    }
}

/// <summary>Why a text ended.</summary>
public enum FinishReason
{
    /// <summary>It has not.</summary>
    None,

    /// <summary>A token or a text that ends it.</summary>
    Stop,

    /// <summary>As many tokens as were asked for, or as the model has positions for.</summary>
    Length,
}

/// <summary>A token and the natural logarithm of its probability, before temperature and cuts.</summary>
/// <param name="Token">The token.</param>
/// <param name="LogProb">The logarithm.</param>
public readonly record struct TokenLogProb(int Token, float LogProb);

/// <summary>A token that was generated.</summary>
/// <param name="Token">The token; one that ends the text is told too.</param>
/// <param name="Text">What has become certain of the text with it: whole characters, and nothing that may yet turn out to be a stop text. Empty without a tokenizer.</param>
/// <param name="Finish">Why it is the last one, or <see cref="FinishReason.None"/>.</param>
/// <param name="LogProb">Its probability, where asked for.</param>
/// <param name="Likeliest">The most likely tokens, best first, where asked for.</param>
public sealed record GeneratedToken(int Token, string Text, FinishReason Finish, float? LogProb, ImmutableArray<TokenLogProb> Likeliest);
