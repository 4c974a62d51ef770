using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>What the sparse indexer of a class is to the runtime. Emitted once a class that has one.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class IndexerDefinition
{
    /// <summary>Keys that a query attends to at most.</summary>
    public required int TopK { get; init; }

    /// <summary>Index heads, whose scores are summed.</summary>
    public required int Heads { get; init; }

    /// <summary>Width of an index head's query, and of the one index key.</summary>
    public required int HeadDim { get; init; }

    /// <summary>Which elements of the rotary part are turned together.</summary>
    public required RopeLayout RopeLayout { get; init; }

    /// <summary>Whether the rotary part is the last one of query and key; else it is the first.</summary>
    public required bool RotatesLast { get; init; }

    /// <summary>Epsilon of the index key's norm.</summary>
    public required double NormEpsilon { get; init; }

    /// <summary>Neighbouring tokens whose keys are pooled to one, which is scored and selected in their place; 0 for none.</summary>
    public int PoolTokens { get; init; }

    /// <summary>For each layer of the model F if it has an indexer, S if it attends to what an earlier one has selected; empty where all have one.</summary>
    public string Pattern { get; init; } = "";

    /// <summary>Whether layers may be without an indexer of their own.</summary>
    internal bool IsShared => Pattern.Length > 0;

    /// <summary>Numbers that the cache keeps of a token for the indexer: its key, and what pooling weighs it by.</summary>
    internal int KeyElements => PoolTokens == 0 ? HeadDim : 2 * HeadDim;

    /// <summary>Tokens that are selected together.</summary>
    internal int UnitTokens => Math.Max(1, PoolTokens);

    /// <summary>Units that a query selects at most.</summary>
    internal int Units => TopK / UnitTokens;

    /// <summary>Tokens up to which a query attends to all that it sees: to all whole units, and to the tokens behind the last one.</summary>
    internal int MostUnselected => ((Units + 1) * UnitTokens) - 1;
}
