using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Chat.Serving;

/// <summary>Reads a request's body, which comes from anyone.</summary>
internal static class RequestBody
{
    /// <exception cref="ApiException">It is not JSON of this form.</exception>
    public static async Task<T> ReadAsync<T>(HttpContext http, JsonTypeInfo<T> type)
    {
        // A page of another origin can send other types without asking first; this one it cannot.
        if (!http.Request.HasJsonContentType())
        {
            throw ApiException.OfStatus(StatusCodes.Status415UnsupportedMediaType);
        }

        try
        {
            return await JsonSerializer.DeserializeAsync(http.Request.Body, type, http.RequestAborted) ?? throw ApiException.Unreadable("The body is null; expected an object.");
        }
        catch (JsonException problem)
        {
            string where = problem.Path is { Length: > 1 and < 100 } path ? $" at {path}" : "";
            throw ApiException.Unreadable(problem.LineNumber is { } line
                ? FormattableString.Invariant($"The body is not the JSON that was expected{where}: line {line + 1}, byte {problem.BytePositionInLine + 1}.")
                : $"The body is not the JSON that was expected{where}.");
        }
    }
}
