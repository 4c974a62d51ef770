using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using MlaGen.Runtime;

namespace MlaGen.Models;

/// <summary>The small files of a model's directory. They come from somebody else: only regular files are read, and none without end.</summary>
internal static class TextFiles
{
    private const long MaxLength = 256L << 20;

    /// <exception cref="IOException">The file cannot be read, or is no regular one.</exception>
    /// <exception cref="InvalidDataException">It is empty, or too long.</exception>
    public static byte[] ReadAllBytes(string path) => ReadAllBytes(path, MaxLength, problem => new InvalidDataException($"{path} {problem}"));

    /// <param name="path">The file.</param>
    /// <param name="maxLength">Bytes that it may have.</param>
    /// <param name="wrong">What is thrown at a file that is empty or too long.</param>
    /// <exception cref="IOException">The file cannot be read, or is no regular one.</exception>
    public static byte[] ReadAllBytes(string path, long maxLength, Func<string, Exception> wrong)
    {
        using SafeFileHandle file = RegularFile.OpenRead(path, out long length);
        if (length == 0 || length > maxLength)
        {
            throw wrong(length == 0 ? "is empty" : $"has {Counted.Of(length, "byte")}; a file of this kind has at most {maxLength}");
        }

        byte[] bytes = new byte[length];
        return RegularFile.Read(file, 0, bytes) == length ? bytes : throw wrong("became shorter while it was read");
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
