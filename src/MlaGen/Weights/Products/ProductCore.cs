namespace MlaGen.Runtime;

/// <summary>
/// How rows are multiplied with packed matrices: what that needs of the machine, and how exactly it is done. A row has the same bits alone and among any number
/// of others, on any core.
/// </summary>
internal abstract class ProductCore
{
    /// <summary>What it needs of the machine.</summary>
    public abstract CoreTarget Target { get; }

    /// <summary>How exactly it multiplies.</summary>
    public abstract MlaPrecision Precision { get; }

    /// <summary>How it takes rows.</summary>
    public abstract RowPacking Packing { get; }

    /// <summary>Whether many rows are multiplied on threads of the executor's own alone.</summary>
    public bool IsApart => Target == CoreTarget.Amx;

    /// <summary>Why the system does not let it run, or null if it does.</summary>
    public virtual string? Refusal => null;

    /// <summary>Why it does not take weights of a format, or null if it does.</summary>
    public abstract string? RefusalOf(PanelProducts format);

    /// <summary>Multiplies up to <see cref="ProjectionKernels.MostChunkRows"/> packed rows, but not fewer than <see cref="ProjectionKernels.TiledRows"/>, with up to <see cref="ProjectionKernels.TiledPanels"/> panels.</summary>
    /// <param name="matrix">The weights.</param>
    /// <param name="firstPanel">First panel of the range.</param>
    /// <param name="outputs">Outputs of the range, counted from its first panel.</param>
    /// <param name="packed">What <see cref="Packing"/> wrote.</param>
    /// <param name="rows">Rows packed there.</param>
    /// <param name="result">Output of the first row.</param>
    /// <param name="stride">Elements from a row of outputs to the next.</param>
    /// <param name="scratch"><see cref="ProjectionKernels.ScratchLength"/> floats.</param>
    public abstract void MultiplyRows(PackedMatrix matrix, int firstPanel, int outputs, ref float packed, int rows, ref float result, nint stride, ref float scratch);

    /// <summary>Multiplies one of fewer than <see cref="ProjectionKernels.TiledRows"/> rows with a range of panels, which are streamed from memory.</summary>
    /// <param name="matrix">The weights.</param>
    /// <param name="firstPanel">First panel of the range.</param>
    /// <param name="inputs">The rows: as <see cref="Packing"/> wrote them if it packs few rows, and else as they are.</param>
    /// <param name="rows">Rows there are.</param>
    /// <param name="row">Which of them.</param>
    /// <param name="result">Takes one sum an output of the range; its length says where the range ends.</param>
    public abstract void MultiplyRow(PackedMatrix matrix, int firstPanel, ref float inputs, int rows, int row, Span<float> result);
}
