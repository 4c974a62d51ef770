using System.Text;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using MlaGen.Models.Tests.Golden;

namespace MlaGen.Models.Tests.Chat;

public sealed class MlaChatClientTests
{
    private static readonly ChatOptions _greedy = new() { Temperature = 0, MaxOutputTokens = 12 };

    [Fact]
    public async Task An_answer_is_what_the_model_generates_after_the_rendered_conversation()
    {
        using TextGenerator generator = Generator();
        using MlaChatClient client = new(generator, new Letters());
        ChatMessage[] messages = [new(ChatRole.System, "abc"), new(ChatRole.User, "hello")];

        ChatResponse response = await client.GetResponseAsync(messages, _greedy);

        List<string> expected = [];
        await foreach (GeneratedToken token in generator.GenerateAsync(generator.Tokenizer!.Encode("abc|hello|").ToArray(), new GenerationOptions { MaxTokens = 12, Sampling = new SamplingOptions { Temperature = 0 } }))
        {
            expected.Add(token.Text);
        }

        Assert.Equal(string.Concat(expected), response.Text);
        Assert.Equal(12, response.Text.Length);
        Assert.Equal((10L, 12L, 22L), (response.Usage!.InputTokenCount, response.Usage.OutputTokenCount, response.Usage.TotalTokenCount));
        Assert.Equal((ChatFinishReason.Length, "deepseek-v3"), (response.FinishReason, response.ModelId));
    }

    [Fact]
    public async Task Updates_come_one_by_one_and_together_are_the_response()
    {
        using TextGenerator generator = Generator();
        using MlaChatClient client = new(generator, new Letters());
        ChatOptions options = new() { Seed = 7, MaxOutputTokens = 20, TopP = 0.9f, TopK = 50, AdditionalProperties = new() { ["min_p"] = 0.01 } };

        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync([new(ChatRole.User, "hello")], options))
        {
            updates.Add(update);
        }

        ChatResponse whole = await client.GetResponseAsync([new(ChatRole.User, "hello")], options);
        Assert.True(updates.Count > 10);
        Assert.Equal(whole.Text, updates.ToChatResponse().Text);
        Assert.All(updates.SkipLast(1), static update => Assert.Null(update.FinishReason));
    }

    [Fact]
    public async Task A_stop_text_ends_the_answer_before_it()
    {
        using TextGenerator generator = Generator();
        using MlaChatClient client = new(generator, new Letters());
        string whole = (await client.GetResponseAsync("hello", _greedy)).Text;

        ChatResponse stopped = await client.GetResponseAsync("hello", new ChatOptions { Temperature = 0, MaxOutputTokens = 12, StopSequences = [whole[4..7]] });

        Assert.Equal(whole[..whole.IndexOf(whole[4..7], StringComparison.Ordinal)], stopped.Text);
        Assert.Equal(ChatFinishReason.Stop, stopped.FinishReason);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public async Task Probabilities_are_told_for_each_token_of_the_text(int likeliest)
    {
        using TextGenerator generator = Generator();
        using MlaChatClient client = new(generator, new Letters());
        ChatOptions options = new() { Seed = 5, MaxOutputTokens = 12, AdditionalProperties = new() { [MlaChatClient.LogProbs] = likeliest } };
        List<GeneratedToken> expected = [];
        await foreach (GeneratedToken token in generator.GenerateAsync(generator.Tokenizer!.Encode("hello|").ToArray(), new GenerationOptions { MaxTokens = 12, LogProbs = likeliest, Sampling = new SamplingOptions { Seed = 5 } }))
        {
            expected.Add(token);
        }

        ChatResponse whole = await client.GetResponseAsync("hello", options);
        List<ChatResponseUpdate> updates = await client.GetStreamingResponseAsync("hello", options).ToListAsync();

        IReadOnlyList<ChatTokenLogProb> told = MlaChatClient.LogProbsOf(whole.AdditionalProperties)!;
        Assert.Equal(expected.Select(static token => (double)token.LogProb!.Value), told.Select(static token => token.LogProb));
        Assert.Equal(whole.Text, string.Concat(told.Select(static token => Encoding.UTF8.GetString(token.Bytes.Span))));
        Assert.All(told, token => Assert.Equal(likeliest, token.Likeliest.Count));
        Assert.Equal(
            expected.SelectMany(static token => token.Likeliest).Select(static token => (double)token.LogProb),
            told.SelectMany(static token => token.Likeliest).Select(static token => token.LogProb));
        Assert.Equal(told.Select(static token => token.LogProb), updates.SelectMany(static update => MlaChatClient.LogProbsOf(update.AdditionalProperties) ?? []).Select(static token => token.LogProb));
        Assert.Null(MlaChatClient.LogProbsOf((await client.GetResponseAsync("hello", _greedy)).AdditionalProperties));
        await Assert.ThrowsAsync<ArgumentException>(() => client.GetResponseAsync("hello", new ChatOptions { AdditionalProperties = new() { [MlaChatClient.LogProbs] = 1.5 } }));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => client.GetResponseAsync("hello", new ChatOptions { AdditionalProperties = new() { [MlaChatClient.LogProbs] = 101 } }));
    }

    [Fact]
    public async Task Cancelling_ends_the_answer()
    {
        using TextGenerator generator = Generator();
        using MlaChatClient client = new(generator, new Letters());
        using CancellationTokenSource source = new();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (ChatResponseUpdate _ in client.GetStreamingResponseAsync([new(ChatRole.User, "hello")], new ChatOptions { MaxOutputTokens = 1000, Temperature = 0 }, source.Token))
            {
                await source.CancelAsync();
            }
        });
        await Assert.ThrowsAsync<NotSupportedException>(() => client.GetResponseAsync("hello", new ChatOptions { ResponseFormat = ChatResponseFormat.Json }));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => client.GetResponseAsync("hello", new ChatOptions { TopP = 2 }));
    }

    [Fact]
    public async Task Services_have_one_client_and_one_generator()
    {
        await using ServiceProvider services = new ServiceCollection().AddMlaChatClient(static _ => Generator(), static _ => new Letters(), "tiny").BuildServiceProvider();

        IChatClient client = services.GetRequiredService<IChatClient>();

        Assert.Same(client, services.GetRequiredService<IChatClient>());
        Assert.Same(services.GetRequiredService<TextGenerator>(), client.GetService<TextGenerator>());
        Assert.Equal("tiny", (await client.GetResponseAsync("hello", _greedy)).ModelId);
    }

    private static TextGenerator Generator() => new(TinyModels.Load("deepseek-v3"), new Letters(), new TextGeneratorOptions { CacheTokens = 2048 });

    /// <summary>Every token is a letter, and messages are set apart by a bar.</summary>
    private sealed class Letters : ITextTokenizer, IChatTemplate
    {
        private static readonly byte[][] _letters = [.. Enumerable.Range(0, 320).Select(static token => new[] { (byte)('a' + (token % 26)) })];

        public IReadOnlyList<int> Encode(string text) => [.. text.Select(static letter => letter == '|' ? 300 : letter - 'a')];

        public ReadOnlySpan<byte> Bytes(int id) => _letters[id];

        public bool IsSpecial(int id) => false;

        public string Render(IReadOnlyList<ChatMessage> messages) => string.Concat(messages.Select(static message => message.Text + "|"));
    }
}
