using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

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

    /// <summary>Panels that many rows are multiplied with at once at most, a multiple of <see cref="ProjectionKernels.TiledPanels"/>.</summary>
    public virtual int MostPanels => ProjectionKernels.TiledPanels;

    /// <summary>Rows that go through the largest tiles and leave none for smaller ones.</summary>
    protected virtual int WholeRows => 12;

    /// <summary>Floats of scratch that <see cref="MultiplyRows"/> needs.</summary>
    public virtual int ScratchLength => ProjectionKernels.ScratchLength;

    /// <summary>Rows of a chunk when as few chunks as possible share out so many rows evenly, in whole tiles; all of them if they are few.</summary>
    public int ChunkRows(int rows)
    {
        if (rows < ProjectionKernels.TiledRows)
        {
            return rows;
        }

        long chunks = ((long)rows + ProjectionKernels.MostChunkRows - 1) / ProjectionKernels.MostChunkRows;
        return (int)Math.Min(ProjectionKernels.MostChunkRows, ((((rows + chunks - 1) / chunks) + WholeRows - 1) / WholeRows) * WholeRows);
    }

    /// <summary>Panels of a unit of many rows: as many as leave enough units for the threads.</summary>
    public int UnitPanels(PackedMatrix matrix, int threads)
    {
        const int UnitsPerThread = 4;
        int groups = threads == 1
            ? ProjectionKernels.Units(matrix.PanelCount, ProjectionKernels.TiledPanels * ProjectionKernels.Units(matrix.PanelCount, MostPanels))
            : matrix.PanelCount / (ProjectionKernels.TiledPanels * UnitsPerThread * threads);
        return Math.Clamp(groups * ProjectionKernels.TiledPanels, ProjectionKernels.TiledPanels, MostPanels);
    }

    /// <summary>Why the system does not let it run, or null if it does.</summary>
    public virtual string? Refusal => null;

    /// <summary>Why it does not take weights of a format, or so many bytes of them, or null if it does.</summary>
    public abstract string? RefusalOf(PanelProducts format, long bytes);

    /// <summary>
    /// Multiplies up to <see cref="ProjectionKernels.MostChunkRows"/> packed rows with up to <see cref="MostPanels"/> panels; only a last chunk of many has fewer than
    /// <see cref="ProjectionKernels.TiledRows"/>.
    /// </summary>
    /// <param name="matrix">The weights.</param>
    /// <param name="firstPanel">First panel of the range.</param>
    /// <param name="outputs">Outputs of the range, counted from its first panel.</param>
    /// <param name="packed">What <see cref="Packing"/> wrote.</param>
    /// <param name="rows">Rows packed there.</param>
    /// <param name="result">Output of the first row.</param>
    /// <param name="stride">Elements from a row of outputs to the next.</param>
    /// <param name="scratch"><see cref="ScratchLength"/> floats.</param>
    public abstract void MultiplyRows(PackedMatrix matrix, int firstPanel, int outputs, ref float packed, int rows, ref float result, nint stride, ref float scratch);

    /// <summary>Multiplies one of fewer than <see cref="ProjectionKernels.TiledRows"/> rows with a range of panels, which are streamed from memory.</summary>
    /// <param name="matrix">The weights.</param>
    /// <param name="firstPanel">First panel of the range.</param>
    /// <param name="inputs">The rows: as <see cref="Packing"/> wrote them if it packs few rows, and else as they are.</param>
    /// <param name="rows">Rows there are.</param>
    /// <param name="row">Which of them.</param>
    /// <param name="result">Takes one sum an output of the range; its length says where the range ends.</param>
    public abstract void MultiplyRow(PackedMatrix matrix, int firstPanel, ref float inputs, int rows, int row, Span<float> result);

    /// <summary>Floats of scratch that <see cref="MultiplyTransposed"/> needs.</summary>
    /// <param name="outputs">Outputs of the range.</param>
    public abstract int TransposedScratchLength(int outputs);

    /// <summary>
    /// Multiplies up to <see cref="ProjectionKernels.MostChunkRows"/> rows with the transpose of a range of panels: <c>result[row][k] = Σ inputs[row][i] · weight[i][k]</c>,
    /// for outputs i of the range. It is the absorption of a head's key projection into its queries.
    /// </summary>
    /// <param name="matrix">The weights.</param>
    /// <param name="firstPanel">First panel of the range.</param>
    /// <param name="outputs">Outputs of the range.</param>
    /// <param name="inputs">First row: an element for each output.</param>
    /// <param name="inputStride">Elements from a row to the next.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="result">Takes the sums of the first row, <see cref="PackedMatrix.Columns"/> of them.</param>
    /// <param name="stride">Elements from the sums of a row to those of the next.</param>
    /// <param name="packed">Floats for the rows, as many as <see cref="RowPacking.Length"/> has for whole panels of outputs.</param>
    /// <param name="scratch"><see cref="TransposedScratchLength"/> floats.</param>
    public abstract void MultiplyTransposed(
        PackedMatrix matrix, int firstPanel, int outputs, ref float inputs, nint inputStride, int rows, ref float result, nint stride, ref float packed, ref float scratch);

    /// <summary>Multiplies up to <see cref="ProjectionKernels.MostChunkRows"/> rows, few or many, with a range of panels, and packs them for it, all on the calling thread.</summary>
    /// <param name="matrix">The weights.</param>
    /// <param name="firstPanel">First panel of the range.</param>
    /// <param name="outputs">Outputs of the range, counted from its first panel.</param>
    /// <param name="inputs">First row.</param>
    /// <param name="inputStride">Elements from a row to the next.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="result">Output of the first row.</param>
    /// <param name="stride">Elements from a row of outputs to the next.</param>
    /// <param name="packed">Floats for the rows, as many as <see cref="RowPacking.Length"/> has.</param>
    /// <param name="scratch"><see cref="ScratchLength"/> floats.</param>
    /// <remarks>The weights of a few outputs stay in a cache from row to row, so that it takes more rows than elsewhere until packing them is worth it.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Multiply(
        PackedMatrix matrix, int firstPanel, int outputs, ref float inputs, nint inputStride, int rows, ref float result, nint stride, ref float packed, ref float scratch)
    {
        const int WholeTile = 12;
        bool isTiled = rows >= (Packing.PacksFewRows ? ProjectionKernels.TiledRows : WholeTile);
        bool isPacked = isTiled || Packing.PacksFewRows;
        if (isPacked)
        {
            Packing.Pack(ref inputs, inputStride, rows, matrix.Columns, ref packed);
        }

        if (isTiled)
        {
            int most = MostPanels * PackedMatrix.PanelWidth;
            for (int first = 0; first < outputs; first += most)
            {
                MultiplyRows(matrix, firstPanel + (first / PackedMatrix.PanelWidth), Math.Min(most, outputs - first), ref packed, rows, ref Unsafe.Add(ref result, first), stride, ref scratch);
            }

            return;
        }

        for (int row = 0; row < rows; row++)
        {
            Span<float> sums = MemoryMarshal.CreateSpan(ref Unsafe.Add(ref result, row * stride), outputs);
            if (isPacked)
            {
                MultiplyRow(matrix, firstPanel, ref packed, rows, row, sums);
            }
            else
            {
                MultiplyRow(matrix, firstPanel, ref Unsafe.Add(ref inputs, row * inputStride), 1, 0, sums);
            }
        }
    }
}
