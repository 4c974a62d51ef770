using System.Text.Json;
using Chat.Engine;
using Chat.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.AI;
using MlaGen.Chat.Tests.Infrastructure;
using MlaGen.Models;

namespace MlaGen.Chat.Tests;

/// <summary>The program with the model that comes with it.</summary>
public sealed class StoryModelTests : IDisposable
{
    private const string Beginning = "The owl looked at the moon. Kai walked to the";

    private readonly LoadedEngine _engine = EngineSource.Load(null, new EngineSettings(2, WeightFormat.Stored, CacheFormat.Float32, 65536, 16), TextWriter.Null);

    public void Dispose() => _engine.Dispose();

    [Fact]
    public async Task Stories_are_told_alike_alone_and_beside_others()
    {
        ChatOptions options = new() { Temperature = 0.8f, Seed = 3, MaxOutputTokens = 24 };
        string[] beginnings = [.. Enumerable.Range(0, 8).Select(static i => $"{Beginning} {(i % 2 == 0 ? "tower" : "harbor")}. {new string('a', i)}")];
        List<string> alone = [];
        foreach (string beginning in beginnings)
        {
            alone.Add((await _engine.Continuation.GetResponseAsync(beginning, options)).Text);
        }

        ChatResponse[] together = await Task.WhenAll(beginnings.Select(beginning => _engine.Continuation.GetResponseAsync(beginning, options)));

        Assert.Equal(alone, together.Select(static response => response.Text));
        Assert.All(alone, static text => Assert.Matches("[a-z]", text));
        Assert.All(together, static response => Assert.Equal(24, response.Usage!.OutputTokenCount));
    }

    [Fact]
    public async Task Story_is_served()
    {
        await using WebApplication app = ChatServer.Create(_engine, new ServeOptions { Port = 0 });
        await app.StartAsync();
        using HttpClient client = new() { BaseAddress = ChatServer.AddressOf(app) };
        using StringContent body = new($$"""{"prompt": "{{Beginning}}", "max_tokens": 12, "temperature": 0}""", System.Text.Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await client.PostAsync(new Uri("/v1/completions", UriKind.Relative), body);
        JsonElement answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;

        Assert.Equal("StoryModel", answer.GetProperty("model").GetString());
        Assert.Equal((await _engine.Continuation.GetResponseAsync(Beginning, new ChatOptions { Temperature = 0, MaxOutputTokens = 12 })).Text, answer.GetProperty("choices")[0].GetProperty("text").GetString());
        Assert.Equal(12, answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32());

        // More than the context of the model: its own words, and no failure.
        using StringContent tooLong = new($$"""{"prompt": "{{string.Concat(Enumerable.Repeat(Beginning, 500))}}"}""", System.Text.Encoding.UTF8, "application/json");
        using HttpResponseMessage refused = await client.PostAsync(new Uri("/v1/completions", UriKind.Relative), tooLong);
        Assert.Contains("1024", (await RunningServer.AssertErrorAsync(System.Net.HttpStatusCode.BadRequest, refused)).GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Answer_that_is_given_up_leaves_nothing()
    {
        TextGenerator generator = _engine.Client.GetService<TextGenerator>()!;
        await foreach (ChatResponseUpdate update in _engine.Client.GetStreamingResponseAsync(Beginning, new ChatOptions { MaxOutputTokens = 900, Seed = 1 }))
        {
            break;
        }

        await RunningServer.UntilAsync(() => generator.Requests == (0, 0) && generator.UsedPages == generator.PrefixPages);
    }
}
