using System.Text.Json;

namespace MlaGen.Models;

/// <summary>Small JSON files of a model's directory, read as hostile.</summary>
internal static class JsonFile
{
    private const int MostBytes = 64 << 20;

    /// <summary>Reads an object.</summary>
    /// <exception cref="ModelConfigException">It is empty, too large or no JSON object.</exception>
    /// <exception cref="IOException">The file cannot be read, or is no regular one.</exception>
    public static JsonElement Read(string path)
    {
        byte[] bytes = TextFiles.ReadAllBytes(path, MostBytes, problem => new ModelConfigException(problem, path));
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
