namespace MlaGen;

/// <summary>What one sequence contributes to a step.</summary>
/// <param name="Sequence">The sequence; its block table covers <paramref name="Keys"/> tokens, the new ones included.</param>
/// <param name="FirstRow">Index of its first row in the batch.</param>
/// <param name="Queries">Its rows in the batch.</param>
/// <param name="NewTokens">Tokens it appends: <paramref name="Queries"/>, or 0 where it only asks.</param>
/// <param name="Keys">Tokens it has once the step's rows are written.</param>
internal readonly record struct BatchEntry(LatentSequence Sequence, int FirstRow, int Queries, int NewTokens, int Keys)
{
    /// <summary><see cref="Accepted"/> of a tree of which no path was chosen yet.</summary>
    public const int NothingChosen = -1;

    /// <summary>Whether the new tokens are a tree: which of them a query sees is then in <see cref="MlaBatch.VisibleNewTokens"/>.</summary>
    public bool IsTree { get; init; }

    /// <summary>New tokens that committing takes over.</summary>
    public int Accepted { get; init; } = NewTokens;

    /// <summary>Whether every query sees every key, instead of those up to its own place.</summary>
    public bool SeesAll { get; init; }

    /// <summary>Tokens that the sequence has already.</summary>
    public int CommittedKeys => Keys - NewTokens;

    /// <summary>Its first rows alone, as if it had no others.</summary>
    public BatchEntry First(int queries) => this with { Queries = queries, NewTokens = queries, Keys = Keys - (Queries - queries) };

    /// <summary>What is left without its first rows.</summary>
    public BatchEntry From(int queries) => this with { FirstRow = FirstRow + queries, Queries = Queries - queries, NewTokens = NewTokens - queries };

    /// <summary>Keys that a query of this entry, which is no tree, sees: all, or causal with the last query aligned to the last key.</summary>
    public int VisibleKeys(int query) => SeesAll ? Keys : Math.Max(0, Keys - Queries + query + 1);
}
