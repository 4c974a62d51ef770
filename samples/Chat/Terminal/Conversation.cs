using System.Text;
using Microsoft.Extensions.AI;
using MlaGen.Models;
using Samples;

namespace Chat.Terminal;

/// <summary>A conversation in a terminal: what is typed goes to the model with all that was said before, unless it begins with a slash.</summary>
/// <param name="client">What answers.</param>
/// <param name="model">The model's name.</param>
/// <param name="options">How it is to answer.</param>
/// <param name="system">What the model is told before anything is said, or <see langword="null"/>.</param>
/// <param name="terminal">Where it is typed and read.</param>
internal sealed class Conversation(IChatClient client, string model, ChatOptions options, string? system, ITerminal terminal)
{
    private const string Help = """
        /save FILE    keeps the conversation in a file
        /resume FILE  goes on with a conversation of /save
        /history      shows what was said
        /retry        has the last answer given once more
        /new          begins anew
        /quit         ends; so does the end of input
        Ctrl+C ends an answer.
        """;

    private readonly object _lock = new();
    private List<ChatMessage> _messages = Beginning(system);
    private CancellationTokenSource? _answering;

    /// <summary>Goes on until the end of input or /quit.</summary>
    public async Task RunAsync()
    {
        terminal.Tell($"{model}. /help lists what else you can type.");
        while (terminal.ReadLine() is { } line)
        {
            if (line.StartsWith('/'))
            {
                if (!await CommandAsync(line))
                {
                    return;
                }
            }
            else if (!string.IsNullOrWhiteSpace(line))
            {
                _messages.Add(new ChatMessage(ChatRole.User, line));
                await AnswerAsync();
            }
        }
    }

    /// <summary>Ends the answer that is being given.</summary>
    /// <returns>Whether there was one.</returns>
    public bool Interrupt()
    {
        lock (_lock)
        {
            _answering?.Cancel();
            return _answering is not null;
        }
    }

    private static List<ChatMessage> Beginning(string? system) => system is null ? [] : [new ChatMessage(ChatRole.System, system)];

    /// <returns>Whether the conversation goes on.</returns>
    private async Task<bool> CommandAsync(string line)
    {
        int space = line.IndexOf(' ', StringComparison.Ordinal);
        string command = space < 0 ? line : line[..space];
        string argument = space < 0 ? "" : line[(space + 1)..].Trim();
        try
        {
            switch (command)
            {
                case "/quit":
                    return false;
                case "/help":
                    terminal.Tell(Help);
                    break;
                case "/new":
                    _messages = Beginning(system);
                    terminal.Tell("A new conversation.");
                    break;
                case "/history":
                    _messages.ForEach(message => terminal.ShowMessage(message.Role.Value, message.Text));
                    break;
                case "/retry":
                    await RetryAsync();
                    break;
                case "/save":
                    Transcript.Save(FileOf(argument, command), model, _messages);
                    terminal.Tell($"{Counted.Of(_messages.Count, "message")} saved in {argument}.");
                    break;
                case "/resume":
                    _messages = Transcript.Load(FileOf(argument, command));
                    terminal.Tell($"{Counted.Of(_messages.Count, "message")} resumed from {argument}.");
                    break;
                default:
                    terminal.TellProblem($"'{command}' is no command; /help lists them.");
                    break;
            }
        }
        catch (Exception problem) when (problem is UserException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            terminal.TellProblem(problem.Message);
        }

        return true;
    }

    private static string FileOf(string argument, string command) => argument.Length > 0 ? argument : throw new UserException($"{command} takes the name of a file");

    private async Task RetryAsync()
    {
        int last = _messages.FindLastIndex(static message => message.Role == ChatRole.User);
        if (last < 0)
        {
            throw new UserException("nothing was said yet");
        }

        _messages.RemoveRange(last + 1, _messages.Count - last - 1);
        await AnswerAsync();
    }

    private async Task AnswerAsync()
    {
        using CancellationTokenSource cancellation = new();
        lock (_lock)
        {
            _answering = cancellation;
        }

        StringBuilder answer = new();
        string? problem = null;
        try
        {
            await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(_messages, options, cancellation.Token))
            {
                answer.Append(update.Text);
                terminal.Write(update.Text);
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            problem = "(interrupted)";
        }
        catch (Exception refused) when (refused is ArgumentException or NotSupportedException or ChatTemplateException or IOException or InvalidOperationException)
        {
            problem = refused.Message;
        }
        finally
        {
            lock (_lock)
            {
                _answering = null;
            }
        }

        terminal.EndAnswer();
        if (problem is not null)
        {
            terminal.TellProblem(problem);
        }

        // What was said counts, also where it broke off; what was not answered at all can be said anew.
        if (answer.Length > 0 || problem is null)
        {
            _messages.Add(new ChatMessage(ChatRole.Assistant, answer.ToString()));
        }
        else
        {
            _messages.RemoveAt(_messages.Count - 1);
        }
    }
}
