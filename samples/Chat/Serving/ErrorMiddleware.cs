using System.Text.Json;
using Chat.Serving.Wire;

namespace Chat.Serving;

/// <summary>Gives every problem OpenAI's form, also those that the web server finds by itself.</summary>
internal sealed class ErrorMiddleware(RequestDelegate next, ILogger<ErrorMiddleware> log)
{
    public async Task InvokeAsync(HttpContext http)
    {
        try
        {
            await next(http);
            if (http.Response is { HasStarted: false, StatusCode: >= 400, ContentLength: null })
            {
                await WriteAsync(http, ApiException.OfStatus(http.Response.StatusCode));
            }
        }
        catch (Exception) when (http.RequestAborted.IsCancellationRequested)
        {
            // Nobody is left to be told.
            http.Abort();
        }
        catch (Exception problem) when (!http.Response.HasStarted)
        {
            ApiException told = problem switch
            {
                ApiException known => known,
                BadHttpRequestException bad => ApiException.OfStatus(bad.StatusCode, bad.Message),
                _ => ApiException.Internal(),
            };
            if (told.Status == StatusCodes.Status500InternalServerError)
            {
                ServerLog.Failed(log, problem);
            }

            await WriteAsync(http, told);
        }
    }

    private static async Task WriteAsync(HttpContext http, ApiException problem)
    {
        http.Response.StatusCode = problem.Status;
        http.Response.ContentType = "application/json";
        if (problem.Status == StatusCodes.Status401Unauthorized)
        {
            http.Response.Headers.WWWAuthenticate = "Bearer";
        }
        else if (problem.Status is StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable)
        {
            http.Response.Headers.RetryAfter = "1";
        }

        await http.Response.WriteAsync(JsonSerializer.Serialize(ErrorResponse.Of(problem), WireJson.Default.ErrorResponse), http.RequestAborted);
    }
}
