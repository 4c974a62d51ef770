using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Chat.Engine;
using Chat.Serving.Wire;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Options;
using MlaGen.Models;

namespace Chat.Serving;

/// <summary>What generates: a request is read, checked, waits for its turn, and is answered whole or as a stream.</summary>
internal sealed class CompletionEndpoints(
    LoadedEngine engine, Admission admission, ServerMetrics metrics, IOptions<ServeOptions> options, ILogger<CompletionEndpoints> log)
{
    private const string Done = "[DONE]";

    private readonly RequestChecks _checks = new(engine.Model, options.Value.MaxTokens);

    public async Task ChatAsync(HttpContext http)
    {
        ChatCompletionRequest request = await RequestBody.ReadAsync(http, WireJson.Default.ChatCompletionRequest);
        await AnswerAsync(http, engine.Client, _checks.Check(request), new ChatAnswer(engine.Model));
    }

    public async Task CompleteAsync(HttpContext http)
    {
        CompletionRequest request = await RequestBody.ReadAsync(http, WireJson.Default.CompletionRequest);
        Generation generation = _checks.Check(request);
        await AnswerAsync(http, engine.Continuation, generation, new CompletionAnswer(engine.Model, generation.Echo));
    }

    private async Task AnswerAsync(HttpContext http, IChatClient client, Generation generation, Answer answer)
    {
        long start = Stopwatch.GetTimestamp();
        string outcome = "failed";
        using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        deadline.CancelAfter(options.Value.Timeout);
        try
        {
            using IDisposable turn = await admission.EnterAsync(http, deadline.Token);
            metrics.Entered();
            try
            {
                await using EngineFeed feed = new(client, generation, metrics, start, deadline.Token);
                outcome = generation.Streams ? await StreamAsync(http, generation, answer, feed) : await SendAsync(http, answer, feed);
            }
            finally
            {
                metrics.Left();
            }
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // Nobody is left to be told.
            outcome = "cancelled";
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested)
        {
            outcome = "timeout";
            throw ApiException.TimedOut(options.Value.Timeout);
        }
        catch (ApiException problem)
        {
            outcome = problem.Code ?? outcome;
            throw;
        }
        finally
        {
            metrics.Ended(start, outcome);
        }
    }

    private static async Task<string> SendAsync(HttpContext http, Answer answer, EngineFeed feed)
    {
        StringBuilder text = new();
        List<ChatTokenLogProb>? likelihoods = null;
        string? finish = null;
        while (await feed.NextAsync() is { } part)
        {
            text.Append(part.Text);
            finish = part.FinishReason ?? finish;
            if (part.Likelihoods is { } told)
            {
                (likelihoods ??= []).AddRange(told);
            }
        }

        http.Response.ContentType = "application/json";
        await http.Response.WriteAsync(answer.Whole(new GeneratedPart(text.ToString(), finish ?? ChatFinishReason.Stop.Value, likelihoods), feed.Usage), http.RequestAborted);
        return "completed";
    }

    private async Task<string> StreamAsync(HttpContext http, Generation generation, Answer answer, EngineFeed feed)
    {
        // Until something has been generated a problem still has a status of its own.
        GeneratedPart? first = await feed.NextAsync();
        http.Response.ContentType = "text/event-stream";
        http.Response.Headers.CacheControl = "no-cache";
        if (answer.Beginning() is { } beginning)
        {
            await SendEventAsync(http, beginning);
        }

        try
        {
            string? finish = null;
            for (GeneratedPart? part = first; part is not null; part = await feed.NextAsync())
            {
                finish = part.FinishReason ?? finish;
                await SendEventAsync(http, answer.Event(part));
            }

            if (finish is null)
            {
                await SendEventAsync(http, answer.Event(new GeneratedPart("", ChatFinishReason.Stop.Value, null)));
            }
        }
        catch (Exception problem) when (!http.RequestAborted.IsCancellationRequested)
        {
            // The status is sent, so the stream itself says that it has broken off.
            ApiException told = problem switch
            {
                ApiException known => known,
                OperationCanceledException => ApiException.TimedOut(options.Value.Timeout),
                _ => ApiException.Internal(),
            };
            if (told.Status == StatusCodes.Status500InternalServerError)
            {
                ServerLog.Failed(log, problem);
            }

            await SendEventAsync(http, JsonSerializer.Serialize(ErrorResponse.Of(told), WireJson.Default.ErrorResponse));
            return told.Code ?? "failed";
        }

        if (generation.TellsUsage)
        {
            await SendEventAsync(http, answer.UsageEvent(feed.Usage));
        }

        await SendEventAsync(http, Done);
        return "completed";
    }

    /// <summary>Sends an event at once. JSON has no line breaks of its own here.</summary>
    private static async Task SendEventAsync(HttpContext http, string data)
    {
        await http.Response.WriteAsync($"data: {data}\n\n", http.RequestAborted);
        await http.Response.Body.FlushAsync(http.RequestAborted);
    }
}
