namespace MlaGen;

/// <summary>
/// New tokens of which each continues another: candidates to be verified in one call, as in SpecInfer and Medusa. Kept as the index of each
/// token's parent among them, <see cref="Root"/> where it continues the cached tokens. Parents come before what continues them.
/// </summary>
internal static class TokenTree
{
    public const int Root = -1;

    /// <summary>Whether each token continues the one before, as they do without a tree.</summary>
    public static bool IsChain(ReadOnlySpan<int> parents)
    {
        for (int token = 0; token < parents.Length; token++)
        {
            if (parents[token] != token - 1)
            {
                return false;
            }
        }

        return true;
    }

    public static void Check(ReadOnlySpan<int> parents, int newTokens)
    {
        if (parents.Length != newTokens)
        {
            throw new ArgumentException(FormattableString.Invariant($"Expected as many parents as new tokens, {newTokens}; found {parents.Length}."), nameof(parents));
        }

        for (int token = 0; token < parents.Length; token++)
        {
            if (parents[token] < Root || parents[token] >= token)
            {
                throw new ArgumentException(FormattableString.Invariant(
                    $"Token {token} continues token {parents[token]}: a parent is one of the tokens before, or {Root} for the cached ones."), nameof(parents));
            }
        }
    }

    /// <summary>Tokens on the way to <paramref name="token"/>, itself included.</summary>
    public static int PathLength(ReadOnlySpan<int> parents, int token)
    {
        int length = 0;
        for (; token != Root; token = parents[token])
        {
            length++;
        }

        return length;
    }

    /// <summary>Fills <paramref name="path"/>, of <see cref="PathLength"/>, with the tokens on the way, in ascending order.</summary>
    public static void FillPath(ReadOnlySpan<int> parents, int token, Span<int> path)
    {
        for (int i = path.Length - 1; i >= 0; i--)
        {
            path[i] = token;
            token = parents[token];
        }
    }

    /// <summary>Refuses tokens of which one does not continue the one before, the first the cached ones.</summary>
    public static void CheckPath(ReadOnlySpan<int> parents, ReadOnlySpan<int> path)
    {
        int parent = Root;
        foreach (int token in path)
        {
            if ((uint)token >= (uint)parents.Length)
            {
                throw new ArgumentException(FormattableString.Invariant($"The step adds {Counted.Of(parents.Length, "token")} to the sequence: there is no token {token}."), nameof(path));
            }

            if (parents[token] != parent)
            {
                throw new ArgumentException(FormattableString.Invariant($"Token {token} continues token {parents[token]}, not {parent} as the path has it ({Root} is the cached tokens)."), nameof(path));
            }

            parent = token;
        }
    }
}
