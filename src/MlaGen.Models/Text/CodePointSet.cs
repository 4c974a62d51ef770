using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace MlaGen.Models;

/// <summary>
/// A set of Unicode code points, and how .NET's regular expressions match one of them. Those work on UTF-16: to them a character beyond U+FFFF is two
/// surrogates, which no category of theirs contains.
/// </summary>
internal sealed class CodePointSet
{
    private const int Count = 0x110000;

    // Ranges without end points that touch, ascending: [first, last].
    private readonly (int First, int Last)[] _ranges;

    private CodePointSet((int, int)[] ranges) => _ranges = ranges;

    /// <summary>The code point of a set that has one; null otherwise.</summary>
    public int? Single => _ranges is [(int first, int last)] && first == last ? first : null;

    /// <summary>What <c>\s</c> matches: the property White_Space.</summary>
    public static CodePointSet Space { get; } = Of((0x09, 0x0D), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000));

    // Scripts.txt of Unicode 17: .NET knows no scripts.
    private static readonly CodePointSet _han = Of(
        (0x2E80, 0x2E99), (0x2E9B, 0x2EF3), (0x2F00, 0x2FD5), (0x3005, 0x3005), (0x3007, 0x3007), (0x3021, 0x3029), (0x3038, 0x303B), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFA6D), (0xFA70, 0xFAD9),
        (0x16FE2, 0x16FE3), (0x16FF0, 0x16FF6), (0x20000, 0x2A6DF), (0x2A700, 0x2B81D), (0x2B820, 0x2CEAD), (0x2CEB0, 0x2EBE0), (0x2EBF0, 0x2EE5D), (0x2F800, 0x2FA1D), (0x30000, 0x3134A), (0x31350, 0x33479));

    private static readonly Lazy<FrozenDictionary<string, CodePointSet>> _categories = new(ReadCategories);

    public static CodePointSet Of(params ReadOnlySpan<(int First, int Last)> ranges)
    {
        (int First, int Last)[] sorted = ranges.ToArray();
        Array.Sort(sorted);
        List<(int First, int Last)> joined = [];
        foreach ((int first, int last) in sorted)
        {
            if (joined.Count > 0 && first <= joined[^1].Last + 1)
            {
                joined[^1] = (joined[^1].First, Math.Max(last, joined[^1].Last));
            }
            else
            {
                joined.Add((first, last));
            }
        }

        return new([.. joined]);
    }

    /// <summary>The set that <c>\p{name}</c> matches: a general category (<c>Lu</c>, <c>L</c>), or the script Han.</summary>
    /// <returns>The set; null if the name is none of them.</returns>
    public static CodePointSet? OfProperty(string name) => name == "Han" ? _han : _categories.Value.GetValueOrDefault(name);

    public CodePointSet Union(CodePointSet other) => Of([.. _ranges, .. other._ranges]);

    public CodePointSet Intersect(CodePointSet other) => Complement().Union(other.Complement()).Complement();

    public CodePointSet Complement()
    {
        List<(int, int)> gaps = [];
        int next = 0;
        foreach ((int first, int last) in _ranges)
        {
            if (next < first)
            {
                gaps.Add((next, first - 1));
            }

            next = last + 1;
        }

        if (next < Count)
        {
            gaps.Add((next, Count - 1));
        }

        return new([.. gaps]);
    }

    /// <summary>An atom of a .NET regular expression that matches one of the code points.</summary>
    /// <param name="withPairs">Whether the text may have surrogates; without them the expression is shorter and faster.</param>
    public string ToRegex(bool withPairs)
    {
        StringBuilder single = new();
        // Of each high surrogate the class of low ones; neighbours with the same class share an alternative.
        SortedDictionary<int, StringBuilder> pairs = [];
        foreach ((int first, int last) in _ranges)
        {
            AppendRange(single, first, Math.Min(last, 0xD7FF));
            AppendRange(single, Math.Max(first, 0xE000), Math.Min(last, 0xFFFF));
            for (int start = Math.Max(first, 0x10000); withPairs && start <= last; start = (start | 0x3FF) + 1)
            {
                int high = 0xD800 + ((start - 0x10000) >> 10);
                if (!pairs.TryGetValue(high, out StringBuilder? low))
                {
                    pairs.Add(high, low = new());
                }

                AppendRange(low, 0xDC00 + (start & 0x3FF), 0xDC00 + (Math.Min(last, start | 0x3FF) & 0x3FF));
            }
        }

        List<string> alternatives = [];
        if (single.Length > 0)
        {
            alternatives.Add($"[{single}]");
        }

        foreach (IGrouping<string, int> highs in pairs.GroupBy(pair => pair.Value.ToString(), pair => pair.Key))
        {
            StringBuilder high = new();
            foreach ((int first, int last) in Of([.. highs.Select(value => (value, value))])._ranges)
            {
                AppendRange(high, first, last);
            }

            alternatives.Add($"[{high}][{highs.Key}]");
        }

        return alternatives switch
        {
            [] => "(?!)",
            [string only] when single.Length > 0 => only,
            _ => $"(?:{string.Join('|', alternatives)})",
        };
    }

    private static void AppendRange(StringBuilder text, int first, int last)
    {
        if (first <= last)
        {
            text.Append(CultureInfo.InvariantCulture, $"\\u{first:X4}");
            if (first < last)
            {
                text.Append(CultureInfo.InvariantCulture, $"-\\u{last:X4}");
            }
        }
    }

    private static FrozenDictionary<string, CodePointSet> ReadCategories()
    {
        List<(int, int)>[] ranges = [.. Enumerable.Range(0, 30).Select(_ => new List<(int, int)>())];
        for (int first = 0, last; first < Count; first = last + 1)
        {
            UnicodeCategory category = CharUnicodeInfo.GetUnicodeCategory(first);
            for (last = first; last + 1 < Count && CharUnicodeInfo.GetUnicodeCategory(last + 1) == category; last++)
            {
            }

            ranges[(int)category].Add((first, last));
        }

        // In the order of UnicodeCategory.
        string[] names = ["Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn"];
        Dictionary<string, CodePointSet> sets = names.Select((name, i) => (name, Of([.. ranges[i]]))).ToDictionary();
        foreach (IGrouping<char, string> major in names.GroupBy(name => name[0]))
        {
            sets.Add(major.Key.ToString(), major.Select(name => sets[name]).Aggregate((one, other) => one.Union(other)));
        }

        return sets.ToFrozenDictionary();
    }
}
