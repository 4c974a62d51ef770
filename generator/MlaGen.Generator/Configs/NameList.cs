using System.Text;

namespace MlaGen.Generator.Configs;

/// <summary>A list of modules as quantizers write it: names, names with <c>*</c>, and expressions behind <c>re:</c>.</summary>
internal sealed class NameList
{
    private const string Expression = "re:";

    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly List<string> _parts = [];
    private readonly List<(string Start, NameRegex Regex)> _patterns = [];

    /// <summary>Reads a list.</summary>
    /// <param name="entries">Its entries.</param>
    /// <param name="matchesParts">Whether a plain entry counts wherever it stands within a name, as most quantizers have it.</param>
    /// <param name="budget">What may be spent on compiling the expressions of this list and those beside it; none is understood beyond it.</param>
    public NameList(IEnumerable<string> entries, bool matchesParts, MatchBudget budget)
    {
        foreach (string entry in entries.Where(static entry => entry.Length > 0))
        {
            bool isExpression = entry.StartsWith(Expression, StringComparison.Ordinal);
            if (!isExpression && entry.IndexOfAny(['*', '?', '[']) < 0)
            {
                _names.Add(entry);
                if (matchesParts)
                {
                    _parts.Add(entry);
                }
            }
            // What is too long is refused before anything walks through it.
            else if (entry.Length <= NameRegex.MaxLength && NameRegex.Parse(isExpression ? entry.Substring(Expression.Length) : Translate(entry), budget) is { } regex)
            {
                _patterns.Add((isExpression ? string.Empty : entry.Substring(0, entry.IndexOfAny(['*', '?', '['])), regex));
            }
            else
            {
                NotUnderstood ??= entry;
            }
        }
    }

    /// <summary>The first entry that is not understood; null when all are.</summary>
    public string? NotUnderstood { get; }

    public bool Matches(string name, MatchBudget budget)
    {
        // Looking at a list and at an entry costs something even if neither matches.
        return budget.Spend(Math.Max(1, _parts.Count + _patterns.Count))
            && (_names.Contains(name)
                || _parts.Exists(part => name.IndexOf(part, StringComparison.Ordinal) >= 0)
                || _patterns.Exists(pattern => name.StartsWith(pattern.Start, StringComparison.Ordinal) && pattern.Regex.IsMatch(name, budget)));
    }

    /// <summary>A name with <c>*</c>, <c>?</c> and <c>[abc]</c> as an expression: Python's <c>fnmatch</c>, which matches whole names.</summary>
    private static string Translate(string glob)
    {
        var expression = new StringBuilder();
        for (int i = 0; i < glob.Length; i++)
        {
            // "[]]" holds a bracket: the set ends at the first bracket behind its first sign.
            int first = i + 1 < glob.Length && glob[i + 1] == '!' ? i + 2 : i + 1;
            int end = glob[i] == '[' && first < glob.Length ? glob.IndexOf(']', first + 1) : -1;
            if (end > 0)
            {
                expression.Append(first == i + 2 ? "[^" : "[").Append(glob.Substring(first, end - first).Replace("\\", "\\\\").Replace("^", "\\^")).Append(']');
                i = end;
                continue;
            }

            _ = glob[i] switch
            {
                '*' => expression.Append(".*"),
                '?' => expression.Append('.'),
                _ => AsciiSet.Words.Contains(glob[i]) ? expression.Append(glob[i]) : expression.Append('\\').Append(glob[i]),
            };
        }

        return expression.Append('$').ToString();
    }
}
