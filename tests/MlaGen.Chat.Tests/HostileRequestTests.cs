using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Chat.Serving;
using MlaGen.Chat.Tests.Infrastructure;

namespace MlaGen.Chat.Tests;

/// <summary>Whatever is sent, the answer is one error in OpenAI's form, and the next request is answered as if nothing had been.</summary>
public sealed class HostileRequestTests : IAsyncLifetime
{
    private RunningServer _server = null!;

    public static TheoryData<string, string, string?> Refused => new()
    {
        { "/v1/chat/completions", "", "invalid_json" },
        { "/v1/chat/completions", "null", "invalid_json" },
        { "/v1/chat/completions", "[]", "invalid_json" },
        { "/v1/chat/completions", "{", "invalid_json" },
        { "/v1/chat/completions", """{"messages": "x"}""", "invalid_json" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": {"type": "text"}}]}""", "invalid_json" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "\ud800"}]}""", "invalid_json" },
        { "/v1/chat/completions", """{"messages": [], "messages": []}""", "invalid_json" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "max_tokens": 1e99}""", "invalid_json" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "temperature": NaN}""", "invalid_json" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "stop": [["y"]]}""", "invalid_json" },
        { "/v1/chat/completions", "{}", "messages" },
        { "/v1/chat/completions", """{"messages": []}""", "messages" },
        { "/v1/chat/completions", """{"messages": [null]}""", "messages[0].role" },
        { "/v1/chat/completions", """{"messages": [{"content": "x"}]}""", "messages[0].role" },
        { "/v1/chat/completions", """{"messages": [{"role": "tool", "content": "x"}]}""", "messages[0].role" },
        { "/v1/chat/completions", """{"messages": [{"role": "user"}]}""", "messages[0].content" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}]}""", "messages" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "max_tokens": -1}""", "max_tokens" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "max_tokens": 0}""", "max_tokens" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "max_tokens": 2147483647}""", "max_tokens" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "max_completion_tokens": -2147483648}""", "max_completion_tokens" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "temperature": -0.1}""", "temperature" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "temperature": 1e308}""", "temperature" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "top_p": -1}""", "top_p" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "top_k": -1}""", "top_k" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "min_p": 2}""", "min_p" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "repetition_penalty": 0}""", "repetition_penalty" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "presence_penalty": 1}""", "presence_penalty" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "n": 1000000}""", "n" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "stop": [""]}""", "stop" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "stop": ["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"]}""", "stop" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "top_logprobs": 2}""", "top_logprobs" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "logprobs": true, "top_logprobs": 21}""", "top_logprobs" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "tools": [{"type": "function"}]}""", "tools" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "logit_bias": {"1": 100}}""", "logit_bias" },
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json_object"}}""", "response_format" },
        { "/v1/completions", "{}", "prompt" },
        { "/v1/completions", """{"prompt": ""}""", "prompt" },
        { "/v1/completions", """{"prompt": ["a", "b"]}""", "prompt" },
        { "/v1/completions", """{"prompt": [1, 2]}""", "invalid_json" },
        { "/v1/completions", """{"prompt": "x", "suffix": "y"}""", "suffix" },
        { "/v1/completions", """{"prompt": "x", "best_of": 3}""", "best_of" },
        { "/v1/completions", """{"prompt": "x", "logprobs": -1}""", "logprobs" },
        { "/v1/completions", """{"prompt": "x", "logprobs": 1, "echo": true}""", "echo" },
    };

    public async Task InitializeAsync() => _server = await RunningServer.StartAsync(new ServeOptions { MaxBodyBytes = 1 << 20, HeadTimeout = TimeSpan.FromSeconds(2) });

    public async Task DisposeAsync()
    {
        JsonElement answer = await _server.AskAsync(RunningServer.Question("Still there?"));
        Assert.Equal(RunningServer.AnswerTo("Still there?"), answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        Assert.Equal(1, _server.Engine.Started);
        await _server.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task What_cannot_be_is_named(string path, string body, string? about)
    {
        JsonElement error = await _server.AssertRefusedAsync(HttpStatusCode.BadRequest, Encoding.UTF8.GetBytes(body), path);

        string? code = error.TryGetProperty("code", out JsonElement given) ? given.GetString() : null;
        string? parameter = error.TryGetProperty("param", out JsonElement named) ? named.GetString() : null;
        Assert.Equal(about, code ?? parameter);
    }

    [Fact]
    public async Task Unknown_model_is_not_found()
    {
        JsonElement error = await _server.AssertRefusedAsync(HttpStatusCode.NotFound, """{"model": "gpt-4", "messages": [{"role": "user", "content": "x"}]}"""u8.ToArray());

        Assert.Equal("model_not_found", error.GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("{\"messages\": [{\"role\": \"user\", \"content\": \"x", "\"}]}")]
    [InlineData("{\"x", "\": 1, \"messages\": 1}")]
    public async Task Invalid_utf8_is_refused(string before, string after) =>
        await _server.AssertRefusedAsync(HttpStatusCode.BadRequest, [.. Encoding.UTF8.GetBytes(before), 0xC3, 0x28, 0xFF, .. Encoding.UTF8.GetBytes(after)]);

    [Theory]
    [InlineData("""{"messages": """)]
    [InlineData("""{"unknown": """)]
    [InlineData("""{"logit_bias": """)]
    public async Task Deep_json_is_refused(string before)
    {
        string deep = before + new string('[', 200_000) + new string(']', 200_000) + "}";

        Assert.Equal("invalid_json", (await _server.AssertRefusedAsync(HttpStatusCode.BadRequest, Encoding.UTF8.GetBytes(deep))).GetProperty("code").GetString());
    }

    [Fact]
    public async Task Large_body_is_refused_before_it_is_read()
    {
        // The length alone is enough; what is sent without a length is cut where the limit is.
        using NetworkStream stated = await _server.ConnectAsync();
        await stated.WriteAsync("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n"u8.ToArray());
        Assert.StartsWith("HTTP/1.1 413 ", await ReadHeadAsync(stated), StringComparison.Ordinal);

        using NetworkStream chunked = await _server.ConnectAsync();
        await chunked.WriteAsync("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"u8.ToArray());
        byte[] chunk = [.. "10000\r\n{\""u8, .. Enumerable.Repeat((byte)'x', 0x10000 - 2), .. "\r\n"u8];
        try
        {
            for (int i = 0; i < 64; i++)
            {
                await chunked.WriteAsync(chunk);
            }
        }
        catch (IOException)
        {
            // It hangs up on who goes on.
        }

        Assert.Matches("^HTTP/1.1 4(00|13) |^$", await ReadHeadAsync(chunked));
    }

    [Fact]
    public async Task Slow_head_is_not_waited_for_and_slow_body_keeps_nobody_waiting()
    {
        using NetworkStream head = await _server.ConnectAsync();
        await head.WriteAsync("POST /v1/chat/completions HTTP/1.1\r\nHo"u8.ToArray());
        List<NetworkStream> bodies = [];
        for (int i = 0; i < 100; i++)
        {
            NetworkStream body = await _server.ConnectAsync();
            await body.WriteAsync("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"u8.ToArray());
            bodies.Add(body);
        }

        // A hundred that send slowly are more than may generate, and none of them takes a turn.
        using HttpResponseMessage answer = await _server.PostAsync("{}");
        await RunningServer.AssertErrorAsync(HttpStatusCode.BadRequest, answer);

        Assert.Matches("^HTTP/1.1 408 |^$", await ReadHeadAsync(head).WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.StartsWith("HTTP/1.1 408 ", await ReadHeadAsync(bodies[0]).WaitAsync(TimeSpan.FromSeconds(30)), StringComparison.Ordinal);
        bodies.ForEach(static body => body.Dispose());
    }

    [Theory]
    [InlineData("GET /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n\r\n", 405)]
    [InlineData("GET /v2 HTTP/1.1\r\nHost: localhost\r\n\r\n", 404)]
    [InlineData("GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", 404)]
    [InlineData("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 415)]
    [InlineData("GET / HTTP/1.1\r\nHost: attacker.example\r\n\r\n", 400)]
    [InlineData("GET / HTTP/1.1\r\n\r\n", 400)]
    [InlineData("NONSENSE\r\n\r\n", 400)]
    public async Task Anything_else_has_its_status(string request, int status)
    {
        using NetworkStream connection = await _server.ConnectAsync();
        await connection.WriteAsync(Encoding.UTF8.GetBytes(request));

        Assert.StartsWith($"HTTP/1.1 {status} ", await ReadHeadAsync(connection).WaitAsync(TimeSpan.FromSeconds(20)), StringComparison.Ordinal);
    }

    private static async Task<string> ReadHeadAsync(NetworkStream connection)
    {
        byte[] bytes = new byte[4096];
        try
        {
            return Encoding.UTF8.GetString(bytes, 0, await connection.ReadAsync(bytes));
        }
        catch (IOException)
        {
            return "";
        }
    }
}
