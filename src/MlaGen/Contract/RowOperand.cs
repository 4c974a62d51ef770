using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>In which form a core reads cached rows.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public enum RowOperand
{
    /// <summary>Rows of floats, one after the other: where they lie, if the cache keeps floats, else decoded once a block.</summary>
    Float32,

    /// <summary>Rows of bfloat16, one after the other: where they lie, if the cache keeps bfloat16, else decoded and rounded once a block.</summary>
    BFloat16,

    /// <summary>Rows of bfloat16 where they lie or gathered, and of no other cache: nothing is rounded.</summary>
    ExactBFloat16,
}
