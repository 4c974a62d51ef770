namespace MlaGen.Runtime;

/// <summary>
/// Products of rows with a matrix whose panels have one format, on this process's tier: chosen once, when the matrix is packed.
/// </summary>
internal abstract class PanelProducts
{
    /// <summary>The format's name in files.</summary>
    public abstract string Name { get; }

    /// <summary>Type of the elements.</summary>
    public abstract TensorType Type { get; }

    /// <summary>How the format is asked for.</summary>
    public abstract WeightFormat Format { get; }

    /// <summary>Whether it is the one format that holds elements of its type as they are stored.</summary>
    public bool IsStored => Format == WeightFormat.Stored && Type != TensorType.Int32;

    /// <summary>The products of a format, for this process's tier.</summary>
    /// <typeparam name="F">The format.</typeparam>
    public static PanelProducts Of<F>()
        where F : struct, IPanelFormat => SimdTiers.Current switch
        {
            SimdTier.Vector512 => new PanelProducts<Lanes512, F>(),
            SimdTier.Vector256 => new PanelProducts<Lanes256, F>(),
            SimdTier.Vector128 => new PanelProducts<Lanes128, F>(),
            _ => new PanelProducts<Lanes1, F>(),
        };

    /// <summary>Bytes of a row as <see cref="Pack"/> takes it.</summary>
    public abstract int RowBytes(int columns);

    /// <summary>Bytes of a panel.</summary>
    public abstract long PanelBytes(int columns);

    /// <summary>Packs <see cref="PackedMatrix.PanelWidth"/> rows into a panel.</summary>
    public abstract void Pack(ReadOnlySpan<byte> rows, int columns, Span<byte> panel);

    /// <summary>Multiplies up to <see cref="ProjectionKernels.MostChunkRows"/> packed rows with a range of panels.</summary>
    /// <param name="matrix">The weights.</param>
    /// <param name="firstPanel">First panel of the range.</param>
    /// <param name="outputs">Outputs of the range, counted from its first panel.</param>
    /// <param name="packed">What <see cref="RowPacking.Pack"/> wrote.</param>
    /// <param name="rows">Rows packed there.</param>
    /// <param name="result">Output of the first row.</param>
    /// <param name="stride">Elements from a row of outputs to the next.</param>
    /// <param name="scratch"><see cref="ProjectionKernels.ScratchLength"/> floats.</param>
    /// <param name="wholeTiles">Whether <paramref name="result"/> may be written by whole tiles: it has room for a multiple of 12 rows, each for a multiple of 32 outputs, and what is beyond those asked for may be anything.</param>
    public abstract void MultiplyPacked(PackedMatrix matrix, int firstPanel, int outputs, ref readonly float packed, int rows, ref float result, nint stride, ref float scratch, bool wholeTiles);

    /// <summary>Multiplies one row with a range of panels.</summary>
    /// <param name="matrix">The weights.</param>
    /// <param name="firstPanel">First panel of the range.</param>
    /// <param name="row">The inputs.</param>
    /// <param name="result">Takes one sum an output of the range; its length says where the range ends.</param>
    public abstract void MultiplyRow(PackedMatrix matrix, int firstPanel, ref readonly float row, Span<float> result);

    /// <summary>Reads the weights of an output.</summary>
    /// <param name="matrix">The weights.</param>
    /// <param name="panel">The panel of the output.</param>
    /// <param name="lane">Its place there.</param>
    /// <param name="weights">Takes <see cref="PackedMatrix.Columns"/> weights.</param>
    public abstract void ReadRow(PackedMatrix matrix, int panel, int lane, Span<float> weights);

    /// <summary>
    /// Multiplies rows with the transpose of a range of panels: <c>result[row][k] = Σ rows[row][i] · weight[i][k]</c>, for outputs i of the range.
    /// It is the absorption of a head's key projection into its queries.
    /// </summary>
    /// <param name="matrix">The weights.</param>
    /// <param name="firstPanel">First panel of the range.</param>
    /// <param name="rows">Of each row one input for each output of the range, padded with zeros to whole panels.</param>
    /// <param name="count">Rows.</param>
    /// <param name="panels">Panels of the range.</param>
    /// <param name="result">Takes <see cref="PackedMatrix.Columns"/> sums of the first row.</param>
    /// <param name="stride">Elements from the sums of a row to those of the next.</param>
    public abstract void MultiplyTransposed(PackedMatrix matrix, int firstPanel, ref readonly float rows, int count, int panels, ref float result, nint stride);

    /// <summary>Writes a panel as floats, <c>[depth][<see cref="PackedMatrix.PanelWidth"/>]</c>.</summary>
    /// <param name="matrix">The weights.</param>
    /// <param name="panel">Which panel.</param>
    /// <param name="widened">Takes the floats.</param>
    public abstract void WidenPanel(PackedMatrix matrix, int panel, ref float widened);
}
