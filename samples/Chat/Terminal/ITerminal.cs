namespace Chat.Terminal;

/// <summary>Where a conversation is typed and read.</summary>
internal interface ITerminal
{
    /// <summary>Whether a person is there who can see what is asked.</summary>
    bool IsInteractive { get; }

    /// <summary>What is typed next, or <see langword="null"/> at the end.</summary>
    string? ReadLine();

    /// <summary>Shows some of an answer.</summary>
    void Write(string text);

    /// <summary>Ends an answer.</summary>
    void EndAnswer();

    /// <summary>Shows a message of the conversation.</summary>
    void ShowMessage(string role, string text);

    /// <summary>Tells something that is not part of the conversation.</summary>
    void Tell(string text);

    /// <summary>Tells what went wrong.</summary>
    void TellProblem(string text);
}
