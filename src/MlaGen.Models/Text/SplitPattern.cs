using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace MlaGen.Models;

/// <summary>
/// A regular expression of a <c>tokenizer.json</c>, which is written for Oniguruma and matches code points, as one of .NET. Classes of characters are
/// computed as sets and written out, so that they contain what they contain there, characters beyond U+FFFF included.
/// </summary>
internal sealed class SplitPattern
{
    private const int MaxLength = 100_000, MaxDepth = 100;

    // A pattern comes from a file: one that backtracks without end is an error after this time.
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(10);

    private readonly string _pattern;
    private readonly Regex _plain;
    private readonly Lazy<Regex> _withPairs;

    /// <exception cref="FormatException">The pattern is wrong, or uses what is not supported.</exception>
    public SplitPattern(string pattern)
    {
        _pattern = pattern;
        _plain = Compile(pattern, withPairs: false);
        _withPairs = new(() => Compile(pattern, withPairs: true));
    }

    /// <summary>The matches in a text, from left to right.</summary>
    /// <exception cref="InvalidDataException">It takes too long.</exception>
    public List<Range> Matches(string text, int start, int length)
    {
        ReadOnlySpan<char> span = text.AsSpan(start, length);
        Regex regex = span.ContainsAnyInRange('\uD800', '\uDFFF') ? _withPairs.Value : _plain;
        List<Range> matches = [];
        try
        {
            foreach (ValueMatch match in regex.EnumerateMatches(span))
            {
                matches.Add((start + match.Index)..(start + match.Index + match.Length));
            }
        }
        catch (RegexMatchTimeoutException)
        {
            throw new InvalidDataException($"the pattern {Unprintable.Escape(_pattern, 200)} of the tokenizer took longer than {_timeout.TotalSeconds:0} s on a text of {Counted.Of(length, "character")}");
        }

        return matches;
    }

    private static Regex Compile(string pattern, bool withPairs)
    {
        try
        {
            string translated = pattern.Length > MaxLength ? throw new FormatException("it is too long") : new Translation(pattern, withPairs).ToString();
            return new Regex(translated, RegexOptions.CultureInvariant | RegexOptions.Compiled, _timeout);
        }
        catch (Exception error) when (error is FormatException or ArgumentException)
        {
            throw new FormatException($"the pattern {Unprintable.Escape(pattern, 200)} is not supported: {Unprintable.Escape(error.Message, 300)}", error);
        }
    }

    /// <summary>One reading of a pattern from left to right.</summary>
    private sealed class Translation
    {
        private readonly string _pattern;
        private readonly bool _withPairs;
        private readonly StringBuilder _output = new();
        private int _next;

        public Translation(string pattern, bool withPairs)
        {
            _pattern = pattern;
            _withPairs = withPairs;
            Alternatives(depth: 0);
            if (_next < pattern.Length)
            {
                throw new FormatException($"unmatched ) at {_next}");
            }
        }

        public override string ToString() => _output.ToString();

        private bool AtEnd => _next == _pattern.Length;

        private char Peek => AtEnd ? throw new FormatException("it ends early") : _pattern[_next];

        private bool Take(string text)
        {
            bool found = string.CompareOrdinal(_pattern, _next, text, 0, text.Length) == 0;
            _next += found ? text.Length : 0;
            return found;
        }

        private int TakeCodePoint()
        {
            int codePoint = char.ConvertToUtf32(_pattern, AtEnd ? throw new FormatException("it ends early") : _next);
            _next += codePoint > 0xFFFF ? 2 : 1;
            return codePoint;
        }

        private void Alternatives(int depth)
        {
            if (depth > MaxDepth)
            {
                throw new FormatException($"groups are nested more than {MaxDepth} deep");
            }

            while (!AtEnd && Peek != ')')
            {
                if (Take("|"))
                {
                    _output.Append('|');
                    continue;
                }

                int start = _output.Length;
                Atom(depth);
                while (!AtEnd && Quantifier() is { } quantifier)
                {
                    Quantify(start, quantifier);
                }
            }
        }

        /// <summary>Possessive ones are atomic groups in .NET; after a count in braces, + is a quantifier of its own, as a second quantifier is.</summary>
        private void Quantify(int start, string quantifier)
        {
            bool isCount = quantifier[0] == '{';
            bool lazy = Take("?");
            bool possessive = !lazy && !isCount && Take("+");
            _output.Insert(start, possessive ? "(?>" : "(?:").Append(quantifier).Append(lazy ? "?)" : ")");
        }

        private string? Quantifier()
        {
            if (Peek is '*' or '+' or '?')
            {
                return _pattern[_next++].ToString();
            }

            int end = Peek == '{' ? _pattern.IndexOf('}', _next) : -1;
            string counts = end < 0 ? "" : _pattern[(_next + 1)..end];
            if (counts.Length == 0 || !counts.All(c => char.IsAsciiDigit(c) || c == ',') || counts.Count(c => c == ',') > 1 || counts == ",")
            {
                return null;
            }

            _next = end + 1;
            return counts[0] == ',' ? $"{{0{counts}}}" : $"{{{counts}}}";
        }

        private void Atom(int depth)
        {
            if (Take("("))
            {
                Group(depth);
            }
            else if (Take("["))
            {
                _output.Append(Class(depth).ToRegex(_withPairs));
            }
            else if (Take("."))
            {
                _output.Append(CodePointSet.Of(('\n', '\n')).Complement().ToRegex(_withPairs));
            }
            else if (Take("^"))
            {
                _output.Append("(?m:^)");
            }
            else if (Take("$"))
            {
                _output.Append("(?m:$)");
            }
            else if (Take("\\A"))
            {
                _output.Append("\\A");
            }
            else if (Take("\\z"))
            {
                _output.Append("\\z");
            }
            else if (Take("\\"))
            {
                _output.Append(Escape().ToRegex(_withPairs));
            }
            else if (Peek is '*' or '+' or '?')
            {
                throw new FormatException($"{Peek} at {_next} repeats nothing");
            }
            else
            {
                string literal = char.ConvertFromUtf32(TakeCodePoint());
                // Of two surrogates, which a quantifier repeats together.
                _output.Append(literal.Length == 1 ? Regex.Escape(literal) : $"(?:{literal})");
            }
        }

        private void Group(int depth)
        {
            string opening = "(?:";
            if (Take("?"))
            {
                string[] kinds = [":", "=", "!", ">", "<=", "<!", "i:", "-i:"];
                string kind = Array.Find(kinds, Take) ?? throw new FormatException($"the group (?{_pattern[_next..Math.Min(_next + 3, _pattern.Length)]} at {_next}");
                opening = $"(?{kind}";
            }

            _output.Append(opening);
            Alternatives(depth + 1);
            _ = Take(")") ? true : throw new FormatException("a group is not closed");
            _output.Append(')');
        }

        /// <summary>A class after its bracket: items, ranges, classes in it; <c>&amp;&amp;</c> intersects what stands on its two sides.</summary>
        private CodePointSet Class(int depth)
        {
            if (depth > MaxDepth)
            {
                throw new FormatException($"classes are nested more than {MaxDepth} deep");
            }

            bool negated = Take("^");
            CodePointSet? left = null;
            List<CodePointSet> items = [];
            for (bool first = true; first || !Take("]"); first = false)
            {
                if (Take("&&"))
                {
                    left = Intersected();
                    items.Clear();
                }
                else
                {
                    items.Add(Item(depth, first));
                }
            }

            CodePointSet set = Intersected();
            return negated ? set.Complement() : set;

            CodePointSet Intersected()
            {
                CodePointSet right = items.Count == 0 ? throw new FormatException("a class is empty") : items.Aggregate(CodePointSet.Of(), (one, other) => one.Union(other));
                return left is null ? right : left.Intersect(right);
            }
        }

        private CodePointSet Item(int depth, bool first)
        {
            if (Take("[:"))
            {
                throw new FormatException("classes of POSIX");
            }

            if (Take("["))
            {
                return Class(depth + 1);
            }

            if (!first && Peek == ']')
            {
                throw new FormatException("a class is empty");
            }

            int? from = ClassCharacter(out CodePointSet set);
            if (from is { } low && !AtEnd && Peek == '-' && _next + 1 < _pattern.Length && _pattern[_next + 1] != ']')
            {
                _next++;
                int high = ClassCharacter(out _) ?? throw new FormatException($"a range at {_next} has no end");
                return high < low ? throw new FormatException($"a range at {_next} is reversed") : CodePointSet.Of((low, high));
            }

            return set;
        }

        /// <summary>A character of a class, or an escape that stands for several, which begins no range.</summary>
        private int? ClassCharacter(out CodePointSet set)
        {
            if (!Take("\\"))
            {
                int character = TakeCodePoint();
                set = CodePointSet.Of((character, character));
                return character;
            }

            set = Escape();
            return set.Single;
        }

        /// <summary>What stands behind a backslash.</summary>
        private CodePointSet Escape()
        {
            int start = _next;
            int escaped = TakeCodePoint();
            return escaped switch
            {
                's' => CodePointSet.Space,
                'S' => CodePointSet.Space.Complement(),
                'd' => Property("Nd"),
                'D' => Property("Nd").Complement(),
                'w' => Word(),
                'W' => Word().Complement(),
                'p' or 'P' => BracedProperty(negated: escaped == 'P'),
                'n' => Character('\n'),
                'r' => Character('\r'),
                't' => Character('\t'),
                'f' => Character('\f'),
                'v' => Character('\v'),
                'x' or 'u' => Character(Hexadecimal(escaped)),
                _ when escaped > 0x7F || !char.IsAsciiLetterOrDigit((char)escaped) => Character(escaped),
                _ => throw new FormatException($"the escape \\{_pattern[start]} at {start - 1}"),
            };

            static CodePointSet Character(int codePoint) => CodePointSet.Of((codePoint, codePoint));
            static CodePointSet Property(string name) => CodePointSet.OfProperty(name)!;
            static CodePointSet Word() => Property("L").Union(Property("M")).Union(Property("N")).Union(Property("Pc"));
        }

        private CodePointSet BracedProperty(bool negated)
        {
            int end = AtEnd || Peek != '{' ? -1 : _pattern.IndexOf('}', _next);
            string name = end < 0 ? throw new FormatException($"a property without braces at {_next}") : _pattern[(_next + 1)..end];
            _next = end + 1;
            negated ^= name.StartsWith('^');
            CodePointSet set = CodePointSet.OfProperty(name.TrimStart('^')) ?? throw new FormatException($"the property {name}");
            return negated ? set.Complement() : set;
        }

        /// <summary>\xHH, \x{H…} or \uHHHH.</summary>
        private int Hexadecimal(int escape)
        {
            bool braced = escape == 'x' && Take("{");
            int end = braced ? _pattern.IndexOf('}', _next) : _next + (escape == 'u' ? 4 : 2);
            if (end < _next || end > _pattern.Length || !int.TryParse(_pattern.AsSpan(_next, end - _next), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value) || !Rune.IsValid(value))
            {
                throw new FormatException($"the number of a character at {_next}");
            }

            _next = end + (braced ? 1 : 0);
            return value;
        }
    }
}
