using MlaGen;

namespace Storyteller;

/// <summary>What the command line asks for.</summary>
/// <param name="Model">Directory of the model.</param>
/// <param name="Cache">How the cache stores a row.</param>
/// <param name="Precision">How exactly attention multiplies.</param>
/// <param name="Prompts">The texts that stories begin with; none if no such option was given.</param>
/// <param name="PromptFile">File that holds such a text, or <see langword="null"/>.</param>
/// <param name="ResumeFile">File of stories to go on with, or <see langword="null"/>.</param>
/// <param name="SaveFile">File that the stories are written to in the end, or <see langword="null"/>.</param>
/// <param name="RecallFile">File of stories with questions to score instead of telling a story, or <see langword="null"/>.</param>
/// <param name="MaxTokens">Tokens to generate at most, for each story.</param>
/// <param name="Threads">Threads to compute on.</param>
/// <param name="Temperature">0 for the most likely token each time; <see langword="null"/> if not given.</param>
/// <param name="Seed">Start of the random choices; <see langword="null"/> if not given.</param>
/// <param name="Chunk">Tokens of the prompt that go through the model at a time; 0 for all.</param>
/// <param name="IgnoreEnd">Whether to go on past <c>&lt;|end|&gt;</c>.</param>
/// <param name="Quiet">Whether to print the result alone.</param>
internal sealed record StoryOptions(
    string Model,
    CacheFormat Cache,
    MlaPrecision Precision,
    string[] Prompts,
    string? PromptFile,
    string? ResumeFile,
    string? SaveFile,
    string? RecallFile,
    int MaxTokens,
    int Threads,
    double? Temperature,
    int? Seed,
    int Chunk,
    bool IgnoreEnd,
    bool Quiet)
{
    /// <summary>Whether the user says how the stories begin.</summary>
    public bool IsBeginningGiven => Prompts.Length > 0 || PromptFile is not null || ResumeFile is not null;
}
