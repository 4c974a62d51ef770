using System.Globalization;

namespace Chat.Serving;

/// <summary>A request that is not carried out, as OpenAI's interface tells it.</summary>
/// <param name="status">HTTP status.</param>
/// <param name="type">Kind of error.</param>
/// <param name="message">What is wrong, for the one who asked.</param>
/// <param name="code">A word for programs.</param>
/// <param name="parameter">The field of the request that it is about.</param>
internal sealed class ApiException(int status, string type, string message, string? code = null, string? parameter = null) : Exception(message)
{
    private const string InvalidRequest = "invalid_request_error";
    private const string ServerError = "server_error";

    public int Status { get; } = status;

    public string Type { get; } = type;

    public string? Code { get; } = code;

    public string? Parameter { get; } = parameter;

    /// <summary>A field has a value that it cannot have.</summary>
    public static ApiException Invalid(string parameter, string message, string? code = null) =>
        new(StatusCodes.Status400BadRequest, InvalidRequest, message, code, parameter);

    /// <summary>The body cannot be read.</summary>
    public static ApiException Unreadable(string message) => new(StatusCodes.Status400BadRequest, InvalidRequest, message, "invalid_json");

    /// <summary>There is no such model.</summary>
    public static ApiException UnknownModel(string model) =>
        new(StatusCodes.Status404NotFound, InvalidRequest, $"There is no model '{model}' here; GET /v1/models lists what there is.", "model_not_found", "model");

    /// <summary>More requests than are taken.</summary>
    public static ApiException Busy() =>
        new(StatusCodes.Status429TooManyRequests, "rate_limit_error", "Too many requests are running and waiting; try again later.", "rate_limit_exceeded");

    /// <summary>The server stops.</summary>
    public static ApiException Stopping() => new(StatusCodes.Status503ServiceUnavailable, ServerError, "The server is stopping.", "server_stopping");

    /// <summary>It took too long.</summary>
    public static ApiException TimedOut(TimeSpan limit) =>
        new(StatusCodes.Status504GatewayTimeout, ServerError, string.Create(CultureInfo.InvariantCulture, $"The request took longer than {limit.TotalSeconds} s."), "timeout");

    /// <summary>What the server itself did wrong; its log says more.</summary>
    public static ApiException Internal() => new(StatusCodes.Status500InternalServerError, ServerError, "The server failed to carry the request out.", "internal_error");

    /// <summary>What the web server refuses before any of this program sees it.</summary>
    public static ApiException OfStatus(int status, string? message = null) => status switch
    {
        StatusCodes.Status401Unauthorized => new(status, InvalidRequest, "Send the server's API key: Authorization: Bearer KEY.", "invalid_api_key"),
        StatusCodes.Status404NotFound => new(status, InvalidRequest, "There is nothing at this address.", "unknown_url"),
        StatusCodes.Status405MethodNotAllowed => new(status, InvalidRequest, "This address does not take this method.", "method_not_allowed"),
        StatusCodes.Status408RequestTimeout => new(status, InvalidRequest, "The request's body came too slowly.", "request_timeout"),
        StatusCodes.Status413PayloadTooLarge => new(status, InvalidRequest, "The request's body is too large.", "request_too_large"),
        StatusCodes.Status415UnsupportedMediaType => new(status, InvalidRequest, "Send the body as application/json.", "unsupported_media_type"),
        >= 500 => Internal(),
        _ => new(status, InvalidRequest, message ?? "The request cannot be read.", "bad_request"),
    };
}
