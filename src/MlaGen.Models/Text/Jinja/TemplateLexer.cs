using System.Globalization;
using System.Text;

namespace MlaGen.Models;

internal enum TemplateTokenKind
{
    /// <summary>What is written as it stands.</summary>
    Text,

    /// <summary><c>{{</c></summary>
    OutputBegin,

    /// <summary><c>}}</c></summary>
    OutputEnd,

    /// <summary><c>{%</c></summary>
    BlockBegin,

    /// <summary><c>%}</c></summary>
    BlockEnd,
    Name,
    String,
    Integer,
    Float,
    Operator,
    End,
}

/// <summary>A token of a template.</summary>
internal readonly record struct TemplateToken(TemplateTokenKind Kind, string Text, int Line)
{
    public bool Is(TemplateTokenKind kind, string text) => Kind == kind && Text == text;
}

/// <summary>
/// Cuts a template into tokens, as Jinja does for transformers: <c>trim_blocks</c> and <c>lstrip_blocks</c> are on, <c>keep_trailing_newline</c> is off.
/// </summary>
internal sealed class TemplateLexer
{
    private static readonly string[] _operators =
        ["**", "//", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "[", "]", "(", ")", "{", "}", "=", ">", "<", ".", ":", "|", ",", ";"];

    private readonly string _source;
    private readonly List<TemplateToken> _tokens = [];
    private int _next;
    private int _line = 1;
    private int _counted;

    private TemplateLexer(string source)
    {
        source = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        _source = source.EndsWith('\n') ? source[..^1] : source;
    }

    /// <exception cref="TemplateError">A tag is not closed, or has a character that belongs to no token.</exception>
    public static List<TemplateToken> Read(string source, out int line)
    {
        TemplateLexer lexer = new(source);
        try
        {
            lexer.Read();
        }
        finally
        {
            line = lexer.LineAt(lexer._next);
        }

        return lexer._tokens;
    }

    private void Read()
    {
        bool beginsLine = true;
        while (_next < _source.Length)
        {
            int tag = NextTag();
            string text = _source[_next..tag];
            if (tag == _source.Length)
            {
                Add(TemplateTokenKind.Text, text);
                _next = tag;
                break;
            }

            char kind = _source[tag + 1];
            char sign = tag + 2 < _source.Length && _source[tag + 2] is '-' or '+' ? _source[tag + 2] : '\0';
            // In a comment, + is text, and so is - before its end.
            if (sign == '-')
            {
                text = TrimEnd(text);
            }
            else if (sign == '\0' && kind != '{')
            {
                int lineStart = text.LastIndexOf('\n') + 1;
                if ((lineStart > 0 || beginsLine) && TrimEnd(text[lineStart..]).Length == 0)
                {
                    text = text[..lineStart];
                }
            }

            Add(TemplateTokenKind.Text, text);
            _next = tag + 2 + (sign == '\0' ? 0 : 1);
            if (kind == '#')
            {
                int end = _source.IndexOf("#}", _next, StringComparison.Ordinal);
                _next = end < 0 ? throw new TemplateError("a comment is not closed") : end;
                EndTag("#}", _source[end - 1] is '-' or '+' && end - 1 >= tag + 2 ? _source[end - 1] : '\0', trimsNewline: true);
            }
            else if (kind == '%' && IsBlock("raw", out char rawSign))
            {
                EndTag("%}", rawSign, trimsNewline: false);
                Raw();
            }
            else
            {
                Tag(kind == '{');
            }

            beginsLine = _source[_next - 1] == '\n';
        }

        Add(TemplateTokenKind.End, "");
    }

    private int NextTag()
    {
        for (int at = _next; ; at++)
        {
            at = _source.IndexOf('{', at);
            if (at < 0 || at + 1 >= _source.Length)
            {
                return _source.Length;
            }

            if (_source[at + 1] is '{' or '%' or '#')
            {
                return at;
            }
        }
    }

    /// <summary>Whether a block at the reading position is one word; then it stands before the block's sign or end.</summary>
    private bool IsBlock(string word, out char sign)
    {
        int at = SkipSpace(_next);
        sign = '\0';
        if (string.CompareOrdinal(_source, at, word, 0, word.Length) != 0)
        {
            return false;
        }

        at = SkipSpace(at + word.Length);
        if (at < _source.Length && _source[at] is '-' or '+')
        {
            sign = _source[at++];
        }

        if (string.CompareOrdinal(_source, at, "%}", 0, 2) != 0)
        {
            return false;
        }

        _next = at;
        return true;
    }

    private void Raw()
    {
        for (int at = _next; ; at++)
        {
            at = _source.IndexOf("{%", at, StringComparison.Ordinal);
            if (at < 0)
            {
                throw new TemplateError("raw is not closed");
            }

            int begun = _next;
            char before = at + 2 < _source.Length && _source[at + 2] is '-' or '+' ? _source[at + 2] : '\0';
            _next = at + 2 + (before == '\0' ? 0 : 1);
            if (IsBlock("endraw", out char sign))
            {
                string text = _source[begun..at];
                int lineStart = text.LastIndexOf('\n') + 1;
                Add(TemplateTokenKind.Text, before == '-' ? TrimEnd(text) : before == '\0' && lineStart > 0 && TrimEnd(text[lineStart..]).Length == 0 ? text[..lineStart] : text);
                EndTag("%}", sign, trimsNewline: true);
                return;
            }

            _next = begun;
        }
    }

    private void Tag(bool isOutput)
    {
        Add(isOutput ? TemplateTokenKind.OutputBegin : TemplateTokenKind.BlockBegin, "");
        string end = isOutput ? "}}" : "%}";
        Stack<char> open = new();
        while (true)
        {
            _next = SkipSpace(_next);
            if (_next >= _source.Length)
            {
                throw new TemplateError(isOutput ? "{{ is not closed" : "{% is not closed");
            }

            char first = _source[_next];
            if (open.Count == 0)
            {
                char sign = first == '-' || (first == '+' && !isOutput) ? first : '\0';
                int at = sign == '\0' ? _next : _next + 1;
                if (string.CompareOrdinal(_source, at, end, 0, 2) == 0)
                {
                    Add(isOutput ? TemplateTokenKind.OutputEnd : TemplateTokenKind.BlockEnd, "");
                    _next = at;
                    EndTag(end, sign, trimsNewline: !isOutput);
                    return;
                }
            }

            if (char.IsAsciiDigit(first))
            {
                Number();
            }
            else if (char.IsLetter(first) || first == '_')
            {
                int begun = _next;
                while (_next < _source.Length && (char.IsLetterOrDigit(_source[_next]) || _source[_next] == '_'))
                {
                    _next++;
                }

                Add(TemplateTokenKind.Name, _source[begun.._next]);
            }
            else if (first is '\'' or '"')
            {
                Add(TemplateTokenKind.String, StringLiteral(first));
            }
            else
            {
                Operator(open);
            }
        }
    }

    private void Operator(Stack<char> open)
    {
        string text = Array.Find(_operators, candidate => string.CompareOrdinal(_source, _next, candidate, 0, candidate.Length) == 0)
            ?? throw new TemplateError($"unexpected character {Unprintable.Escape(_source[_next].ToString())}");
        if (text is "(" or "[" or "{")
        {
            open.Push(text == "(" ? ')' : text == "[" ? ']' : '}');
        }
        else if (text is ")" or "]" or "}" && (!open.TryPop(out char expected) || expected != text[0]))
        {
            throw new TemplateError($"unexpected {text}");
        }

        Add(TemplateTokenKind.Operator, text);
        _next += text.Length;
    }

    private void Number()
    {
        int begun = _next;
        SkipDigits();
        bool isFloat = _next + 1 < _source.Length && _source[_next] == '.' && char.IsAsciiDigit(_source[_next + 1]);
        if (isFloat)
        {
            _next++;
            SkipDigits();
        }

        int exponent = _next < _source.Length && _source[_next] is 'e' or 'E' ? _next + 1 : -1;
        exponent += exponent > 0 && exponent < _source.Length && _source[exponent] is '+' or '-' ? 1 : 0;
        if (exponent > 0 && exponent < _source.Length && char.IsAsciiDigit(_source[exponent]))
        {
            isFloat = true;
            _next = exponent;
            SkipDigits();
        }

        Add(isFloat ? TemplateTokenKind.Float : TemplateTokenKind.Integer, _source[begun.._next].Replace("_", "", StringComparison.Ordinal));

        void SkipDigits()
        {
            while (_next < _source.Length && (char.IsAsciiDigit(_source[_next]) || _source[_next] == '_'))
            {
                _next++;
            }
        }
    }

    private string StringLiteral(char quote)
    {
        StringBuilder text = new();
        for (_next++; _next < _source.Length; _next++)
        {
            char c = _source[_next];
            if (c == quote)
            {
                _next++;
                return text.ToString();
            }

            if (c != '\\')
            {
                text.Append(c);
                continue;
            }

            c = ++_next < _source.Length ? _source[_next] : throw new TemplateError("a text is not closed");
            switch (c)
            {
                case 'n' or 't' or 'r' or 'f' or 'b' or 'v' or 'a' or '\\' or '\'' or '"':
                    text.Append("\n\t\r\f\b\v\a\\'\""["ntrfbva\\'\"".IndexOf(c, StringComparison.Ordinal)]);
                    break;
                case '\n':
                    break;
                case 'x' or 'u' or 'U':
                    text.Append(Escaped(c == 'x' ? 2 : c == 'u' ? 4 : 8));
                    break;
                case >= '0' and <= '7':
                    int value = 0, digits = 0;
                    for (; digits < 3 && _next < _source.Length && _source[_next] is >= '0' and <= '7'; digits++, _next++)
                    {
                        value = (value * 8) + _source[_next] - '0';
                    }

                    _next--;
                    text.Append((char)value);
                    break;
                default:
                    text.Append('\\').Append(c);
                    break;
            }
        }

        throw new TemplateError("a text is not closed");
    }

    private string Escaped(int digits)
    {
        int begun = _next + 1;
        if (begun + digits > _source.Length || !int.TryParse(_source.AsSpan(begun, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value) || value is < 0 or > 0x10FFFF)
        {
            throw new TemplateError("a text has a wrong escape");
        }

        _next += digits;
        return value is >= 0xD800 and <= 0xDFFF ? ((char)value).ToString() : char.ConvertFromUtf32(value);
    }

    /// <summary>Passes the end of a tag: - takes the white space behind it along, a block's end one line break.</summary>
    private void EndTag(string end, char sign, bool trimsNewline)
    {
        _next += end.Length;
        if (sign == '-')
        {
            _next = SkipSpace(_next);
        }
        else if (sign == '\0' && trimsNewline && _next < _source.Length && _source[_next] == '\n')
        {
            _next++;
        }
    }

    private int SkipSpace(int at)
    {
        while (at < _source.Length && TemplateValue.IsSpace(_source[at]))
        {
            at++;
        }

        return at;
    }

    private static string TrimEnd(string text)
    {
        int end = text.Length;
        while (end > 0 && TemplateValue.IsSpace(text[end - 1]))
        {
            end--;
        }

        return text[..end];
    }

    private void Add(TemplateTokenKind kind, string text)
    {
        if (kind != TemplateTokenKind.Text || text.Length > 0)
        {
            _tokens.Add(new(kind, text, LineAt(_next)));
        }
    }

    private int LineAt(int position)
    {
        int end = Math.Min(position, _source.Length);
        if (end > _counted)
        {
            _line += _source.AsSpan(_counted, end - _counted).Count('\n');
            _counted = end;
        }

        return _line;
    }
}
