using System.Diagnostics;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Chat.Engine;
using Microsoft.Extensions.AI;
using MlaGen.Chat.Tests.Infrastructure;
using MlaGen.Models;
using MlaGen.Tests.Files;

namespace MlaGen.Chat.Tests;

/// <summary>The program in a process of its own, with the story model and with a checkpoint in a directory.</summary>
public sealed partial class ChatProcessTests : IDisposable
{
    private const string Template = "{%- for message in messages %}{% if message.role == 'system' %}{{ raise_exception('no system here') }}{% endif %}{{ message.content }} {% endfor %}";

    private static readonly string[] _greedy = ["chat", "--temperature", "0", "--max-tokens", "20", "--threads", "2"];
    private static readonly string _long = string.Join(' ', Enumerable.Range(0, 40).Select(static i => $"Kai walked to the {(i % 3 == 0 ? "tower" : "harbor")}. The owl looked at the moon."));

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Conversation_goes_on_in_another_process_from_its_latents()
    {
        string file = _directory.At("talk");
        (_, string whole, _) = await ChatProcess.RunAsync(_greedy, _long, "Kai walked");
        (int saved, string first, string told) = await ChatProcess.RunAsync(_greedy, _long, $"/save {file}");
        (int resumed, string second, string known) = await ChatProcess.RunAsync(_greedy, $"/resume {file}", "Kai walked");

        Assert.Equal((0, 0), (saved, resumed));
        Assert.Equal(whole, first + second);
        string tokens = Tokens().Match(told).Value;
        Assert.NotEmpty(tokens);
        Assert.Contains($"The latents of {tokens} are known.", known, StringComparison.Ordinal);

        // Without them, and with what is none of them, the same is said.
        string latents = file + ".latents";
        File.WriteAllBytes(latents, File.ReadAllBytes(latents)[..^100]);
        (_, string damaged, string problem) = await ChatProcess.RunAsync(_greedy, $"/resume {file}", "Kai walked");
        Assert.Contains("computed anew", problem, StringComparison.Ordinal);
        File.Delete(latents);
        (_, string anew, string nothing) = await ChatProcess.RunAsync(_greedy, $"/resume {file}", "Kai walked");
        Assert.DoesNotContain("latents", nothing, StringComparison.Ordinal);
        Assert.Equal((second, second), (damaged, anew));
    }

    [Fact]
    public async Task Checkpoint_in_a_directory_talks_by_its_own_template()
    {
        string directory = Checkpoint();
        using LoadedEngine engine = EngineSource.Load(directory, new EngineSettings(1, WeightFormat.Stored, CacheFormat.Float32, 4096, 1), TextWriter.Null);
        ChatOptions options = new() { Temperature = 0, MaxOutputTokens = 20 };
        string expected = (await engine.Client.GetResponseAsync("The owl looked", options)).Text;
        Assert.NotEqual(expected, (await engine.Continuation.GetResponseAsync("The owl looked", options)).Text);

        (int code, string output, _) = await ChatProcess.RunAsync([.. _greedy, "--model", directory], "The owl looked");
        (int drafting, string sooner, _) = await ChatProcess.RunAsync([.. _greedy, "--model", directory, "--speculate", "8"], "The owl looked");
        (int refusing, string nothing, string problem) = await ChatProcess.RunAsync([.. _greedy, "--model", directory, "--system", "Be kind."], "The owl looked");

        Assert.Equal((0, expected.TrimEnd('\n') + "\n"), (code, output));
        Assert.Equal((0, output), (drafting, sooner));
        Assert.Equal((0, ""), (refusing, nothing.Trim()));
        Assert.Contains("no system here", problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Weights_that_are_kept_answer_as_those_that_are_loaded()
    {
        string directory = Checkpoint();
        string kept = LanguageModel.KeptPath(directory, WeightFormat.Int8Group32);
        string[] arguments = [.. _greedy, "--model", directory, "--weights", "Int8Group32"];
        (int code, string expected, _) = await ChatProcess.RunAsync(arguments, "The owl looked");
        Assert.Equal(0, code);
        Assert.False(File.Exists(kept));

        (int making, string made, _) = await ChatProcess.RunAsync([.. arguments, "--keep-weights"], "The owl looked");
        DateTime written = File.GetLastWriteTimeUtc(kept);
        (int mapping, string mapped, _) = await ChatProcess.RunAsync([.. arguments, "--keep-weights"], "The owl looked");

        Assert.Equal((0, expected), (making, made));
        Assert.Equal((0, expected), (mapping, mapped));
        Assert.Equal(written, File.GetLastWriteTimeUtc(kept));

        // One that is damaged is refused, and left as it is.
        File.WriteAllText(kept, "?");
        (int refusing, _, string problem) = await ChatProcess.RunAsync([.. arguments, "--keep-weights"], "The owl looked");
        Assert.Equal(2, refusing);
        Assert.Contains(kept, problem, StringComparison.Ordinal);
        Assert.Equal("?", File.ReadAllText(kept));
    }

    [Fact]
    public async Task Checkpoint_in_a_directory_is_served_with_probabilities()
    {
        string directory = Checkpoint();
        using LoadedEngine engine = EngineSource.Load(directory, new EngineSettings(1, WeightFormat.Stored, CacheFormat.Float32, 4096, 1), TextWriter.Null);
        ChatOptions options = new() { Temperature = 0, MaxOutputTokens = 12, AdditionalProperties = new() { [MlaChatClient.LogProbs] = 3 } };
        ChatResponse expected = await engine.Client.GetResponseAsync("The owl looked", options);
        IReadOnlyList<ChatTokenLogProb> told = MlaChatClient.LogProbsOf(expected.AdditionalProperties)!;
        Assert.NotEmpty(told);

        using Process server = ChatProcess.Start("serve", "--port", "0", "--model", directory, "--threads", "2", "--speculate", "8");
        try
        {
            string line = "";
            while (!Address().IsMatch(line))
            {
                line = await server.StandardError.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(1)) ?? throw new InvalidOperationException("the server has ended");
            }

            using HttpClient client = new() { BaseAddress = new Uri(Address().Match(line).Value) };
            JsonElement answer = await AskAsync(client, "/v1/chat/completions", """{"messages": [{"role": "user", "content": "The owl looked"}], "temperature": 0, "max_tokens": 12, "logprobs": true, "top_logprobs": 3}""");
            JsonElement choice = answer.GetProperty("choices")[0];
            Assert.Equal(expected.Text, choice.GetProperty("message").GetProperty("content").GetString());
            JsonElement[] tokens = [.. choice.GetProperty("logprobs").GetProperty("content").EnumerateArray()];
            Assert.Equal(told.Select(static token => token.LogProb), tokens.Select(static token => token.GetProperty("logprob").GetDouble()));
            Assert.Equal(
                told.SelectMany(static token => token.Likeliest).Select(static token => Encoding.UTF8.GetString(token.Bytes.Span)),
                tokens.SelectMany(static token => token.GetProperty("top_logprobs").EnumerateArray()).Select(static token => token.GetProperty("token").GetString()));

            // A text is gone on with by no template.
            ChatResponse text = await engine.Continuation.GetResponseAsync("The owl looked", options);
            JsonElement completion = (await AskAsync(client, "/v1/completions", """{"prompt": "The owl looked", "temperature": 0, "max_tokens": 12, "logprobs": 3}""")).GetProperty("choices")[0];
            Assert.Equal(text.Text, completion.GetProperty("text").GetString());
            Assert.Equal(
                MlaChatClient.LogProbsOf(text.AdditionalProperties)!.Select(static token => token.LogProb),
                completion.GetProperty("logprobs").GetProperty("token_logprobs").EnumerateArray().Select(static value => value.GetDouble()));

            using HttpResponseMessage refused = await client.PostAsJsonAsync("/v1/chat/completions", JsonNode("""{"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "x"}]}"""));
            Assert.Contains("no system here", (await RunningServer.AssertErrorAsync(System.Net.HttpStatusCode.BadRequest, refused)).GetProperty("message").GetString(), StringComparison.Ordinal);
        }
        finally
        {
            server.Kill();
            await server.WaitForExitAsync();
        }
    }

    [Fact]
    public async Task Directory_that_fits_no_class_is_one_error_with_the_lines_that_would_add_one()
    {
        string directory = Checkpoint();
        File.Copy(Path.Combine(AppContext.BaseDirectory, "Configs", "youtu", "config.json"), Path.Combine(directory, "config.json"), overwrite: true);

        (int code, string output, string error) = await ChatProcess.RunAsync([.. _greedy, "--model", directory], "Hello");

        Assert.Equal((2, ""), (code, output));
        Assert.Contains("    <MlaModelConfig Include=\"my-model/config.json\" />\n    [MlaAttention(\"my-model\")] public sealed partial class MyModelAttention;", error, StringComparison.Ordinal);
    }

    private static async Task<JsonElement> AskAsync(HttpClient client, string path, string body)
    {
        using HttpResponseMessage response = await client.PostAsJsonAsync(path, JsonNode(body));
        string answer = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, answer);
        return JsonDocument.Parse(answer).RootElement;
    }

    private static JsonElement JsonNode(string json) => JsonDocument.Parse(json).RootElement;

    /// <summary>A checkpoint that is not the program's own, with a template.</summary>
    private string Checkpoint()
    {
        string directory = Directory.CreateDirectory(_directory.At("my-model")).FullName;
        foreach (string file in Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "StoryModel")))
        {
            File.Copy(file, Path.Combine(directory, Path.GetFileName(file)));
        }

        File.WriteAllText(Path.Combine(directory, "chat_template.jinja"), Template);
        return directory;
    }

    [GeneratedRegex("http://[0-9.]+:[0-9]+")]
    private static partial Regex Address();

    [GeneratedRegex("(?<=the latents of )[0-9]+ tokens")]
    private static partial Regex Tokens();
}
