using System.Text;
using System.Text.Json.Nodes;
using MlaGen.Tests.Files;
using Storyteller;
using static MlaGen.Tests.Storyteller.StoryProgram;
using ExplorerProgram = Explorer.CommandLine;
using Screen = Explorer.Output.Screen;

namespace MlaGen.Tests.Storyteller;

/// <summary>What programs do to the terminal that they run in: text from files is seen and does nothing, and streams that fail are told in a line.</summary>
public sealed class TerminalTests : IDisposable
{
    // Every control character, what separates lines, and what changes the direction of writing; only some are legal in a file's name.
    private static readonly char[] _harmful =
    [
        .. Enumerable.Range(0, 0xa0).Select(static i => (char)i).Where(char.IsControl),
        '\u2028', '\u2029', '\u061c', '\u200e', '\u200f', .. Enumerable.Range(0x202a, 5).Concat(Enumerable.Range(0x2066, 4)).Select(static i => (char)i),
    ];

    private readonly TemporaryDirectory _directory = new();

    [Fact]
    public void A_tokenizer_s_control_characters_are_seen_in_a_story_and_do_nothing()
    {
        using TemporaryDirectory model = StoryData.CopyOfModel();
        JsonObject tokenizer = JsonNode.Parse(File.ReadAllText(Path.Combine(model.Path, "tokenizer.json")))!.AsObject();
        string told = TellOf(model.Path);
        Assert.Contains(' ', told);

        // GPT-2's stand-in for the byte of a space is Ġ; that of escape is ě: in this tokenizer the two change places.
        string text = tokenizer.ToJsonString(new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        File.WriteAllText(Path.Combine(model.Path, "tokenizer.json"), text.Replace('Ġ', '\u0001').Replace('ě', 'Ġ').Replace('\u0001', 'ě'));

        string changed = TellOf(model.Path);

        Assert.Contains('␛', changed);
        AssertHarmless(changed);
    }

    [Fact]
    public void Prompts_show_none_of_them_in_what_is_told_of_several_stories()
    {
        string prompt = new([.. _harmful.Where(static c => c != '\0')]);

        (int exitCode, string output, string error) = Run("--max-tokens", "2", "--prompt", prompt, "--prompt", "Kai\u001b[2J");

        Assert.Equal(0, exitCode);
        AssertHarmless(output);
        AssertHarmless(error);
        Assert.Contains("\"Kai␛[2J\"", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"silu\"", "hidden_act")]
    [InlineData("\"sigmoid\"", "scoring_func")]
    [InlineData("\"noaux_tc\"", "topk_method")]
    [InlineData("64", "kv_lora_rank")]
    [InlineData("495", "vocab_size")]
    public void A_configuration_s_words_show_none_of_them_in_an_error(string value, string key)
    {
        using TemporaryDirectory model = StoryData.CopyOfModel();
        string path = Path.Combine(model.Path, "config.json");
        string harmful = string.Concat(_harmful.Select(static c => $"\\u{(int)c:x4}"));
        JsonObject config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        Assert.True(config.ContainsKey(key) ? config[key]!.ToJsonString() == value : value[0] == '"', key);
        config[key] = "PLACE";
        File.WriteAllText(path, config.ToJsonString().Replace("PLACE", harmful, StringComparison.Ordinal));

        AssertFails(key, "--model", model.Path);
        AssertHarmlessLine(Run("--model", model.Path).Error);
    }

    [Fact]
    public void A_recall_file_s_words_show_none_of_them_in_an_error()
    {
        string file = _directory.Write("recall.json", Encoding.UTF8.GetBytes($$"""[{"text": "a", "answers": [], "\u001b[2J{{"\u202e\u009b"}}": }]"""));

        AssertFails(file, "--recall", file);
        AssertHarmlessLine(Run("--recall", file).Error);
    }

    [Fact]
    public void Names_of_tensors_show_none_of_them_in_an_error()
    {
        using TemporaryDirectory model = StoryData.CopyOfModel();
        string header = $$$"""{"{{{string.Concat(_harmful.Select(static c => $"\\u{(int)c:x4}"))}}}": {"dtype": "F32", "shape": [2], "data_offsets": [0, 0]}}""";
        byte[] bytes = Encoding.UTF8.GetBytes(header);
        File.WriteAllBytes(Path.Combine(model.Path, "model.safetensors"), [.. BitConverter.GetBytes((long)bytes.Length), .. bytes]);

        AssertFails("model.safetensors", "--model", model.Path);
        AssertHarmlessLine(Run("--model", model.Path).Error);

        // The library's own words, for whoever prints them without such a program around.
        AssertHarmless(Assert.Throws<CheckpointException>(() => Checkpoint.Open(model.Path)).Message);
    }

    [Fact]
    public void Words_of_the_command_line_show_none_of_them_in_an_error()
    {
        string word = new(_harmful);
        string[][] wrong = [[word], ["--sing" + word], ["--cache", word], ["--max-tokens", word], ["--save", "/nowhere/" + word.Replace('\0', 'a') + "/x"], ["--resume", "/nowhere/" + word.Replace('\0', 'a')]];
        foreach (string[] arguments in wrong)
        {
            (int exitCode, string output, string error) = Run(arguments);
            Assert.Equal(2, exitCode);
            Assert.Empty(output);
            AssertHarmlessLine(error);
        }

        string[][] wrongForExplorer = [[word], ["decode", word], ["decode", "--cache", word], ["decode", "--heads", word], ["decode", "--plot", "/nowhere/" + word.Replace('\0', 'a') + "/x.svg"]];
        foreach (string[] arguments in wrongForExplorer)
        {
            StringWriter output = new();
            StringWriter error = new();
            Assert.Equal(2, ExplorerProgram.Run(arguments, output, error, Screen.None));
            Assert.Empty(output.ToString());
            AssertHarmlessLine(error.ToString());
        }
    }

    [Fact]
    public void An_output_that_cannot_be_written_is_one_line_and_exit_code_2()
    {
        string[][] all = [["--max-tokens", "2"], ["--help"], ["--version"], ["--recall", StoryData.PathOf("recall.json"), "--quiet"]];
        foreach (string[] arguments in all)
        {
            StringWriter error = new();
            Assert.Equal(2, CommandLine.Run(arguments, new FailingWriter(new IOException("No space left on device")), error));
            Assert.Contains("storyteller: standard output cannot be written (No space left on device)", error.ToString(), StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", error.ToString(), StringComparison.Ordinal);
        }

        StringWriter explorerError = new();
        Assert.Equal(2, ExplorerProgram.Run(["--help"], new FailingWriter(new IOException("No space left on device")), explorerError, Screen.None));
        Assert.Contains("explorer: standard output cannot be written", explorerError.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_reader_that_has_read_enough_ends_nothing_and_is_not_complained_of()
    {
        const int BrokenPipe = 32;
        string saved = Path.Combine(_directory.Path, "saved");
        StringWriter error = new();

        int exitCode = CommandLine.Run(
            ["--quiet", "--prompt", "Kai", "--max-tokens", "5", "--save", saved],
            new FailingWriter(new IOException("Broken pipe", OperatingSystem.IsWindows() ? unchecked((int)0x8007006D) : BrokenPipe)),
            error);

        Assert.Equal(0, exitCode);
        Assert.Empty(error.ToString());
        Assert.True(File.Exists(saved));
    }

    [Fact]
    public void An_error_stream_that_cannot_be_written_stops_no_story()
    {
        StringWriter output = new();

        Assert.Equal(0, CommandLine.Run(["--prompt", "Kai", "--max-tokens", "5"], output, new FailingWriter(new UnauthorizedAccessException("closed"))));
        Assert.Equal(Tell("--prompt", "Kai", "--max-tokens", "5"), output.ToString());
        Assert.Equal(2, CommandLine.Run(["--sing"], output, new FailingWriter(new IOException("closed"))));
    }

    public void Dispose() => _directory.Dispose();

    private static string TellOf(string model) => Tell("--model", model, "--prompt", "The owl looked at the moon.", "--max-tokens", "60", "--ignore-end", "--temperature", "2");

    private static void AssertHarmlessLine(string text)
    {
        Assert.EndsWith(Environment.NewLine, text, StringComparison.Ordinal);
        AssertHarmless(text[..^Environment.NewLine.Length]);
        Assert.DoesNotContain('\n', text[..^Environment.NewLine.Length]);
        Assert.DoesNotContain('\t', text);
    }

    private static void AssertHarmless(string text) => Assert.DoesNotContain(text, static c => _harmful.Contains(c) && c is not ('\n' or '\t'));

    /// <summary>A stream that takes nothing.</summary>
    private sealed class FailingWriter(Exception problem) : TextWriter
    {
        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(char value) => throw problem;

        public override void Flush() => throw problem;
    }
}
