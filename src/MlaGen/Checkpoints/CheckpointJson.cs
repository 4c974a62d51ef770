using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace MlaGen.Runtime;

/// <summary>
/// Walks a JSON document of a checkpoint that may be hostile: depth is bounded, nothing is built but what the caller asks for, and every
/// surprise is a <see cref="CheckpointException"/> that names the file and the byte.
/// </summary>
internal ref struct CheckpointJson
{
    private readonly string _file;
    private readonly string _document;
    private Utf8JsonReader _reader;

    /// <summary>Starts before the first token.</summary>
    /// <param name="file">The file, for messages.</param>
    /// <param name="document">What the document is, for messages.</param>
    /// <param name="utf8">The document.</param>
    /// <param name="maxDepth">Deepest nesting that is legal.</param>
    public CheckpointJson(string file, string document, ReadOnlySpan<byte> utf8, int maxDepth)
    {
        _file = file;
        _document = document;
        if (!Utf8.IsValid(utf8))
        {
            throw new CheckpointException($"{document} is not valid UTF-8", file);
        }

        _reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = maxDepth });
    }

    /// <summary>Reads the start of an object; <paramref name="what"/> names it in messages.</summary>
    public void BeginObject(string what) => Expect(JsonTokenType.StartObject, "an object", what);

    /// <summary>Reads the start of an object, or null.</summary>
    public bool BeginObjectOrNull(string what) => Read() switch
    {
        JsonTokenType.StartObject => true,
        JsonTokenType.Null => false,
        _ => throw Unexpected("an object or null", what),
    };

    /// <summary>Reads the start of an array.</summary>
    public void BeginArray(string what) => Expect(JsonTokenType.StartArray, "an array", what);

    /// <summary>Reads the next key of the current object, or its end.</summary>
    public bool NextKey(out string key)
    {
        bool found = Read() == JsonTokenType.PropertyName;
        key = found ? Text() : string.Empty;
        return found;
    }

    /// <summary>Reads a string.</summary>
    public string ReadString(string what)
    {
        Expect(JsonTokenType.String, "a string", what);
        return Text();
    }

    /// <summary>Reads the next integer of the current array, or its end.</summary>
    public bool NextInteger(string what, out long value)
    {
        value = 0;
        JsonTokenType token = Read();
        if (token == JsonTokenType.EndArray)
        {
            return false;
        }

        if (token != JsonTokenType.Number || !_reader.TryGetInt64(out value))
        {
            throw Unexpected("an integer of at most 63 bits", what);
        }

        return true;
    }

    /// <summary>Reads over the value of the key just read, of whatever kind.</summary>
    public void Skip()
    {
        try
        {
            _reader.Skip();
        }
        catch (JsonException e)
        {
            throw Invalid(e);
        }
    }

    /// <summary>Makes sure that nothing but white space follows.</summary>
    public void End()
    {
        if (Read() != JsonTokenType.None)
        {
            throw Unexpected("nothing more", "end");
        }
    }

    private JsonTokenType Read()
    {
        try
        {
            return _reader.Read() ? _reader.TokenType : JsonTokenType.None;
        }
        catch (JsonException e)
        {
            throw Invalid(e);
        }
    }

    private void Expect(JsonTokenType expected, string article, string what)
    {
        if (Read() != expected)
        {
            throw Unexpected(article, what);
        }
    }

    private readonly string Text()
    {
        try
        {
            return _reader.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            // An escape such as \ud800 is well-formed JSON that no string can hold.
            throw new CheckpointException($"{_document} has a string at byte {_reader.TokenStartIndex} that is not valid UTF-16", _file, tensor: null, e);
        }
    }

    private readonly CheckpointException Invalid(JsonException e) => new($"{_document} is not valid JSON: {e.Message}", _file, tensor: null, e);

    private readonly CheckpointException Unexpected(string expected, string what)
    {
        string found = _reader.TokenType switch
        {
            JsonTokenType.StartObject => "an object",
            JsonTokenType.StartArray => "an array",
            JsonTokenType.String => "a string",
            JsonTokenType.Number => $"the number {CheckpointException.Quote(Encoding.UTF8.GetString(_reader.ValueSpan))}",
            JsonTokenType.True or JsonTokenType.False => "a Boolean",
            JsonTokenType.Null => "null",
            _ => "an end",
        };
        return new CheckpointException($"{_document}, {what}: expected {expected}, found {found} at byte {_reader.TokenStartIndex}", _file);
    }
}
