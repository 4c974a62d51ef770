using System.Text;
using System.Text.Json.Nodes;
using MlaGen.Tests.Files;
using static MlaGen.Tests.Storyteller.StoryProgram;

namespace MlaGen.Tests.Storyteller;

public class CommandLineTests
{
    [Fact]
    public void Without_arguments_a_story_is_told()
    {
        (int exitCode, string output, string error) = Run();

        Assert.Equal(0, exitCode);
        Assert.True(output.Length > 100, output);
        Assert.Contains("tokens/s", error, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(StoryData.Prompts), MemberType = typeof(StoryData))]
    public void A_quiet_story_is_the_golden_continuation_up_to_its_end_and_nothing_else(int prompt)
    {
        StoryData.GoldenStory golden = StoryData.Golden[prompt];
        using TemporaryDirectory directory = new();
        string file = directory.Write("prompt.txt", Encoding.UTF8.GetBytes(golden.Prompt));

        (int exitCode, string output, string error) = Run("--quiet", "--max-tokens", "48", "--prompt-file", file);

        Assert.Equal(0, exitCode);
        Assert.Equal(golden.GreedyText.Split("<|end|>")[0], output);
        Assert.Empty(error);
    }

    [Fact]
    public void Past_the_end_the_story_goes_on_when_asked_to()
    {
        StoryData.GoldenStory golden = StoryData.Golden[2];

        (_, string output, _) = Run("--quiet", "--ignore-end", "--max-tokens", "48", "--prompt", golden.Prompt);

        Assert.Equal(golden.GreedyText.Replace("<|end|>", "", StringComparison.Ordinal), output);
    }

    [Fact]
    public void The_summary_goes_to_standard_error()
    {
        (int exitCode, string output, string error) = Run("--max-tokens", "3", "--prompt", StoryData.Golden[0].Prompt);

        Assert.Equal(0, exitCode);
        Assert.Equal(" the tower.", output);
        Assert.Contains("prompt: 88 tokens,", error, StringComparison.Ordinal);
        Assert.Contains("decode: 2 tokens,", error, StringComparison.Ordinal);
        Assert.Contains("1280 bytes a token; keys and values of full multi-head attention would take 10240", error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_seed_tells_the_same_story()
    {
        string[] arguments = ["--quiet", "--prompt", "Kai", "--temperature", "0.9", "--max-tokens", "40", "--seed"];

        Assert.Equal(Run([.. arguments, "5"]).Output, Run([.. arguments, "5"]).Output);
        Assert.NotEqual(Run([.. arguments, "5"]).Output, Run([.. arguments, "6"]).Output);
    }

    [Theory]
    [InlineData("@file")]
    [InlineData("-x")]
    [InlineData("  \n two lines\n")]
    [InlineData("")]
    public void A_prompt_is_taken_as_it_is(string prompt)
    {
        (int exitCode, _, string error) = Run("--max-tokens", "1", "--prompt", prompt);

        Assert.Equal(0, exitCode);
        int tokens = StoryData.Loaded.TokensOf(prompt).Length;
        Assert.Contains($"prompt: {tokens} {(tokens == 1 ? "token" : "tokens")},", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_story_ends_where_the_model_has_no_more_positions()
    {
        string prompt = string.Concat(Enumerable.Repeat(" the", 1020));

        (int exitCode, _, string error) = Run("--ignore-end", "--max-tokens", "100", "--prompt", prompt);

        Assert.Equal(0, exitCode);
        Assert.Contains("prompt: 1021 tokens,", error, StringComparison.Ordinal);
        Assert.Contains("decode: 3 tokens,", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Float32", 1280)]
    [InlineData("bfloat16", 640)]
    [InlineData("FLOAT16", 640)]
    [InlineData("float8", 400)]
    [InlineData("int8", 392)]
    public void A_cache_format_is_named_in_any_case(string format, int bytes)
    {
        (int exitCode, string output, string error) = Run("--cache", format, "--max-tokens", "3", "--prompt", StoryData.Golden[0].Prompt);

        Assert.Equal(0, exitCode);
        Assert.Equal(" the tower.", output);
        Assert.Contains($" {bytes} bytes a token;", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Float32")]
    [InlineData("Int8")]
    public void Recall_prints_one_line(string format)
    {
        using TemporaryDirectory directory = new();
        JsonArray stories = JsonNode.Parse(File.ReadAllBytes(StoryData.PathOf("recall.json")))!.AsArray();
        string file = directory.Write("one.json", Encoding.UTF8.GetBytes(new JsonArray(stories[0]!.DeepClone()).ToJsonString()));

        (int exitCode, string output, string error) = Run("--quiet", "--recall", file, "--cache", format);

        Assert.Equal(0, exitCode);
        Assert.Matches($"^[0-9]+ of {stories[0]!["answers"]!.AsArray().Count}{Environment.NewLine}$", output);
        Assert.Empty(error);
    }

    [Fact]
    public void Help_names_every_option()
    {
        (int exitCode, string output, _) = Run("--help");

        Assert.Equal(0, exitCode);
        string[] names = ["--model", "--prompt", "--prompt-file", "--max-tokens", "--threads", "--temperature", "--seed", "--chunk", "--ignore-end", "--quiet", "--recall", "--cache", "--save", "--resume", "--help"];
        Assert.All(names, name => Assert.Contains(name + " ", output, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("--max-tokens takes a number from 1 to 2147483647, not 'many'", "--max-tokens", "many")]
    [InlineData("--max-tokens takes a number from 1", "--max-tokens", "0")]
    [InlineData("--threads takes a number from 1 to 1024, not '-3'", "--threads", "-3")]
    [InlineData("--chunk takes a number from 0", "--chunk", "1.5")]
    [InlineData("--temperature takes a number from 0 to 100, not '0,8'", "--temperature", "0,8")]
    [InlineData("--temperature takes a number from 0 to 100, not 'NaN'", "--temperature", "NaN")]
    [InlineData("--seed takes a number from", "--seed", "99999999999")]
    [InlineData("--seed", "--seed")]
    [InlineData("--sing", "--sing")]
    [InlineData("--prompt and --prompt-file exclude each other", "--prompt", "a", "--prompt-file", "b")]
    [InlineData("--prompt and --recall exclude each other", "--prompt", "a", "--recall", "b")]
    [InlineData("--prompt and --resume exclude each other", "--resume", "b", "--prompt", "a")]
    [InlineData("--resume and --recall exclude each other", "--resume", "a", "--recall", "b")]
    [InlineData("--save and --recall exclude each other", "--save", "a", "--recall", "b")]
    [InlineData("--prompt takes a text each time it is given", "--prompt", "a", "--prompt")]
    [InlineData("--cache takes one of Float32, BFloat16, Float16, Float8, Int8, not 'Int4'", "--cache", "Int4")]
    [InlineData("--cache takes one of Float32, BFloat16, Float16, Float8, Int8, not '1'", "--cache", "1")]
    [InlineData("nowhere", "--model", "/nowhere/at/all")]
    [InlineData("nowhere", "--prompt-file", "/nowhere/at/all")]
    [InlineData("nowhere", "--recall", "/nowhere/at/all")]
    [InlineData("nowhere", "--resume", "/nowhere/at/all")]
    public void A_mistake_on_the_command_line_is_one_line_and_exit_code_2(string problem, params string[] arguments) => AssertFails(problem, arguments);

    [Fact]
    public void A_prompt_that_is_too_long_is_refused() =>
        AssertFails("the prompt has 1025 tokens, but the model's context ends at 1024", "--prompt", string.Concat(Enumerable.Repeat(" the", 1024)));

    [Fact]
    public void More_prompts_than_a_file_may_hold_are_refused() =>
        AssertFails("--prompt may be given 256 times, not 257", [.. Enumerable.Repeat<string[]>(["--prompt", "a"], 257).SelectMany(pair => pair)]);

    [Fact]
    public void A_prompt_file_that_is_not_utf8_is_refused()
    {
        using TemporaryDirectory directory = new();
        string file = directory.Write("prompt.txt", [0x41, 0xff, 0xfe]);

        AssertFails("is not UTF-8", "--prompt-file", file);
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("""[{"text": "Kai."}]""")]
    [InlineData("""[{"text": "Kai.", "answers": [[0, 9]]}]""")]
    [InlineData("""[{"text": "Kai.", "answers": [[2, 2]]}]""")]
    [InlineData("""[{"text": "Kai.", "answers": [[1]]}]""")]
    [InlineData("""[{"text": "Kai.", "answers": [null]}]""")]
    [InlineData("[null]")]
    public void A_broken_recall_file_is_refused(string json)
    {
        using TemporaryDirectory directory = new();
        string file = directory.Write("recall.json", Encoding.UTF8.GetBytes(json));

        AssertFails(file, "--recall", file);
    }

    [Fact]
    public void A_model_of_another_shape_is_refused()
    {
        using TemporaryDirectory directory = StoryData.CopyOfModel();
        Change(directory, "config.json", text => text.Replace("\"kv_lora_rank\": 64", "\"kv_lora_rank\": 512", StringComparison.Ordinal));

        AssertFails("kv_lora_rank is 512, but the class has 64", "--model", directory.Path);
    }

    [Fact]
    public void Weights_that_differ_from_the_configuration_are_refused()
    {
        using TemporaryDirectory directory = StoryData.CopyOfModel();
        Change(directory, "config.json", text => text.Replace("\"intermediate_size\": 512", "\"intermediate_size\": 1024", StringComparison.Ordinal));

        AssertFails("model.layers.0.mlp.gate_proj.weight", "--model", directory.Path);
    }

    [Fact]
    public void A_missing_tensor_is_named()
    {
        using TemporaryDirectory directory = StoryData.CopyOfModel();
        Change(directory, "config.json", text => text.Replace("\"num_hidden_layers\": 4", "\"num_hidden_layers\": 5", StringComparison.Ordinal));

        AssertFails("model.layers.4.input_layernorm.weight", "--model", directory.Path);
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("tokenizer.json")]
    [InlineData("model.safetensors")]
    public void A_missing_or_truncated_file_is_named(string file)
    {
        using TemporaryDirectory directory = StoryData.CopyOfModel();
        string path = Path.Combine(directory.Path, file);
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..100]);
        AssertFails(file, "--model", directory.Path);

        File.Delete(path);
        AssertFails(file, "--model", directory.Path);
    }

    private static void Change(TemporaryDirectory directory, string file, Func<string, string> change)
    {
        string path = Path.Combine(directory.Path, file);
        string before = File.ReadAllText(path);
        string after = change(before);
        Assert.NotEqual(before, after);
        File.WriteAllText(path, after);
    }
}
