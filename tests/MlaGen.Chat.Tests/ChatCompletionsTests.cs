using System.Net;
using System.Text;
using System.Text.Json;
using MlaGen.Chat.Tests.Infrastructure;

namespace MlaGen.Chat.Tests;

/// <summary><c>/v1/chat/completions</c> by its wire.</summary>
public sealed class ChatCompletionsTests : IAsyncLifetime
{
    private RunningServer _server = null!;

    public async Task InitializeAsync() => _server = await RunningServer.StartAsync();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task Whole_answer_has_text_reason_and_usage()
    {
        JsonElement answer = await _server.AskAsync(RunningServer.Question("Hello"));

        JsonElement choice = answer.GetProperty("choices").EnumerateArray().Single();
        Assert.Equal("chat.completion", answer.GetProperty("object").GetString());
        Assert.Equal(RunningServer.Model, answer.GetProperty("model").GetString());
        Assert.Equal("assistant", choice.GetProperty("message").GetProperty("role").GetString());
        Assert.Equal(RunningServer.AnswerTo("Hello"), choice.GetProperty("message").GetProperty("content").GetString());
        Assert.Equal("stop", choice.GetProperty("finish_reason").GetString());
        Assert.Equal(WordClient.Words, answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.Equal("user: Hello".Length, answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
        Assert.Equal("user: Hello".Length + WordClient.Words, answer.GetProperty("usage").GetProperty("total_tokens").GetInt32());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Stream_gives_the_same_text_and_tells_usage_where_asked(bool usage)
    {
        List<JsonElement> events = await _server.StreamAsync(RunningServer.Question("Hello", $$""", "stream": true, "stream_options": {"include_usage": {{(usage ? "true" : "false")}}}"""));

        JsonElement[] choices = [.. events.SelectMany(static part => part.GetProperty("choices").EnumerateArray())];
        Assert.Equal(RunningServer.AnswerTo("Hello"), string.Concat(choices.Select(static choice => choice.GetProperty("delta").TryGetProperty("content", out JsonElement text) ? text.GetString() : "")));
        Assert.Equal("assistant", choices[0].GetProperty("delta").GetProperty("role").GetString());
        Assert.Equal([.. Enumerable.Repeat<string?>(null, choices.Length - 1), "stop"], choices.Select(static choice => choice.GetProperty("finish_reason").GetString()));
        Assert.Single(events.Select(static part => part.GetProperty("id").GetString()).Distinct());
        Assert.All(events, static part => Assert.Equal("chat.completion.chunk", part.GetProperty("object").GetString()));
        Assert.Equal(usage, events[^1].TryGetProperty("usage", out JsonElement told));
        if (usage)
        {
            Assert.Empty(events[^1].GetProperty("choices").EnumerateArray());
            Assert.Equal(WordClient.Words, told.GetProperty("completion_tokens").GetInt32());
        }
    }

    [Fact]
    public async Task Stream_is_sent_as_it_comes()
    {
        TaskCompletionSource gate = new();
        _server.Engine.BeforeWord = (word, _) => word == 2 ? gate.Task : Task.CompletedTask;
        using HttpResponseMessage response = await _server.PostAsync(RunningServer.Question("Hello", """, "stream": true"""));
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync());

        // The beginning and two words are here while the third is not made yet.
        for (int i = 0; i < 3; i++)
        {
            Assert.StartsWith("data: {", await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(20)), StringComparison.Ordinal);
            Assert.Equal("", await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(20)));
        }

        Assert.Equal(1, _server.Engine.Active);
        gate.SetResult();
        Assert.EndsWith("data: [DONE]\n\n", await reader.ReadToEndAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task All_settings_reach_the_engine()
    {
        await _server.AskAsync("""
            {"messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
             {"role": "assistant", "content": "c"}, {"role": "user", "content": "d"}],
             "temperature": 0.25, "top_p": 0.5, "top_k": 7, "min_p": 0.125, "repetition_penalty": 1.5, "seed": 9007199254740993, "max_completion_tokens": 11, "stop": ["x", "y"],
             "n": 1, "user": "someone", "tools": [], "logit_bias": {}, "response_format": {"type": "text"}, "frequency_penalty": 0, "presence_penalty": 0}
            """);

        (IReadOnlyList<Microsoft.Extensions.AI.ChatMessage> messages, Microsoft.Extensions.AI.ChatOptions options) = _server.Engine.Last!.Value;
        Assert.Equal([("system", "Be brief."), ("user", "ab"), ("assistant", "c"), ("user", "d")], messages.Select(static message => (message.Role.Value, message.Text)));
        Assert.Equal((0.25f, 0.5f, 7, 9007199254740993, 11), (options.Temperature, options.TopP, options.TopK, options.Seed, options.MaxOutputTokens));
        Assert.Equal(["x", "y"], options.StopSequences);
        Assert.Equal((0.125, 1.5), (options.AdditionalProperties!["min_p"], options.AdditionalProperties["repetition_penalty"]));
    }

    [Fact]
    public async Task Limit_and_stop_end_the_text_and_say_so()
    {
        JsonElement limited = await _server.AskAsync(RunningServer.Question("Hello", """, "max_tokens": 3"""));
        JsonElement stopped = await _server.AskAsync(RunningServer.Question("Hello", $$""", "stop": {{JsonSerializer.Serialize(RunningServer.AnswerTo("Hello", words: 5)[^4..])}}"""));

        Assert.Equal("length", limited.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal(RunningServer.AnswerTo("Hello", words: 3), limited.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        Assert.Equal("stop", stopped.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.StartsWith(stopped.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!, RunningServer.AnswerTo("Hello", words: 5)[..^4], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Probabilities_are_told_for_each_token(bool streams)
    {
        string body = RunningServer.Question("Hello", $$""", "logprobs": true, "top_logprobs": 2, "max_tokens": 4, "stream": {{(streams ? "true" : "false")}}""");
        JsonElement[] answers = streams ? [.. await _server.StreamAsync(body)] : [await _server.AskAsync(body)];

        JsonElement[] tokens =
        [
            .. answers.SelectMany(static answer => answer.GetProperty("choices").EnumerateArray())
                .Where(static choice => choice.TryGetProperty("logprobs", out _))
                .SelectMany(static choice => choice.GetProperty("logprobs").GetProperty("content").EnumerateArray()),
        ];
        Assert.Equal(RunningServer.AnswerTo("Hello", words: 4), string.Concat(tokens.Select(static token => token.GetProperty("token").GetString())));
        Assert.All(tokens, static token => Assert.Equal(-0.5, token.GetProperty("logprob").GetDouble()));
        Assert.All(tokens, static token => Assert.Equal(["owl", "moon"], token.GetProperty("top_logprobs").EnumerateArray().Select(static other => other.GetProperty("token").GetString())));
        Assert.All(tokens, static token => Assert.Equal(
            token.GetProperty("token").GetString(), Encoding.UTF8.GetString([.. token.GetProperty("bytes").EnumerateArray().Select(static value => value.GetByte())])));
    }

    [Fact]
    public async Task Text_goes_on_without_a_conversation()
    {
        JsonElement answer = await _server.AskAsync("""{"prompt": "Once", "max_tokens": 3, "echo": true}""", "/v1/completions");
        JsonElement told = await _server.AskAsync("""{"prompt": ["Once"], "max_tokens": 3, "logprobs": 1}""", "/v1/completions");
        List<JsonElement> events = await _server.StreamAsync("""{"prompt": "Once", "max_tokens": 3, "echo": true, "stream": true, "stream_options": {"include_usage": true}}""", "/v1/completions");

        string text = RunningServer.AnswerTo("Once", words: 3);
        Assert.Equal("text_completion", answer.GetProperty("object").GetString());
        Assert.Equal("Once" + text, answer.GetProperty("choices")[0].GetProperty("text").GetString());
        Assert.Equal("length", answer.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal("Once" + text, string.Concat(events.SelectMany(static part => part.GetProperty("choices").EnumerateArray()).Select(static choice => choice.GetProperty("text").GetString())));
        Assert.Equal(3, events[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        JsonElement logprobs = told.GetProperty("choices")[0].GetProperty("logprobs");
        string[] tokens = [.. logprobs.GetProperty("tokens").EnumerateArray().Select(static token => token.GetString()!)];
        Assert.Equal(text, string.Concat(tokens));
        Assert.Equal([0, tokens[0].Length, tokens[0].Length + tokens[1].Length], logprobs.GetProperty("text_offset").EnumerateArray().Select(static offset => offset.GetInt32()));
        Assert.Equal(-0.5, logprobs.GetProperty("top_logprobs")[0].GetProperty("owl").GetDouble());
    }

    [Fact]
    public async Task Models_and_metrics_are_told()
    {
        await _server.AskAsync(RunningServer.Question("Hello"));
        JsonElement list = JsonDocument.Parse(await _server.Client.GetStringAsync("/v1/models")).RootElement;
        JsonElement one = JsonDocument.Parse(await _server.Client.GetStringAsync("/v1/models/" + RunningServer.Model)).RootElement;
        string metrics = await _server.Client.GetStringAsync("/metrics");

        Assert.Equal(RunningServer.Model, list.GetProperty("data").EnumerateArray().Single().GetProperty("id").GetString());
        Assert.Equal(RunningServer.Model, one.GetProperty("id").GetString());
        Assert.Matches(@"chat_server_requests_total\{[^}]*outcome=""completed""[^}]*\} 1\n", metrics);
        Assert.Matches($@"gen_ai_server_tokens_total\{{[^}}]*gen_ai_token_type=""output""[^}}]*\}} {WordClient.Words}\n", metrics);
        Assert.Matches(@"gen_ai_server_time_to_first_token_seconds_count\{[^}]*\} 1\n", metrics);
        Assert.Contains("dotnet_gc_collections", metrics, StringComparison.Ordinal);
        using HttpResponseMessage missing = await _server.Client.GetAsync(new Uri("/v1/models/other/one", UriKind.Relative));
        Assert.Equal("model_not_found", (await RunningServer.AssertErrorAsync(HttpStatusCode.NotFound, missing)).GetProperty("code").GetString());
    }

    [Fact]
    public async Task Engine_that_refuses_or_fails_is_one_error()
    {
        JsonElement tooLong = await _server.AssertRefusedAsync(HttpStatusCode.BadRequest, Encoding.UTF8.GetBytes(RunningServer.Question("too long", """, "stream": true""")));
        JsonElement failed = await _server.AssertRefusedAsync(HttpStatusCode.InternalServerError, Encoding.UTF8.GetBytes(RunningServer.Question("fail now")));
        using HttpResponseMessage broken = await _server.PostAsync(RunningServer.Question("fail now", """, "stream": true"""));
        string stream = await broken.Content.ReadAsStringAsync();

        Assert.Contains("found 101", tooLong.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", failed.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", stream, StringComparison.Ordinal);
        Assert.DoesNotContain("[DONE]", stream, StringComparison.Ordinal);
        Assert.Equal("internal_error", JsonDocument.Parse(stream.TrimEnd().Split("\n\n")[^1]["data: ".Length..]).RootElement.GetProperty("error").GetProperty("code").GetString());
        Assert.Equal(0, _server.Engine.Active);
    }
}
