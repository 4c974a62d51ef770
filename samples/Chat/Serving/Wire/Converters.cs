using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Chat.Serving.Wire;

/// <summary>A text, or a list of texts.</summary>
internal sealed class TextsConverter : JsonConverter<IReadOnlyList<string>>
{
    public override IReadOnlyList<string> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            return [reader.GetString()!];
        }

        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw new JsonException();
        }

        List<string> texts = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            texts.Add(reader.TokenType == JsonTokenType.String ? reader.GetString()! : throw new JsonException());
        }

        return texts;
    }

    public override void Write(Utf8JsonWriter writer, IReadOnlyList<string> value, JsonSerializerOptions options) => throw new NotSupportedException();
}

/// <summary>A message's content: a text, or a list of parts, of which those of type <c>text</c> are read and others refused.</summary>
internal sealed class ContentConverter : JsonConverter<string>
{
    public override string Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            return reader.GetString()!;
        }

        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw new JsonException();
        }

        StringBuilder content = new();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            ContentPart? part = JsonSerializer.Deserialize(ref reader, WireJson.Default.ContentPart);
            if (part is not { Type: "text", Text: { } text })
            {
                throw ApiException.Invalid("messages", "Parts of a message's content are {\"type\": \"text\", \"text\": …} here; others are not understood.");
            }

            content.Append(text);
        }

        return content.ToString();
    }

    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(value);
}

internal sealed record ContentPart(string? Type, string? Text);
