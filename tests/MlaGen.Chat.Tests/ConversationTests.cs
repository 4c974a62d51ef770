using Chat.Terminal;
using Microsoft.Extensions.AI;
using MlaGen.Chat.Tests.Infrastructure;
using MlaGen.Tests.Files;

namespace MlaGen.Chat.Tests;

/// <summary>The conversation in a terminal: what is typed, and what is seen.</summary>
public sealed class ConversationTests
{
    private static readonly string _first = RunningServer.AnswerTo("Hello", seed: 7);

    [Fact]
    public async Task What_was_said_goes_with_what_is_said()
    {
        Script terminal = new("Hello", "", "More", "/quit", "never");
        await RunAsync(terminal);

        string second = WordClient.Answer(WordClient.Text(("user", "Hello"), ("assistant", _first), ("user", "More")), seed: 7);
        Assert.Equal([_first, second], terminal.Answers);
        Assert.Equal(1, terminal.Left);
        Assert.Empty(terminal.Problems);
    }

    [Fact]
    public async Task Saved_conversation_goes_on_in_another_process()
    {
        using TemporaryDirectory directory = new();
        string file = directory.At("a talk.json");
        await RunAsync(new Script("Hello", $"/save {file}"), system: "Be kind.");
        Script resumed = new($"/resume {file}", "/history", "More");
        await RunAsync(resumed);
        Assert.Empty(resumed.Problems);

        string first = WordClient.Answer(WordClient.Text(("system", "Be kind."), ("user", "Hello")), seed: 7);
        Assert.Equal([("system", "Be kind."), ("user", "Hello"), ("assistant", first)], resumed.Shown);
        Assert.Equal([WordClient.Answer(WordClient.Text(("system", "Be kind."), ("user", "Hello"), ("assistant", first), ("user", "More")), seed: 7)], resumed.Answers);
        Assert.Equal([file], Directory.GetFiles(directory.Path));
    }

    [Fact]
    public async Task New_conversation_has_forgotten_and_retry_asks_again()
    {
        Script terminal = new("x", "/new", "Hello", "/retry");
        await RunAsync(terminal);

        Assert.Equal([_first, _first], terminal.Answers[1..]);
    }

    [Theory]
    [InlineData("", "is no file of /save")]
    [InlineData("{}", "is no file of /save")]
    [InlineData("{\"version\": 2}", "this program reads version 1")]
    [InlineData("{\"version\": 1, \"messages\": [null]}", "message 1 of")]
    [InlineData("{\"version\": 1, \"messages\": [{\"role\": \"tool\", \"text\": \"x\"}]}", "message 1 of")]
    [InlineData("[[[[[[[[[[[[[[[[", "is no file of /save")]
    public async Task Bad_file_is_told_and_changes_nothing(string content, string problem)
    {
        using TemporaryDirectory directory = new();
        Script terminal = new($"/resume {directory.Write("x", content)}", "Hello");
        await RunAsync(terminal);

        Assert.Contains(problem, terminal.Problems.Single(), StringComparison.Ordinal);
        Assert.Equal([_first], terminal.Answers);
    }

    [Theory]
    [InlineData("/resume /nowhere/x", "there is no file /nowhere/x")]
    [InlineData("/save /nowhere/x", "there is no directory /nowhere")]
    [InlineData("/save", "/save takes the name of a file")]
    [InlineData("/retry", "nothing was said yet")]
    [InlineData("/exit", "'/exit' is no command")]
    [InlineData("too long", "found 101")]
    public async Task What_cannot_be_done_is_told_and_changes_nothing(string line, string problem)
    {
        Script terminal = new(line, "Hello");
        await RunAsync(terminal);

        Assert.Contains(problem, terminal.Problems.Single(), StringComparison.Ordinal);
        Assert.Equal(_first, terminal.Answers[^1]);
    }

    [Fact]
    public async Task Interrupted_answer_counts_as_far_as_it_came()
    {
        WordClient engine = new();
        Script terminal = new("Hello", "/history");
        Conversation conversation = new(engine, "words", new ChatOptions { Seed = 7 }, null, terminal);
        engine.BeforeWord = (word, cancellation) => word == 3 && conversation.Interrupt() ? Task.Delay(Timeout.Infinite, cancellation) : Task.CompletedTask;
        await conversation.RunAsync();

        string begun = RunningServer.AnswerTo("Hello", seed: 7, words: 3);
        Assert.Equal([begun], terminal.Answers);
        Assert.Equal([("user", "Hello"), ("assistant", begun)], terminal.Shown);
        Assert.Equal("(interrupted)", terminal.Problems.Single());
        Assert.False(conversation.Interrupt());
        Assert.Equal(0, engine.Active);
    }

    private static async Task RunAsync(Script terminal, string? system = null)
    {
        using WordClient engine = new();
        await new Conversation(engine, "words", new ChatOptions { Seed = 7 }, system, terminal).RunAsync();
    }

    /// <summary>A terminal at which lines are typed that are known beforehand.</summary>
    private sealed class Script(params IEnumerable<string> lines) : ITerminal
    {
        private readonly Queue<string> _lines = new(lines);
        private string _answer = "";

        public List<string> Answers { get; } = [];

        public List<string> Problems { get; } = [];

        public List<(string Role, string Text)> Shown { get; } = [];

        public int Left => _lines.Count;

        public bool IsInteractive => false;

        public string? ReadLine() => _lines.TryDequeue(out string? line) ? line : null;

        public void Write(string text) => _answer += text;

        public void EndAnswer()
        {
            Answers.Add(_answer);
            _answer = "";
        }

        public void ShowMessage(string role, string text) => Shown.Add((role, text));

        public void Tell(string text)
        {
        }

        public void TellProblem(string text) => Problems.Add(text);
    }
}
