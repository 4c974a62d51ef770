using System.Text.Json;

namespace MlaGen.Models;

/// <summary>The small files of a model's directory. They come from somebody else: a pipe would be waited for, a device might never end.</summary>
internal static class TextFiles
{
    private const long MaxLength = 256L << 20;

    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">It is empty, no regular file, or too long.</exception>
    public static byte[] ReadAllBytes(string path)
    {
        FileInfo file = new(path);
        FileInfo target = file.LinkTarget is null ? file : (FileInfo?)file.ResolveLinkTarget(returnFinalTarget: true) ?? file;
        if (target is { Exists: true, Length: 0 or > MaxLength })
        {
            throw new InvalidDataException(target.Length == 0 ? $"{path} is empty or no regular file" : $"{path} has {Counted.Of(target.Length, "byte")}; a file of this kind has at most {MaxLength}");
        }

        using FileStream stream = target.OpenRead();
        byte[] bytes = new byte[Math.Min(stream.Length, MaxLength)];
        stream.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>Makes something of a file's JSON.</summary>
    /// <param name="path">The file.</param>
    /// <param name="kind">What it should be: <c>a tokenizer</c>.</param>
    /// <param name="create">Makes it of the root; what it throws at JSON that has another form is told as an error of the file.</param>
    /// <exception cref="InvalidDataException">The file is not what it should be.</exception>
    public static T Read<T>(string path, string kind, Func<JsonElement, T> create)
    {
        byte[] bytes = ReadAllBytes(path);
        try
        {
            // A byte order mark is no JSON.
            using JsonDocument document = JsonDocument.Parse(bytes.AsMemory(bytes.AsSpan().StartsWith("\uFEFF"u8) ? 3 : 0));
            return create(document.RootElement);
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException or OverflowException)
        {
            throw new InvalidDataException($"{path} is not {kind} that can be read: {Unprintable.Escape(error.Message, 1000)}", error);
        }
    }

    /// <summary>A member that may be absent or null.</summary>
    public static JsonElement? Optional(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>A member that is true or false, or absent.</summary>
    public static bool Flag(this JsonElement element, string name, bool otherwise = false) => element.Optional(name)?.GetBoolean() ?? otherwise;

    /// <summary>A member that is a text.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static string Text(this JsonElement element, string name) =>
        element.Optional(name) is { ValueKind: JsonValueKind.String } value ? value.GetString()! : throw new FormatException($"{name} is not a text");

    /// <summary>The steps of a part of the file: none for null, several for a <c>Sequence</c>, else the part itself.</summary>
    /// <param name="part">A normalizer, pre-tokenizer, post-processor or decoder.</param>
    /// <param name="list">The member that holds the steps of a sequence.</param>
    public static IEnumerable<JsonElement> Steps(JsonElement? part, string list) => part switch
    {
        null => [],
        { } step when step.Text("type") == "Sequence" => step.GetProperty(list).EnumerateArray().SelectMany(inner => Steps(inner, list)),
        { } step => [step],
    };
}
