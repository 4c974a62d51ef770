namespace MlaGen.Runtime;

/// <summary>Finds the name that somebody probably meant. The generator compiles this file too.</summary>
internal static class NearestName
{
    // Names come from files: neither a long one nor many of them may cost more than a message is worth.
    private const int MaxLength = 256;
    private const int MaxCandidates = 2000;

    /// <summary>The candidate that the fewest edits turn into the name, of several the first in ordinal order.</summary>
    /// <param name="name">What was looked for.</param>
    /// <param name="candidates">What there is.</param>
    /// <param name="most">Edits beyond which a candidate is another name.</param>
    /// <returns>The candidate; null when there is none.</returns>
    public static string? Of(string name, IEnumerable<string> candidates, int most = int.MaxValue)
    {
        string? nearest = null;
        int fewest = 0;
        foreach (string candidate in candidates.Where(candidate => candidate.Length <= MaxLength && name.Length <= MaxLength).Take(MaxCandidates))
        {
            int edits = Edits(name, candidate);
            if (edits <= most && (nearest is null || edits < fewest || (edits == fewest && string.CompareOrdinal(candidate, nearest) < 0)))
            {
                nearest = candidate;
                fewest = edits;
            }
        }

        return nearest;
    }

    /// <summary>Levenshtein's distance: characters inserted, removed or replaced.</summary>
    private static int Edits(string one, string other)
    {
        int[] row = [.. Enumerable.Range(0, other.Length + 1)];
        for (int i = 0; i < one.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i + 1;
            for (int j = 0; j < other.Length; j++)
            {
                int replaced = diagonal + (one[i] == other[j] ? 0 : 1);
                diagonal = row[j + 1];
                row[j + 1] = Math.Min(replaced, Math.Min(row[j], diagonal) + 1);
            }
        }

        return row[other.Length];
    }
}
