using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Chat.Serving;
using MlaGen.Chat.Tests.Infrastructure;

namespace MlaGen.Chat.Tests;

/// <summary>Many requests at once, of which some are given up at random: every text that is finished is the one that it is alone, and nothing stays behind.</summary>
[Trait("Category", "Flood")]
public sealed class FloodTests
{
    /// <summary>For how long the whole of it runs; unset, a short and smaller run.</summary>
    public const string MinutesVariable = "MLAGEN_FLOOD_MINUTES";

    private static readonly double? _minutes = Environment.GetEnvironmentVariable(MinutesVariable) is { Length: > 0 } minutes ? double.Parse(minutes, CultureInfo.InvariantCulture) : null;

    [Fact]
    public async Task Every_finished_text_is_its_own()
    {
        (int requests, TimeSpan duration) = _minutes is { } minutes ? (200, TimeSpan.FromMinutes(minutes)) : (40, TimeSpan.FromSeconds(4));
        await using RunningServer server = await RunningServer.StartAsync(new ServeOptions { MaxRequests = 64, MaxClientRequests = 64, MaxWaiting = 1024 });
        server.Engine.BeforeWord = static async (word, cancellation) => await Task.Delay(word % 4 == 0 ? 1 : 0, cancellation);
        server.Client.Timeout = TimeSpan.FromMinutes(1);

        // Pools of connections and buffers grow to their size first.
        await RunAsync(server, requests, TimeSpan.FromTicks(duration.Ticks / 2));
        long before = Memory();
        (int finished, int cancelled) = await RunAsync(server, requests, duration);
        long after = Memory();

        Assert.True(finished > requests && cancelled > requests / 4, $"{finished} finished, {cancelled} cancelled");
        await RunningServer.UntilAsync(() => server.Engine.Active == 0);

        // What each request leaves behind would add up.
        Assert.True(after - before < 4 << 20, $"{before} bytes before, {after} after {finished} texts and {cancelled} that were given up");
    }

    private static async Task<(int Finished, int Cancelled)> RunAsync(RunningServer server, int requests, TimeSpan duration)
    {
        int finished = 0, cancelled = 0;
        ConcurrentBag<string> problems = [];
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, requests).Select(async client =>
        {
            Random random = new(client);
            while (Stopwatch.GetElapsedTime(start) < duration && problems.IsEmpty)
            {
                string question = $"question {random.Next(50)}";
                int seed = random.Next(5);
                bool streams = random.Next(2) == 0;
                using CancellationTokenSource leaving = new();
                if (random.Next(3) == 0)
                {
                    leaving.CancelAfter(random.Next(40));
                }

                try
                {
                    string text = await AnswerAsync(server, RunningServer.Question(question, FormattableString.Invariant($$""", "seed": {{seed}}, "stream": {{(streams ? "true" : "false")}}""")), streams, leaving.Token);
                    Interlocked.Increment(ref finished);
                    if (text != RunningServer.AnswerTo(question, seed))
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
    }

    private static async Task<string> AnswerAsync(RunningServer server, string body, bool streams, CancellationToken cancellation)
    {
        using HttpResponseMessage response = await server.PostAsync(body, cancellation: cancellation);
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
