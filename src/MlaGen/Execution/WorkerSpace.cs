namespace MlaGen.Runtime;

/// <summary>Memory of one thread of a step.</summary>
/// <param name="memory">What it is part of.</param>
internal sealed class WorkerSpace(WorkingMemory memory)
{
    /// <summary>Cached rows of a block, decoded or gathered from several pages.</summary>
    public Workspace Rows { get; } = memory.Add();

    /// <summary>Queries, packed.</summary>
    public Workspace Queries { get; } = memory.Add();

    /// <summary>Queries of a head and a panel, rotated.</summary>
    public Workspace Rotated { get; } = memory.Add();

    /// <summary>Scores of a block.</summary>
    public Workspace Scores { get; } = memory.Add();

    /// <summary>Sums over parts of a row, one for each level of the tree that they are folded in.</summary>
    public Workspace Sums { get; } = memory.Add();

    /// <summary>Unnormalised outputs.</summary>
    public Workspace Output { get; } = memory.Add();

    /// <summary>Running maxima and sums of softmax.</summary>
    public Workspace Statistics { get; } = memory.Add();

    /// <summary>Decompressed keys.</summary>
    public Workspace Keys { get; } = memory.Add();

    /// <summary>Decompressed values.</summary>
    public Workspace Values { get; } = memory.Add();

    /// <summary>Rows packed for a product.</summary>
    public Workspace Packed { get; } = memory.Add();

    /// <summary>What a product needs beside its inputs and outputs.</summary>
    public Workspace Product { get; } = memory.Add();

    /// <summary>Of each key of a tile a word: which queries of a panel attend to it.</summary>
    public Workspace Seen { get; } = memory.Add();

    /// <summary>Decompressed keys that a panel of queries attends to.</summary>
    public Workspace SelectedKeys { get; } = memory.Add();

    /// <summary>Their values.</summary>
    public Workspace SelectedValues { get; } = memory.Add();

    /// <summary>Weights of the heads in hand, as a product takes them.</summary>
    public Workspace Weights { get; } = memory.Add();

    /// <summary>Of each query of a tile the factor that its sums take at last.</summary>
    public Workspace Shares { get; } = memory.Add();

    /// <summary>Outputs and statistics of a panel of queries of which only one counts.</summary>
    public Workspace Apart { get; } = memory.Add();
}
