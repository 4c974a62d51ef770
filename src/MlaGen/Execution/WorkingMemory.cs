namespace MlaGen.Runtime;

/// <summary>All the memory that the steps of a batch work in.</summary>
internal sealed class WorkingMemory
{
    private readonly List<Workspace> _workspaces = [];

    /// <summary>A part of it, still empty.</summary>
    public Workspace Add()
    {
        var workspace = new Workspace();
        _workspaces.Add(workspace);
        return workspace;
    }

    /// <summary>Writes to all that is reserved: the system gives memory at the first write, which can take longer than a step.</summary>
    public void Touch() => _workspaces.ForEach(static workspace => workspace.Clear());
}
