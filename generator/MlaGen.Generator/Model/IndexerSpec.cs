namespace MlaGen.Generator.Model;

/// <summary>A sparse indexer as configured.</summary>
/// <param name="TopK">Keys that a query attends to at most.</param>
/// <param name="Heads">Index heads.</param>
/// <param name="HeadDim">Width of an index head's query, and of the one index key.</param>
/// <param name="RopeLayout">Which elements of the rotary part are turned together.</param>
/// <param name="RopeLast">Whether the rotary part is the last one; else the first.</param>
/// <param name="NormEpsilon">Epsilon of the index key's norm.</param>
/// <param name="PoolTokens">Neighbouring tokens whose keys are pooled, 0 for none.</param>
/// <param name="Pattern">For each layer of the model F if it has an indexer, S if it shares what an earlier one has selected; empty where all have one.</param>
internal sealed record IndexerSpec(int TopK, int Heads, int HeadDim, RopeLayout RopeLayout, bool RopeLast, double NormEpsilon, int PoolTokens, string Pattern)
{
    public const char Full = 'F';

    public const char Shared = 'S';

    /// <summary>Whether layers may be without an indexer of their own.</summary>
    public bool IsShared => Pattern.Length > 0;
}
