using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Chat.Engine;
using Chat.Serving;
using Microsoft.AspNetCore.Builder;

namespace MlaGen.Chat.Tests.Infrastructure;

/// <summary>The server as its clients reach it: on a port of its own.</summary>
internal sealed class RunningServer : IAsyncDisposable
{
    public const string Model = "words";

    private RunningServer(WebApplication app, WordClient engine)
    {
        App = app;
        Engine = engine;
        Address = ChatServer.AddressOf(app);
        Client = new HttpClient { BaseAddress = Address };
    }

    public WebApplication App { get; }

    public WordClient Engine { get; }

    public Uri Address { get; }

    public HttpClient Client { get; }

    public static async Task<RunningServer> StartAsync(ServeOptions? options = null)
    {
        WordClient engine = new();
        WebApplication app = ChatServer.Create(new LoadedEngine(Model, engine, engine), (options ?? new ServeOptions()) with { Port = 0 });
        await app.StartAsync();
        return new RunningServer(app, engine);
    }

    /// <summary>A question to the model.</summary>
    public static string Question(string text, string more = "") => $$"""{"model": "{{Model}}", "messages": [{"role": "user", "content": {{JsonSerializer.Serialize(text)}}}]{{more}}}""";

    /// <summary>The answer that it must have.</summary>
    public static string AnswerTo(string text, long? seed = null, int words = WordClient.Words) => WordClient.Answer(WordClient.Text(("user", text)), seed, words);

    public Task<HttpResponseMessage> PostAsync(string body, string path = "/v1/chat/completions", CancellationToken cancellation = default) =>
        PostAsync(Encoding.UTF8.GetBytes(body), path, cancellation);

    public async Task<HttpResponseMessage> PostAsync(byte[] body, string path = "/v1/chat/completions", CancellationToken cancellation = default)
    {
        using ByteArrayContent content = new(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        using HttpRequestMessage request = new(HttpMethod.Post, path) { Content = content };
        return await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
    }

    /// <summary>Sends a request that must be carried out.</summary>
    public async Task<JsonElement> AskAsync(string body, string path = "/v1/chat/completions")
    {
        using HttpResponseMessage response = await PostAsync(body, path);
        string answer = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, answer);
        return JsonDocument.Parse(answer).RootElement;
    }

    /// <summary>Sends a request that must be carried out as a stream.</summary>
    public async Task<List<JsonElement>> StreamAsync(string body, string path = "/v1/chat/completions")
    {
        using HttpResponseMessage response = await PostAsync(body, path);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        string[] events = (await response.Content.ReadAsStringAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.All(events, static text => Assert.StartsWith("data: ", text, StringComparison.Ordinal));
        Assert.Equal("data: [DONE]", events[^1]);
        return [.. events[..^1].Select(static text => JsonDocument.Parse(text["data: ".Length..]).RootElement)];
    }

    /// <summary>Sends a request that must be refused in OpenAI's form.</summary>
    /// <returns>The error.</returns>
    public async Task<JsonElement> AssertRefusedAsync(HttpStatusCode status, byte[] body, string path = "/v1/chat/completions")
    {
        using HttpResponseMessage response = await PostAsync(body, path);
        return await AssertErrorAsync(status, response);
    }

    public static async Task<JsonElement> AssertErrorAsync(HttpStatusCode status, HttpResponseMessage response)
    {
        string answer = await response.Content.ReadAsStringAsync();
        Assert.True(status == response.StatusCode, $"{response.StatusCode}: {answer}");
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        JsonElement error = JsonDocument.Parse(answer).RootElement.GetProperty("error");
        Assert.NotEmpty(error.GetProperty("message").GetString()!);
        Assert.NotEmpty(error.GetProperty("type").GetString()!);
        return error;
    }

    /// <summary>Something else than HTTP's usual clients send.</summary>
    public async Task<NetworkStream> ConnectAsync()
    {
        Socket socket = new(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, Address.Port);
        return new NetworkStream(socket, ownsSocket: true);
    }

    /// <summary>Waits until something is so, which must be soon.</summary>
    public static async Task UntilAsync(Func<bool> isSo)
    {
        for (int i = 0; i < 1000 && !isSo(); i++)
        {
            await Task.Delay(10);
        }

        Assert.True(isSo());
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await App.DisposeAsync();
    }
}
