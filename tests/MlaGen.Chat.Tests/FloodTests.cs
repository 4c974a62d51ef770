using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Chat.Engine;
using Chat.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.AI;
using MlaGen.Chat.Tests.Infrastructure;
using MlaGen.Models;
using Xunit.Abstractions;

namespace MlaGen.Chat.Tests;

/// <summary>Many requests at once, of which some are given up at random: every text that is finished is the one that it is alone, and nothing stays behind.</summary>
[Trait("Category", "Flood")]
public sealed class FloodTests(ITestOutputHelper output)
{
    private const int Questions = 20;
    private const int Seeds = 5;

    /// <summary>For how long the whole of it runs; unset, a short and smaller run.</summary>
    public const string MinutesVariable = "MLAGEN_FLOOD_MINUTES";

    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(2);

    private static readonly double? _minutes = Environment.GetEnvironmentVariable(MinutesVariable) is { Length: > 0 } minutes ? double.Parse(minutes, CultureInfo.InvariantCulture) : null;

    [Fact]
    public async Task Every_finished_text_is_its_own()
    {
        (int requests, TimeSpan duration) = _minutes is { } minutes ? (200, TimeSpan.FromMinutes(minutes)) : (40, TimeSpan.FromSeconds(4));
        await using RunningServer server = await RunningServer.StartAsync(new ServeOptions { MaxRequests = 64, MaxClientRequests = 64, MaxWaiting = 1024 });
        server.Engine.BeforeWord = static async (word, cancellation) => await Task.Delay(word % 4 == 0 ? 1 : 0, cancellation);
        server.Client.Timeout = TimeSpan.FromMinutes(1);

        // Pools of connections and buffers grow to their size first.
        await RunAsync(server.Client, requests, TimeSpan.FromTicks(duration.Ticks / 2), Body, static (question, seed) => RunningServer.AnswerTo(question, seed));
        long before = Memory();
        (int finished, int cancelled) = await RunAsync(server.Client, requests, duration, Body, static (question, seed) => RunningServer.AnswerTo(question, seed));
        long after = Memory();

        Assert.True(finished > requests && cancelled > requests / 4, $"{finished} finished, {cancelled} cancelled");
        await RunningServer.UntilAsync(() => server.Engine.Active == 0);

        // What each request leaves behind would add up.
        Assert.True(after - before < 4 << 20, $"{before} bytes before, {after} after {finished} texts and {cancelled} that were given up");
    }

    /// <summary>The same with the story model behind it: the server, the generator and its cache as they are run.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(16)]
    public async Task Every_finished_story_is_its_own(int draftTokens)
    {
        const int Tokens = 24;
        (int requests, TimeSpan duration) = _minutes is { } minutes ? (200, TimeSpan.FromMinutes(minutes)) : (40, TimeSpan.FromSeconds(3));
        using LoadedEngine engine = EngineSource.Load(null, new EngineSettings(2, WeightFormat.Stored, CacheFormat.Float32, 16384, 64, draftTokens), TextWriter.Null);
        TextGenerator generator = engine.Client.GetService<TextGenerator>()!;
        ConcurrentDictionary<(string, int), string> alone = [];
        for (int question = 0; question < Questions; question++)
        {
            for (int seed = 0; seed < Seeds; seed++)
            {
                alone[(Story(question), seed)] = (await engine.Client.GetResponseAsync(Story(question), new ChatOptions { Seed = seed, Temperature = 1.5f, MaxOutputTokens = Tokens })).Text;
            }
        }

        Assert.True(alone.Values.Distinct().Count() > 2 * Questions, "stories hardly differ: nothing could be mistaken for another");
        await using WebApplication app = ChatServer.Create(engine, new ServeOptions { Port = 0, MaxRequests = 64, MaxClientRequests = 64, MaxWaiting = 1024 });
        await app.StartAsync();
        using HttpClient client = new() { BaseAddress = ChatServer.AddressOf(app), Timeout = TimeSpan.FromMinutes(1) };

        await RunAsync(client, requests, TimeSpan.FromTicks(duration.Ticks / 2), StoryBody, (question, seed) => alone[(question, seed)]);
        await RunningServer.UntilAsync(() => generator.Requests == (0, 0));
        long before = Memory();
        long workingSet = Environment.WorkingSet;
        (int finished, int cancelled) = await RunAsync(client, requests, duration, StoryBody, (question, seed) => alone[(question, seed)]);
        await RunningServer.UntilAsync(() => generator.Requests == (0, 0));
        long after = Memory();

        output.WriteLine($"{finished} stories finished, {cancelled} given up; managed memory {before >> 10} KiB before, {after >> 10} after, working set {workingSet >> 20} MiB before, {Environment.WorkingSet >> 20} after; {generator.UsedPages} pages in use, {generator.PrefixPages} of prefixes; {generator.Drafts} candidates");
        Assert.True(finished > requests && cancelled > requests / 4, $"{finished} finished, {cancelled} cancelled");
        Assert.Equal(generator.PrefixPages, generator.UsedPages);
        Assert.True(after - before < 4 << 20, $"{before} bytes before, {after} after {finished} texts and {cancelled} that were given up");

        string StoryBody(string question, int seed, bool streams) =>
            $$"""{"messages": [{"role": "user", "content": "{{question}}"}], "seed": {{seed}}, "temperature": 1.5, "max_tokens": {{Tokens}}, "stream": {{(streams ? "true" : "false")}}}""";
    }

    private static string Body(string question, int seed, bool streams) => RunningServer.Question(question, FormattableString.Invariant($$""", "seed": {{seed}}, "stream": {{(streams ? "true" : "false")}}"""));

    /// <summary>Beginnings of which some share what others have.</summary>
    private static string Story(int question) => question % 2 == 0
        ? FormattableString.Invariant($"Kai walked to the tower. {question}")
        : string.Join(' ', Enumerable.Repeat("The owl looked at the moon.", 40)) + FormattableString.Invariant($" {question}");

    /// <summary>Asks for so long; on a slow machine longer, until more have finished than there are clients and a quarter as many were given up, but not for ever.</summary>
    private static async Task<(int Finished, int Cancelled)> RunAsync(HttpClient server, int requests, TimeSpan duration, Func<string, int, bool, string> body, Func<string, int, string> expected)
    {
        int finished = 0, cancelled = 0;
        ConcurrentBag<string> problems = [];
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, requests).Select(async client =>
        {
            Random random = new(client);
            while (problems.IsEmpty && (Stopwatch.GetElapsedTime(start) < duration || (IsTooFew() && Stopwatch.GetElapsedTime(start) < duration + _patience)))
            {
                string question = Story(random.Next(Questions));
                int seed = random.Next(Seeds);
                bool streams = random.Next(2) == 0;
                using CancellationTokenSource leaving = new();
                if (random.Next(3) == 0)
                {
                    leaving.CancelAfter(random.Next(40));
                }

                try
                {
                    string text = await AnswerAsync(server, body(question, seed, streams), streams, leaving.Token);
                    Interlocked.Increment(ref finished);
                    if (text != expected(question, seed))
                    {
                        problems.Add($"{question}: {text}");
                    }
                }
                catch (Exception problem) when (leaving.IsCancellationRequested && problem is OperationCanceledException or IOException or HttpRequestException)
                {
                    Interlocked.Increment(ref cancelled);
                }
            }
        }));
        Assert.Empty(problems);
        return (finished, cancelled);

        bool IsTooFew() => Volatile.Read(ref finished) <= requests || Volatile.Read(ref cancelled) <= requests / 4;
    }

    private static async Task<string> AnswerAsync(HttpClient server, string body, bool streams, CancellationToken cancellation)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        using HttpResponseMessage response = await server.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        string answer = await response.Content.ReadAsStringAsync(cancellation);
        Assert.True(response.IsSuccessStatusCode, answer);
        if (!streams)
        {
            return JsonDocument.Parse(answer).RootElement.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;
        }

        StringBuilder text = new();
        string[] events = answer.Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("data: [DONE]", events[^1]);
        foreach (string data in events[..^1])
        {
            JsonElement delta = JsonDocument.Parse(data["data: ".Length..]).RootElement.GetProperty("choices")[0].GetProperty("delta");
            text.Append(delta.TryGetProperty("content", out JsonElement content) ? content.GetString() : "");
        }

        return text.ToString();
    }

    private static long Memory()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return GC.GetTotalMemory(forceFullCollection: true);
    }
}
