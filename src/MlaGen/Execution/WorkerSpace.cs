namespace MlaGen.Runtime;

/// <summary>Memory of one thread of a step.</summary>
internal sealed class WorkerSpace
{
    /// <summary>Cached rows of a block, decoded or gathered from several pages.</summary>
    public Workspace Rows { get; } = new();

    /// <summary>The same for tokens that do not lie beside each other: of a path through a tree.</summary>
    public Workspace PathRows { get; } = new();

    /// <summary>Queries, packed.</summary>
    public Workspace Queries { get; } = new();

    /// <summary>Scores of a block.</summary>
    public Workspace Scores { get; } = new();

    /// <summary>Sums over parts of a row, one for each level of the tree that they are folded in.</summary>
    public Workspace Sums { get; } = new();

    /// <summary>Unnormalised outputs.</summary>
    public Workspace Output { get; } = new();

    /// <summary>Running maxima and sums of softmax.</summary>
    public Workspace Statistics { get; } = new();

    /// <summary>Decompressed keys.</summary>
    public Workspace Keys { get; } = new();

    /// <summary>Decompressed values.</summary>
    public Workspace Values { get; } = new();

    /// <summary>Rows packed for a product.</summary>
    public Workspace Packed { get; } = new();

    /// <summary>What a product needs beside its inputs and outputs.</summary>
    public Workspace Product { get; } = new();

    /// <summary>Visible keys of each query of a tile.</summary>
    public Workspace Limits { get; } = new();
}
