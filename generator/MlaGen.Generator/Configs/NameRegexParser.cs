using System.Globalization;

namespace MlaGen.Generator.Configs;

/// <summary>What a part of an expression is.</summary>
internal enum NameRegexKind
{
    Take,
    Assert,
    Sequence,
    Choice,
    Repeat,
    Look,
}

/// <summary>One part of an expression.</summary>
internal sealed class NameRegexNode(NameRegexKind kind)
{
    public NameRegexKind Kind { get; } = kind;

    public List<NameRegexNode> Children { get; } = [];

    /// <summary>The characters that are taken.</summary>
    public AsciiSet Set { get; init; }

    public NameRegex.Op Assertion { get; init; }

    public int Least { get; init; }

    /// <summary>Null for any number.</summary>
    public int? Most { get; init; }
}

/// <summary>Parses the part of Python's syntax that lists of modules use; a <see cref="FormatException"/> for the rest.</summary>
internal sealed class NameRegexParser(string pattern)
{
    private const int MaxDepth = 50;
    private const int MaxRepeats = 1000;

    private int _at;
    private int _depth;

    private bool IsAtEnd => _at == pattern.Length;

    public NameRegexNode Parse()
    {
        NameRegexNode node = Choice();
        return IsAtEnd ? node : throw Unknown();
    }

    private NameRegexNode Choice()
    {
        if (++_depth > MaxDepth)
        {
            throw Unknown();
        }

        var choice = new NameRegexNode(NameRegexKind.Choice);
        do
        {
            choice.Children.Add(Sequence());
        }
        while (Accept('|'));

        _depth--;
        return choice;
    }

    private NameRegexNode Sequence()
    {
        var sequence = new NameRegexNode(NameRegexKind.Sequence);
        while (!IsAtEnd && pattern[_at] is not ('|' or ')'))
        {
            sequence.Children.Add(Repeated());
        }

        return sequence;
    }

    private NameRegexNode Repeated()
    {
        NameRegexNode atom = Atom();
        if (IsAtEnd)
        {
            return atom;
        }

        int start = _at;
        (int Least, int? Most)? range = pattern[_at++] switch
        {
            '*' => (0, null),
            '+' => (1, null),
            '?' => (0, 1),
            '{' => Range(),
            _ => null,
        };
        if (range is not { } times)
        {
            _at = start;
            return atom;
        }

        // Whether as many or as few as possible are taken does not change whether there is a match; a third sign is another syntax.
        _ = Accept('?');
        if ((!IsAtEnd && pattern[_at] is '*' or '+' or '?' or '{') || atom.Kind is NameRegexKind.Assert or NameRegexKind.Look)
        {
            throw Unknown();
        }

        return new NameRegexNode(NameRegexKind.Repeat) { Least = times.Least, Most = times.Most, Children = { atom } };
    }

    private (int Least, int? Most) Range()
    {
        int end = pattern.IndexOf('}', _at);
        string[] bounds = end < 0 ? throw Unknown() : pattern.Substring(_at, end - _at).Split(',');
        _at = end + 1;
        int least = bounds[0].Length == 0 && bounds.Length == 2 ? 0 : Number(bounds[0]);
        int? most = bounds.Length == 1 ? least : bounds[1].Length == 0 ? null : Number(bounds[1]);
        return bounds.Length > 2 || most < least ? throw Unknown() : (least, most);
    }

    private static int Number(string text)
        => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number <= MaxRepeats ? number : throw Unknown();

    private NameRegexNode Atom()
    {
        char c = pattern[_at++];
        return c switch
        {
            '(' => Group(),
            '[' => Take(Set()),
            '.' => Take(AsciiSet.All),
            '^' => Assert(NameRegex.Op.Start),
            '$' => Assert(NameRegex.Op.End),
            '\\' => Escape(),
            '*' or '+' or '?' or '{' => throw Unknown(),
            _ => Take(AsciiSet.Of(c)),
        };
    }

    private NameRegexNode Group()
    {
        NameRegex.Op? look = null;
        if (Accept('?'))
        {
            if (Accept('='))
            {
                look = NameRegex.Op.Look;
            }
            else if (Accept('!'))
            {
                look = NameRegex.Op.LookNot;
            }
            else if (Accept('P') && Accept('<'))
            {
                _at = pattern.IndexOf('>', _at) + 1;
                _ = _at == 0 ? throw Unknown() : 0;
            }
            else if (!Accept(':'))
            {
                throw Unknown();
            }
        }

        NameRegexNode inner = Choice();
        if (!Accept(')'))
        {
            throw Unknown();
        }

        return look is { } assertion ? new NameRegexNode(NameRegexKind.Look) { Assertion = assertion, Children = { inner } } : inner;
    }

    private NameRegexNode Escape()
    {
        char c = Next();
        return c switch
        {
            'b' => Assert(NameRegex.Op.Boundary),
            'B' => Assert(NameRegex.Op.NotBoundary),
            'A' => Assert(NameRegex.Op.Start),
            'Z' => Assert(NameRegex.Op.End),
            _ => Take(Class(c)),
        };
    }

    /// <summary>What an escape stands for, within a set or without.</summary>
    private static AsciiSet Class(char c) => c switch
    {
        'd' => AsciiSet.Digits,
        'D' => ~AsciiSet.Digits,
        'w' => AsciiSet.Words,
        'W' => ~AsciiSet.Words,
        's' => AsciiSet.Spaces,
        'S' => ~AsciiSet.Spaces,
        _ when AsciiSet.Words.Contains(c) && c != '_' => throw Unknown(),
        _ => AsciiSet.Of(c),
    };

    private AsciiSet Set()
    {
        bool isNegated = Accept('^');
        AsciiSet set = default;
        int start = _at;
        while (_at == start || Next() != ']')
        {
            // The first sign of a set belongs to it, whatever it is.
            char low = _at == start ? Next() : pattern[_at - 1];
            if (low == '\\')
            {
                set |= Class(Next());
            }
            else if (_at + 1 < pattern.Length && pattern[_at] == '-' && pattern[_at + 1] is not (']' or '\\'))
            {
                char high = pattern[_at + 1];
                _at += 2;
                set |= AsciiSet.Range(low, high);
            }
            else
            {
                set |= AsciiSet.Of(low);
            }
        }

        return isNegated ? ~set : set;
    }

    private static NameRegexNode Take(AsciiSet set) => new(NameRegexKind.Take) { Set = set };

    private static NameRegexNode Assert(NameRegex.Op assertion) => new(NameRegexKind.Assert) { Assertion = assertion };

    private char Next() => IsAtEnd ? throw Unknown() : pattern[_at++];

    private bool Accept(char c)
    {
        bool isThere = !IsAtEnd && pattern[_at] == c;
        _at += isThere ? 1 : 0;
        return isThere;
    }

    private static FormatException Unknown() => new("The expression is not understood.");
}
