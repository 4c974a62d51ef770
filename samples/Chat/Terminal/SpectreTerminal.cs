using Samples;
using Spectre.Console;

namespace Chat.Terminal;

/// <summary>A terminal, or a pipe in its place: then answers alone go to standard output, as they are, and all else to standard error.</summary>
internal sealed class SpectreTerminal(TextReader input, PlainWriter output, PlainWriter error, IAnsiConsole console, bool isInteractive) : ITerminal
{
    public bool IsInteractive => isInteractive;

    public string? ReadLine()
    {
        if (isInteractive)
        {
            console.Markup("[bold blue]>[/] ");
        }

        return input.ReadLine();
    }

    public void Write(string text)
    {
        output.Write(text);
        output.Flush();
    }

    public void EndAnswer()
    {
        if (!output.IsAtLineStart)
        {
            output.WriteLine();
        }
    }

    public void ShowMessage(string role, string text)
    {
        if (isInteractive)
        {
            console.Write(new Rule(Markup.Escape(role)) { Justification = Justify.Left, Style = Style.Parse("grey") });
        }

        output.WriteLine(text);
    }

    public void Tell(string text) => Tell(text, "grey");

    public void TellProblem(string text) => Tell(text, "red");

    private void Tell(string text, string style)
    {
        string plain = string.Join('\n', text.Split('\n').Select(PlainText.Line));
        if (isInteractive)
        {
            console.MarkupLine($"[{style}]{Markup.Escape(plain)}[/]");
        }
        else
        {
            error.WriteLine(plain);
        }
    }
}
