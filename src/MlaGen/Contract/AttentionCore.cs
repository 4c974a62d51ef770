using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>
/// An attention core: the emitted code that does the work of one block, and what the engine must know to choose and to feed it. Adding one takes
/// an emitter for it and, if it reads rows or takes queries in a form that no other does, that form; the engine does not change.
/// </summary>
/// <param name="target">What it needs of the machine.</param>
/// <param name="operand">In which form it reads rows.</param>
/// <remarks>Immutable, and so safe for any number of threads.</remarks>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class AttentionCore(CoreTarget target, RowOperand operand)
{
    /// <summary>What it needs of the machine.</summary>
    public CoreTarget Target { get; } = target;

    /// <summary>In which form it reads rows.</summary>
    public RowOperand Operand { get; } = operand;

    /// <summary>How exactly it multiplies.</summary>
    public virtual MlaPrecision Precision => MlaPrecision.Highest;

    /// <summary>Why it cannot run in this process although the machine has what it needs, or null if it can.</summary>
    internal virtual string? Refusal => null;
}
