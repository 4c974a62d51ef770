using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Chat.Serving;
using MlaGen.Chat.Tests.Infrastructure;

namespace MlaGen.Chat.Tests;

/// <summary>What a request may cost, and what happens to it when nobody wants it any more.</summary>
public sealed class LimitTests
{
    [Fact]
    public async Task Requests_wait_for_their_turn_and_too_many_are_refused()
    {
        await using RunningServer server = await RunningServer.StartAsync(new ServeOptions { MaxRequests = 4, MaxClientRequests = 3, MaxWaiting = 2 });
        TaskCompletionSource gate = new();
        server.Engine.BeforeWord = (word, _) => word == 1 ? gate.Task : Task.CompletedTask;
        List<Task<JsonElement>> running = [];
        for (int i = 0; i < 3; i++)
        {
            running.Add(server.AskAsync(RunningServer.Question($"{i}")));
        }

        await RunningServer.UntilAsync(() => server.Engine.Active == 3);

        // Two may wait. Which of three that does not depends on which comes last; only a refusal can end before the gate is opened.
        List<(int Number, Task<HttpResponseMessage> Response)> waiting = [.. Enumerable.Range(3, 3).Select(i => (i, server.PostAsync(RunningServer.Question($"{i}"))))];
        Task<HttpResponseMessage> ended = await Task.WhenAny(waiting.Select(static asked => asked.Response));
        using HttpResponseMessage refused = await ended;
        Assert.NotNull(refused.Headers.RetryAfter);
        JsonElement error = await RunningServer.AssertErrorAsync(HttpStatusCode.TooManyRequests, refused);
        Assert.Equal("rate_limit_exceeded", error.GetProperty("code").GetString());
        Assert.Equal(3, server.Engine.Started);
        gate.SetResult();
        waiting.RemoveAll(asked => asked.Response == ended);
        foreach ((int number, Task<HttpResponseMessage> response) in waiting)
        {
            using HttpResponseMessage answered = await response;
            using JsonDocument answer = await JsonDocument.ParseAsync(await answered.Content.ReadAsStreamAsync());
            Assert.Equal(RunningServer.AnswerTo($"{number}"), AnswerOf(answer.RootElement));
        }

        JsonElement[] answers = await Task.WhenAll(running);
        Assert.Equal(
            Enumerable.Range(0, 3).Select(static i => RunningServer.AnswerTo($"{i}")),
            answers.Select(AnswerOf));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Client_that_leaves_ends_its_answer(bool streams)
    {
        await using RunningServer server = await RunningServer.StartAsync();
        server.Engine.BeforeWord = static (word, cancellation) => word == 2 ? Task.Delay(Timeout.Infinite, cancellation) : Task.CompletedTask;
        using CancellationTokenSource leaving = new();
        Task<HttpResponseMessage> asking = server.PostAsync(RunningServer.Question("Hello", $$""", "stream": {{(streams ? "true" : "false")}}"""), cancellation: leaving.Token);
        await RunningServer.UntilAsync(() => server.Engine.Active == 1);
        if (streams)
        {
            (await asking).Dispose();
        }
        else
        {
            await leaving.CancelAsync();
        }

        await RunningServer.UntilAsync(() => server.Engine.Active == 0);
        Assert.Equal(0, server.Engine.Ended);
        string metrics = "";
        await RunningServer.UntilAsync(() => (metrics = server.Client.GetStringAsync("/metrics").GetAwaiter().GetResult()).Contains("cancelled", StringComparison.Ordinal));
        Assert.Matches(@"chat_server_requests_total\{[^}]*outcome=""cancelled""[^}]*\} 1\n", metrics);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Answer_that_takes_too_long_is_ended_and_says_so(bool streams)
    {
        await using RunningServer server = await RunningServer.StartAsync(new ServeOptions { Timeout = TimeSpan.FromSeconds(1) });
        server.Engine.BeforeWord = static (word, cancellation) => word == 2 ? Task.Delay(Timeout.Infinite, cancellation) : Task.CompletedTask;
        using HttpResponseMessage response = await server.PostAsync(RunningServer.Question("Hello", $$""", "stream": {{(streams ? "true" : "false")}}"""));

        if (streams)
        {
            string last = (await response.Content.ReadAsStringAsync()).TrimEnd().Split("\n\n")[^1];
            Assert.Equal("timeout", JsonDocument.Parse(last["data: ".Length..]).RootElement.GetProperty("error").GetProperty("code").GetString());
        }
        else
        {
            Assert.Equal("timeout", (await RunningServer.AssertErrorAsync(HttpStatusCode.GatewayTimeout, response)).GetProperty("code").GetString());
        }

        Assert.Equal(0, server.Engine.Active);
    }

    [Fact]
    public async Task Stopping_server_lets_answers_end_and_turns_waiting_requests_away()
    {
        await using RunningServer server = await RunningServer.StartAsync(new ServeOptions { MaxRequests = 1, MaxClientRequests = 1 });
        TaskCompletionSource gate = new();
        server.Engine.BeforeWord = (word, _) => word == 1 ? gate.Task : Task.CompletedTask;
        Task<JsonElement> running = server.AskAsync(RunningServer.Question("Hello"));
        await RunningServer.UntilAsync(() => server.Engine.Active == 1);
        Task<JsonElement> waiting = server.AssertRefusedAsync(HttpStatusCode.ServiceUnavailable, Encoding.UTF8.GetBytes(RunningServer.Question("Later")));
        await Task.Delay(300);
        Task stopping = server.App.StopAsync();

        Assert.Equal("server_stopping", (await waiting).GetProperty("code").GetString());
        gate.SetResult();
        Assert.Equal(RunningServer.AnswerTo("Hello"), (await running).GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        await stopping.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(1, server.Engine.Started);
    }

    [Fact]
    public async Task Stopping_server_does_not_wait_for_ever()
    {
        await using RunningServer server = await RunningServer.StartAsync(new ServeOptions { Drain = TimeSpan.FromSeconds(1) });
        server.Engine.BeforeWord = static (_, cancellation) => Task.Delay(Timeout.Infinite, cancellation);
        using HttpResponseMessage response = await server.PostAsync(RunningServer.Question("Hello", """, "stream": true"""));
        await server.App.StopAsync().WaitAsync(TimeSpan.FromSeconds(20));

        await RunningServer.UntilAsync(() => server.Engine.Active == 0);
    }

    [Theory]
    [InlineData("/v1/models")]
    [InlineData("/v1/chat/completions")]
    [InlineData("/v1/completions")]
    [InlineData("/metrics")]
    [InlineData("/nothing")]
    public async Task Nothing_but_the_page_is_there_without_the_key(string path)
    {
        await using RunningServer server = await RunningServer.StartAsync(new ServeOptions { ApiKey = "key" });
        foreach (string? header in new[] { null, "Bearer", "Bearer ", "Bearer ke", "Bearer keyy", "Bearer KEY", "Basic key", "key" })
        {
            using HttpRequestMessage request = new(HttpMethod.Get, path);
            if (header is not null)
            {
                request.Headers.TryAddWithoutValidation("Authorization", header);
            }

            using HttpResponseMessage response = await server.Client.SendAsync(request);
            await RunningServer.AssertErrorAsync(HttpStatusCode.Unauthorized, response);
            Assert.Equal("Bearer", response.Headers.WwwAuthenticate.Single().Scheme);
        }

        server.Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "key");
        using HttpResponseMessage let = await server.Client.GetAsync(new Uri(path, UriKind.Relative));
        Assert.NotEqual(HttpStatusCode.Unauthorized, let.StatusCode);
        server.Client.DefaultRequestHeaders.Authorization = null;
        Assert.Contains("<title>", await server.Client.GetStringAsync("/"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Server_listens_on_loopback_unless_told_otherwise()
    {
        await using RunningServer server = await RunningServer.StartAsync();

        Assert.Equal("127.0.0.1", server.Address.Host);
    }

    private static string? AnswerOf(JsonElement answer) => answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString();
}
