using Microsoft.Extensions.AI;

namespace Chat.Engine;

/// <summary>What this program asks of an engine, and an engine tells, beyond the fields that <see cref="IChatClient"/> has for everyone.</summary>
internal static class EngineConventions
{
    /// <summary>Option, <see cref="double"/>: only tokens with at least this share of the likeliest one's probability.</summary>
    public const string MinP = "min_p";

    /// <summary>Option, <see cref="double"/>: 1 for no effect.</summary>
    public const string RepetitionPenalty = "repetition_penalty";

    /// <summary>Option, <see cref="int"/>: how many alternatives to tell beside each token; and of an update, a list of <see cref="TokenLikelihood"/>.</summary>
    public const string LogProbs = "logprobs";
}

/// <summary>A token's text and the natural logarithm of its probability.</summary>
/// <param name="Bytes">Its UTF-8, or a part of a character.</param>
/// <param name="LogProb">The logarithm.</param>
/// <param name="Likeliest">The most likely tokens in its place, best first.</param>
internal sealed record TokenLikelihood(ReadOnlyMemory<byte> Bytes, double LogProb, IReadOnlyList<TokenLikelihood> Likeliest);
