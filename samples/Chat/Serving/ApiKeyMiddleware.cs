using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace Chat.Serving;

/// <summary>Lets nobody without the server's key to anything but the page. How long comparing takes says nothing about the key: hashes are of one length.</summary>
internal sealed class ApiKeyMiddleware(RequestDelegate next, IOptions<ServeOptions> options)
{
    private const string Scheme = "Bearer ";

    private readonly byte[]? _expected = options.Value.ApiKey is { } key ? Hash(key) : null;

    public Task InvokeAsync(HttpContext http) =>
        http.GetEndpoint()?.Metadata.GetMetadata<OpenToAll>() is not null || Allows(http.Request) ? next(http) : throw ApiException.OfStatus(StatusCodes.Status401Unauthorized);

    private bool Allows(HttpRequest request)
    {
        if (_expected is null)
        {
            return true;
        }

        string header = request.Headers.Authorization.ToString();
        return header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) && CryptographicOperations.FixedTimeEquals(Hash(header[Scheme.Length..].Trim()), _expected);
    }

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}

/// <summary>Marks what needs no key.</summary>
internal sealed class OpenToAll;
