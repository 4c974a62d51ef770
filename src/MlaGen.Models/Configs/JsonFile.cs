using System.Text.Json;

namespace MlaGen.Models;

/// <summary>Small JSON files of a model's directory, read as hostile.</summary>
internal static class JsonFile
{
    private const int MostBytes = 64 << 20;

    /// <summary>Reads an object. A pipe in its place would be waited for, a device might never end: both have no length.</summary>
    /// <exception cref="ModelConfigException">It is empty, too large, no regular file or no JSON object.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static JsonElement Read(string path)
    {
        FileInfo file = new(path);
        FileInfo target = file.LinkTarget is null ? file : (FileInfo?)file.ResolveLinkTarget(returnFinalTarget: true) ?? file;
        if (target is { Exists: true, Length: 0 })
        {
            throw new ModelConfigException("is empty or no regular file", path);
        }

        using FileStream stream = File.OpenRead(path);
        if (stream.Length > MostBytes)
        {
            throw new ModelConfigException(FormattableString.Invariant($"has {stream.Length} bytes; at most {MostBytes} are read"), path);
        }

        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? document.RootElement.Clone()
                : throw new ModelConfigException($"expected a JSON object, found {document.RootElement.ValueKind}", path);
        }
        catch (JsonException error)
        {
            throw new ModelConfigException($"is not JSON: {error.Message}", path, error);
        }
    }
}
