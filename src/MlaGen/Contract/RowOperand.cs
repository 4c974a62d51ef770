using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>In which form a core reads cached rows.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public enum RowOperand
{
    /// <summary>Rows of floats, one after the other: where they lie, if the cache keeps floats, else decoded once a block.</summary>
    Float32,
}
