using MlaGen.Runtime;

namespace MlaGen;

/// <summary>
/// Selects by scores as the sparse indexers of generated classes do, for engines that make scores of their own. In time linear in the number of scores; the result depends on
/// nothing but them.
/// </summary>
public static class TopTokens
{
    /// <summary>
    /// The tokens of the highest scores, in ascending order of the tokens. Of equal scores the lower token is taken; -0 equals 0. Negative infinity marks a token that cannot be
    /// selected.
    /// </summary>
    /// <param name="scores">A score for each token.</param>
    /// <param name="tokens">Takes the tokens: as many as fit, and no more than can be selected.</param>
    /// <returns>How many there are.</returns>
    /// <exception cref="ArgumentException">A score is not a number; nothing was written.</exception>
    public static int Select(ReadOnlySpan<float> scores, Span<int> tokens)
    {
        int selectable = 0;
        for (int token = 0; token < scores.Length; token++)
        {
            if (float.IsNaN(scores[token]))
            {
                throw new ArgumentException(FormattableString.Invariant($"The score of token {token} is not a number: nothing can be selected by it."), nameof(scores));
            }

            selectable += float.IsNegativeInfinity(scores[token]) ? 0 : 1;
        }

        int count = Math.Min(selectable, tokens.Length);
        if (count > 0)
        {
            TopScores.Select(scores, count, tokens[..count]);
        }

        return count;
    }
}
