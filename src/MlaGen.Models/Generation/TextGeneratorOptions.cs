namespace MlaGen.Models;

/// <summary>Limits of a <see cref="TextGenerator"/>.</summary>
public sealed record TextGeneratorOptions
{
    private const int MostDraftTokens = 4096;

    /// <summary>Tokens of all requests together that the cache has room for.</summary>
    public long CacheTokens { get; init; } = 16384;

    /// <summary>Format, page size and memory of the cache.</summary>
    public LatentCacheOptions? Cache { get; init; }

    /// <summary>What steps run on; <see langword="null"/> for <see cref="MlaExecutor.Shared"/>.</summary>
    public MlaExecutor? Executor { get; init; }

    /// <summary>Requests that take part in steps at most.</summary>
    public int MaxActive { get; init; } = 32;

    /// <summary>Requests that wait for their turn at most; more are refused.</summary>
    public int MaxWaiting { get; init; } = 1024;

    /// <summary>
    /// Tokens of a prompt that go through the model at a time. Prompts are cut at multiples of it, wherever else their tokens may come from: what is generated
    /// does not depend on who else takes part.
    /// </summary>
    public int PromptChunk { get; init; } = 256;

    /// <summary>Tokens of prompts that a step takes beside the requests that generate, in whole chunks; one chunk at least.</summary>
    public int PromptTokensPerStep { get; init; } = 512;

    /// <summary>Whether prompts start from what they have in common with earlier ones.</summary>
    public bool SharePrefixes { get; init; } = true;

    /// <summary>
    /// Candidates for coming tokens that a step verifies beside the tokens it is for, those of all requests together; 0 for none. A text proposes to go on as it did
    /// before, where its last tokens stood (prompt lookup decoding): what quotes or repeats comes several tokens a step. What is generated is the same with any number.
    /// </summary>
    public int DraftTokens { get; init; }

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(CacheTokens, nameof(CacheTokens));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(MaxActive, nameof(MaxActive));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(MaxWaiting, nameof(MaxWaiting));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(PromptChunk, nameof(PromptChunk));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(PromptTokensPerStep, nameof(PromptTokensPerStep));
        ArgumentOutOfRangeException.ThrowIfNegative(DraftTokens, nameof(DraftTokens));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(DraftTokens, MostDraftTokens, nameof(DraftTokens));
    }
}
