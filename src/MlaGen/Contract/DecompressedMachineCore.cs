using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>
/// A decompressed core whose products, those that make keys and values included, are machine code that the generator assembled; its softmax is managed.
/// Queries lie in lanes from beginning to end: values and sums of values are turned in their place.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class DecompressedMachineCore : DecompressedCore
{
    private readonly WrittenRoutines _routines = new();

    /// <summary>Describes the core.</summary>
    /// <param name="target">What it needs of the machine.</param>
    /// <param name="precision">How exactly it multiplies.</param>
    /// <param name="operand">In which form it reads rows.</param>
    /// <param name="layout">Sizes of the memory that it works on.</param>
    protected DecompressedMachineCore(CoreTarget target, MlaPrecision precision, RowOperand operand, DecompressedLayout layout)
        : base(target, operand, layout) => Precision = precision;

    /// <summary>Its products, in the order of their routines.</summary>
    internal enum Product
    {
        Keys,
        Values,
        Scores,
        Sums,
    }

    /// <inheritdoc/>
    public sealed override MlaPrecision Precision { get; }

    /// <summary>Keys of a head but for their rotary part, from latents and weights.</summary>
    protected abstract MachineRoutine Keys { get; }

    /// <summary>Turned values of a head, from weights and latents.</summary>
    protected abstract MachineRoutine Values { get; }

    /// <summary>Scores of a panel of queries.</summary>
    protected abstract MachineRoutine Scores { get; }

    /// <summary>Turned sums of values, added to those so far.</summary>
    protected abstract MachineRoutine Sums { get; }

    internal sealed override string? Refusal => _routines.TryWrite(
        this, static core => [WrittenRoutines.Copy(core.Keys), WrittenRoutines.Copy(core.Values), WrittenRoutines.Copy(core.Scores), WrittenRoutines.Copy(core.Sums)]);

    /// <summary>Bytes of the routine of a product.</summary>
    internal byte[] Code(Product product) => (product switch
    {
        Product.Keys => Keys,
        Product.Values => Values,
        Product.Scores => Scores,
        _ => Sums,
    }).Code.ToArray();

    /// <summary>Where the routine of a product is called.</summary>
    private protected nint Routine(Product product) => _routines[(int)product];
}
