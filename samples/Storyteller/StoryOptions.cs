namespace Storyteller;

/// <summary>What the command line asks for.</summary>
/// <param name="Model">Directory of the model.</param>
/// <param name="Prompt">The text that the story begins with, or <see langword="null"/>.</param>
/// <param name="PromptFile">File that holds that text, or <see langword="null"/>.</param>
/// <param name="RecallFile">File of stories with questions to score instead of telling a story, or <see langword="null"/>.</param>
/// <param name="MaxTokens">Tokens to generate at most.</param>
/// <param name="Threads">Threads to compute on.</param>
/// <param name="Temperature">0 for the most likely token each time.</param>
/// <param name="Seed">Start of the random choices.</param>
/// <param name="Chunk">Tokens of the prompt that go through the model at a time; 0 for all.</param>
/// <param name="IgnoreEnd">Whether to go on past <c>&lt;|end|&gt;</c>.</param>
/// <param name="Quiet">Whether to print the result alone.</param>
internal sealed record StoryOptions(
    string Model,
    string? Prompt,
    string? PromptFile,
    string? RecallFile,
    int MaxTokens,
    int Threads,
    double Temperature,
    int Seed,
    int Chunk,
    bool IgnoreEnd,
    bool Quiet);
