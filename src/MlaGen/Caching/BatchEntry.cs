namespace MlaGen;

/// <summary>What one sequence contributes to a step.</summary>
/// <param name="Sequence">The sequence; its block table covers <paramref name="Keys"/> tokens, the new ones included.</param>
/// <param name="FirstRow">Index of its first row in the batch.</param>
/// <param name="Queries">Its rows in the batch.</param>
/// <param name="NewTokens">Tokens it appends: <paramref name="Queries"/>, or 0 where it only asks.</param>
/// <param name="Keys">Tokens it has once the step's rows are written.</param>
internal readonly record struct BatchEntry(LatentSequence Sequence, int FirstRow, int Queries, int NewTokens, int Keys)
{
    /// <summary>Keys that a query of this entry sees: causal, with the last query aligned to the last key.</summary>
    public int VisibleKeys(int query) => Math.Max(0, Keys - Queries + query + 1);
}
