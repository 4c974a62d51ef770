using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Microsoft.CodeAnalysis.Text;

namespace MlaGen.Generator.Configs;

/// <summary>What reading a file gave: a value, or the first mistake and its place.</summary>
/// <param name="Root">The value, or null when the text is not JSON.</param>
/// <param name="Duplicates">Members whose object has an earlier one of the same name.</param>
/// <param name="Error">What is wrong, or null.</param>
/// <param name="ErrorSpan">Where it is wrong.</param>
internal sealed record JsonDocument(JsonValue? Root, ImmutableArray<JsonProperty> Duplicates, string? Error, TextSpan ErrorSpan);

/// <summary>
/// Reads JSON as RFC 8259 defines it, no comments, no trailing commas, and remembers where everything stands. System.Text.Json cannot
/// be used here: an analyzer that brings its own copy breaks inside Visual Studio, which loads another.
/// </summary>
internal sealed class JsonReader
{
    /// <summary>Nested arrays and objects, the limit of System.Text.Json.</summary>
    public const int MaxDepth = 64;

    /// <summary>Characters; a model's configuration has a few thousand.</summary>
    public const int MaxLength = 4 * 1024 * 1024;

    private const char ByteOrderMark = '\uFEFF';

    private readonly string _text;
    private readonly CancellationToken _cancellation;
    private readonly ImmutableArray<JsonProperty>.Builder _duplicates = ImmutableArray.CreateBuilder<JsonProperty>();
    private readonly StringBuilder _unescaped = new();
    private int _position;
    private int _depth;

    private JsonReader(string text, CancellationToken cancellation)
    {
        _text = text;
        _cancellation = cancellation;
    }

    // The end of the text reads as NUL, which no rule accepts.
    private char Current => _position < _text.Length ? _text[_position] : '\0';

    private bool AtEnd => _position >= _text.Length;

    /// <summary>Reads a whole text, a byte order mark at its start allowed.</summary>
    public static JsonDocument Read(string text, CancellationToken cancellation = default)
    {
        if (text.Length > MaxLength)
        {
            string error = string.Format(CultureInfo.InvariantCulture, "the text has {0} characters; expected at most {1}", text.Length, MaxLength);
            return Failed(error, new TextSpan(0, 0));
        }

        var reader = new JsonReader(text, cancellation);
        try
        {
            JsonValue root = reader.ReadDocument();
            return new JsonDocument(root, reader._duplicates.ToImmutable(), null, default);
        }
        catch (SyntaxException exception)
        {
            return Failed(exception.Message, exception.Span);
        }
    }

    private static JsonDocument Failed(string error, TextSpan span) => new(null, ImmutableArray<JsonProperty>.Empty, error, span);

    private JsonValue ReadDocument()
    {
        if (Current == ByteOrderMark)
        {
            _position++;
        }

        SkipWhitespace();
        JsonValue root = ReadValue();
        SkipWhitespace();
        return AtEnd ? root : throw Unexpected("the end of the text");
    }

    private JsonValue ReadValue()
    {
        _cancellation.ThrowIfCancellationRequested();
        return Current switch
        {
            '{' => ReadObject(),
            '[' => ReadArray(),
            '"' => ReadStringValue(),
            '-' or (>= '0' and <= '9') => ReadNumber(),
            't' => ReadLiteral("true", JsonKind.True),
            'f' => ReadLiteral("false", JsonKind.False),
            'n' => ReadLiteral("null", JsonKind.Null),
            _ => throw Unexpected("a value"),
        };
    }

    private JsonValue ReadObject()
    {
        int start = Enter();
        ImmutableArray<JsonProperty>.Builder properties = ImmutableArray.CreateBuilder<JsonProperty>();
        var index = new Dictionary<string, JsonProperty>(StringComparer.Ordinal);
        SkipWhitespace();
        if (Current != '}')
        {
            do
            {
                SkipWhitespace();
                JsonProperty property = ReadProperty();
                properties.Add(property);
                if (index.ContainsKey(property.Name))
                {
                    _duplicates.Add(property);
                }
                else
                {
                    index.Add(property.Name, property);
                }

                SkipWhitespace();
            }
            while (Accept(','));
        }

        Leave('}', "',' or '}'");
        return new JsonValue(JsonKind.Object, TextSpan.FromBounds(start, _position), string.Empty, ImmutableArray<JsonValue>.Empty, properties.ToImmutable(), index);
    }

    private JsonProperty ReadProperty()
    {
        if (Current != '"')
        {
            throw Unexpected("a property name in double quotes");
        }

        int start = _position;
        string name = ReadString();
        TextSpan nameSpan = TextSpan.FromBounds(start, _position);
        SkipWhitespace();
        if (!Accept(':'))
        {
            throw Unexpected("':'");
        }

        SkipWhitespace();
        return new JsonProperty(name, nameSpan, ReadValue());
    }

    private JsonValue ReadArray()
    {
        int start = Enter();
        ImmutableArray<JsonValue>.Builder items = ImmutableArray.CreateBuilder<JsonValue>();
        SkipWhitespace();
        if (Current != ']')
        {
            do
            {
                SkipWhitespace();
                items.Add(ReadValue());
                SkipWhitespace();
            }
            while (Accept(','));
        }

        Leave(']', "',' or ']'");
        return new JsonValue(JsonKind.Array, TextSpan.FromBounds(start, _position), string.Empty, items.ToImmutable(), ImmutableArray<JsonProperty>.Empty);
    }

    private int Enter()
    {
        if (++_depth > MaxDepth)
        {
            throw new SyntaxException(string.Format(CultureInfo.InvariantCulture, "nested deeper than {0} levels", MaxDepth), new TextSpan(_position, 1));
        }

        return _position++;
    }

    private void Leave(char bracket, string expected)
    {
        if (!Accept(bracket))
        {
            throw Unexpected(expected);
        }

        _depth--;
    }

    private JsonValue ReadLiteral(string literal, JsonKind kind)
    {
        if (string.CompareOrdinal(_text, _position, literal, 0, literal.Length) != 0)
        {
            throw Unexpected("a value");
        }

        int start = _position;
        _position += literal.Length;
        return Scalar(kind, start, literal);
    }

    // -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
    private JsonValue ReadNumber()
    {
        int start = _position;
        Accept('-');
        if (!Accept('0'))
        {
            ReadDigits();
        }

        if (Accept('.'))
        {
            ReadDigits();
        }

        if (Accept('e') || Accept('E'))
        {
            _ = Accept('+') || Accept('-');
            ReadDigits();
        }

        return Scalar(JsonKind.Number, start, _text.Substring(start, _position - start));
    }

    private void ReadDigits()
    {
        if (Current is < '0' or > '9')
        {
            throw Unexpected("a digit");
        }

        while (Current is >= '0' and <= '9')
        {
            _position++;
        }
    }

    private JsonValue ReadStringValue()
    {
        int start = _position;
        string content = ReadString();
        return Scalar(JsonKind.String, start, content);
    }

    private string ReadString()
    {
        int start = _position++;
        _unescaped.Clear();
        while (Current != '"')
        {
            if (AtEnd)
            {
                throw new SyntaxException("a string is not closed", TextSpan.FromBounds(start, _position));
            }

            if (Current < ' ')
            {
                throw Unexpected("an escape: control characters cannot stand in a string");
            }

            bool escaped = Current == '\\';
            int characterStart = _position;
            char character = escaped ? ReadEscape() : _text[_position++];
            if (char.IsLowSurrogate(character))
            {
                throw LoneSurrogate(characterStart);
            }

            _unescaped.Append(character);
            if (char.IsHighSurrogate(character))
            {
                _unescaped.Append(ReadLowSurrogate(escaped, characterStart));
            }
        }

        _position++;
        return _unescaped.ToString();
    }

    // Both halves are written the same way: System.Text.Json refuses a pair of one escape and one raw half as well.
    private char ReadLowSurrogate(bool escaped, int start)
    {
        char low = '\0';
        if (escaped == (Current == '\\') && !AtEnd)
        {
            low = escaped ? ReadEscape() : _text[_position++];
        }

        return char.IsLowSurrogate(low) ? low : throw LoneSurrogate(start);
    }

    private SyntaxException LoneSurrogate(int start)
        => new("half a surrogate pair is no character", TextSpan.FromBounds(start, Math.Min(_position, _text.Length)));

    private char ReadEscape()
    {
        _position++;
        char kind = Current;
        int mapped = "\"\\/bfnrtu".IndexOf(kind);
        if (AtEnd || mapped < 0)
        {
            throw Unexpected("one of \" \\ / b f n r t u after the backslash");
        }

        _position++;
        return kind == 'u' ? ReadHex() : "\"\\/\b\f\n\r\t"[mapped];
    }

    private char ReadHex()
    {
        int value = 0;
        for (int digit = 0; digit < 4; digit++)
        {
            int nibble = Current switch
            {
                >= '0' and <= '9' => Current - '0',
                >= 'a' and <= 'f' => Current - 'a' + 10,
                >= 'A' and <= 'F' => Current - 'A' + 10,
                _ => throw Unexpected("four hexadecimal digits"),
            };
            value = (value << 4) | nibble;
            _position++;
        }

        return (char)value;
    }

    private void SkipWhitespace()
    {
        while (Current is ' ' or '\t' or '\n' or '\r')
        {
            _position++;
        }
    }

    private bool Accept(char character)
    {
        if (Current != character || AtEnd)
        {
            return false;
        }

        _position++;
        return true;
    }

    private JsonValue Scalar(JsonKind kind, int start, string content)
        => new(kind, TextSpan.FromBounds(start, _position), content, ImmutableArray<JsonValue>.Empty, ImmutableArray<JsonProperty>.Empty);

    private SyntaxException Unexpected(string expected)
    {
        string found = AtEnd
            ? "the end of the text"
            : Current is < ' ' or > '~'
                ? "U+" + ((int)Current).ToString("X4", CultureInfo.InvariantCulture)
                : "'" + Current + "'";
        return new SyntaxException("found " + found + "; expected " + expected, new TextSpan(_position, AtEnd ? 0 : 1));
    }

    private sealed class SyntaxException(string message, TextSpan span) : Exception(message)
    {
        public TextSpan Span { get; } = span;
    }
}
