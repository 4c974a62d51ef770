using System.ClientModel;
using System.Globalization;
using System.Text;
using MlaGen.Chat.Tests.Infrastructure;
using OpenAI;
using OpenAI.Chat;

namespace MlaGen.Chat.Tests;

/// <summary>OpenAI's own .NET client takes the server for what it knows.</summary>
public sealed class OfficialClientTests : IAsyncLifetime
{
    private const string Key = "a key of the tests";

    private RunningServer _server = null!;
    private ChatClient _client = null!;

    public async Task InitializeAsync()
    {
        _server = await RunningServer.StartAsync(new() { ApiKey = Key });
        _client = Client(Key);
    }

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task Answers_are_whole()
    {
        ChatCompletion completion = await _client.CompleteChatAsync(
            [new SystemChatMessage("Be kind."), new UserChatMessage("Hello")],
            new ChatCompletionOptions { MaxOutputTokenCount = 5, Temperature = 0.5f, TopP = 0.9f, IncludeLogProbabilities = true, TopLogProbabilityCount = 2, StopSequences = { "zzz" } });

        string expected = WordClient.Answer(WordClient.Text(("system", "Be kind."), ("user", "Hello")), words: 5);
        Assert.Equal(expected, completion.Content.Single().Text);
        Assert.Equal(ChatFinishReason.Length, completion.FinishReason);
        Assert.Equal(5, completion.Usage.OutputTokenCount);
        Assert.Equal(expected, string.Concat(completion.ContentTokenLogProbabilities.Select(static token => token.Token)));
        Assert.All(completion.ContentTokenLogProbabilities, static token => Assert.Equal(2, token.TopLogProbabilities.Count));
    }

    [Fact]
    public async Task Answers_are_streamed()
    {
        StringBuilder text = new();
        ChatFinishReason? reason = null;
        int? tokens = null;
        await foreach (StreamingChatCompletionUpdate update in _client.CompleteChatStreamingAsync(new UserChatMessage("Hello")))
        {
            text.Append(string.Concat(update.ContentUpdate.Select(static part => part.Text)));
            reason = update.FinishReason ?? reason;
            tokens = update.Usage?.OutputTokenCount ?? tokens;
        }

        Assert.Equal(RunningServer.AnswerTo("Hello"), text.ToString());
        Assert.Equal(ChatFinishReason.Stop, reason);
        Assert.Equal(WordClient.Words, tokens);
    }

    [Fact]
    public async Task Models_are_listed()
    {
        ClientResult<OpenAI.Models.OpenAIModelCollection> models = await new OpenAIClient(new ApiKeyCredential(Key), Options()).GetOpenAIModelClient().GetModelsAsync();

        Assert.Equal(RunningServer.Model, models.Value.Single().Id);
    }

    [Theory]
    [InlineData("another key of the tests", 401)]
    [InlineData("a", 401)]
    [InlineData(Key, 400)]
    public async Task Errors_are_understood(string key, int status)
    {
        ClientResultException problem = await Assert.ThrowsAsync<ClientResultException>(() => Client(key).CompleteChatAsync(new UserChatMessage("too long")));

        Assert.Equal(status, problem.Status);
        Assert.Contains(status == 401 ? "API key" : "found 101", problem.Message, StringComparison.Ordinal);
    }

    private ChatClient Client(string key) => new(RunningServer.Model, new ApiKeyCredential(key), Options());

    private OpenAIClientOptions Options() => new() { Endpoint = new Uri(string.Create(CultureInfo.InvariantCulture, $"{_server.Address}v1")) };
}
