using System.Buffers;
using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// A weight matrix <c>[outputs, depth]</c> in the order in which kernels read it: panels of 16 outputs, each panel <c>[depth][16]</c>, so that
/// outputs lie in vector lanes and a panel is one stream. The elements keep the type of the checkpoint.
/// </summary>
/// <remarks>Immutable, and so safe to share between threads.</remarks>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class PackedMatrix
{
    /// <summary>Outputs in a panel: one vector of the widest tier, several of the others.</summary>
    internal const int PanelWidth = 16;

    private const int CacheLineFloats = 16;

    private readonly AlignedBuffer<byte> _panels;

    private PackedMatrix(int rows, int columns, TensorType type, int panelCount)
    {
        Rows = rows;
        Columns = columns;
        Type = type;
        ElementBytes = type == TensorType.Float32 ? sizeof(float) : sizeof(ushort);
        PanelCount = panelCount;
        PanelBytes = checked(columns * PanelWidth * ElementBytes);
        _panels = new AlignedBuffer<byte>(checked(panelCount * PanelBytes));
    }

    /// <summary>Copies rows of the source, row-major.</summary>
    /// <param name="firstRow">First row to copy.</param>
    /// <param name="count">Rows to copy.</param>
    /// <param name="destination">Takes them.</param>
    public delegate void RowReader(int firstRow, int count, Span<byte> destination);

    /// <summary>Outputs.</summary>
    public int Rows { get; }

    /// <summary>Inputs: the length of the sums.</summary>
    public int Columns { get; }

    /// <summary>Type of the elements: <see cref="TensorType.Float32"/>, <see cref="TensorType.Float16"/> or <see cref="TensorType.BFloat16"/>.</summary>
    public TensorType Type { get; }

    /// <summary>Bytes of the packed elements, padding included.</summary>
    public long Bytes => (long)PanelCount * PanelBytes;

    internal int ElementBytes { get; }

    internal int PanelCount { get; }

    internal int PanelBytes { get; }

    /// <summary>Panels that <paramref name="rows"/> outputs take.</summary>
    internal static int PanelsFor(int rows) => (rows + PanelWidth - 1) / PanelWidth;

    /// <summary>Packs a matrix.</summary>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="type">Type of the elements as they are read.</param>
    /// <param name="read">Reads rows of the matrix.</param>
    /// <param name="groups">Numbers of rows, repeated until the matrix ends, that start on a panel of their own; none for one group of all rows.</param>
    /// <returns>The packed matrix.</returns>
    public static PackedMatrix Pack(int rows, int columns, TensorType type, RowReader read, params ReadOnlySpan<int> groups)
    {
        ArgumentNullException.ThrowIfNull(read);
        if (type is not (TensorType.Float32 or TensorType.Float16 or TensorType.BFloat16))
        {
            throw new ArgumentOutOfRangeException(nameof(type), type, "A packed matrix holds Float32, Float16 or BFloat16.");
        }

        if (groups.IsEmpty)
        {
            groups = new int[] { rows };
        }

        int panelCount = 0;
        for (int row = 0, group = 0; row < rows; row += groups[group], group = (group + 1) % groups.Length)
        {
            panelCount += PanelsFor(groups[group]);
        }

        var matrix = new PackedMatrix(rows, columns, type, panelCount);
        byte[] staging = new byte[PanelWidth * columns * matrix.ElementBytes];
        int panel = 0;
        for (int row = 0, group = 0; row < rows; row += groups[group], group = (group + 1) % groups.Length)
        {
            for (int first = 0; first < groups[group]; first += PanelWidth, panel++)
            {
                int count = Math.Min(PanelWidth, groups[group] - first);
                read(row + first, count, staging.AsSpan(0, count * columns * matrix.ElementBytes));
                staging.AsSpan(count * columns * matrix.ElementBytes).Clear();
                Span<byte> destination = matrix._panels.Span.Slice(panel * matrix.PanelBytes, matrix.PanelBytes);
                if (matrix.ElementBytes == sizeof(float))
                {
                    Transpose<uint>(staging, columns, destination);
                }
                else
                {
                    Transpose<ushort>(staging, columns, destination);
                }
            }
        }

        return matrix;
    }

    /// <summary>Packs a matrix of floats, row-major <c>[rows, columns]</c>.</summary>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="values">The elements.</param>
    /// <param name="groups">As for <see cref="Pack(int, int, TensorType, RowReader, ReadOnlySpan{int})"/>.</param>
    /// <returns>The packed matrix.</returns>
    /// <exception cref="ArgumentException"><paramref name="values"/> is not <c>rows · columns</c> long.</exception>
    public static PackedMatrix Pack(int rows, int columns, ReadOnlyMemory<float> values, params ReadOnlySpan<int> groups)
    {
        if (values.Length != (long)rows * columns)
        {
            throw new ArgumentException($"A matrix of [{rows}, {columns}] takes {(long)rows * columns} values, found {values.Length}.", nameof(values));
        }

        return Pack(
            rows,
            columns,
            TensorType.Float32,
            (firstRow, count, destination) => MemoryMarshal.AsBytes(values.Span.Slice(firstRow * columns, count * columns)).CopyTo(destination),
            groups);
    }

    /// <summary>
    /// Multiplies rows: <c>outputs[r][o] = Σ inputs[r][k] · matrix[o][k]</c>, on the calling thread. A row's bits do not depend on the rows beside it.
    /// For the products of a model around its attention; a layer's own projections are shared between threads.
    /// </summary>
    /// <param name="inputs"><c>[count, <see cref="Columns"/>]</c>.</param>
    /// <param name="outputs"><c>[count, <see cref="Rows"/>]</c>; not the memory of <paramref name="inputs"/>.</param>
    /// <param name="count">Rows to multiply.</param>
    /// <exception cref="ArgumentException">A span has another length.</exception>
    public void Multiply(ReadOnlySpan<float> inputs, Span<float> outputs, int count)
    {
        if (inputs.Length != (long)count * Columns || outputs.Length != (long)count * Rows)
        {
            throw new ArgumentException(FormattableString.Invariant(
                $"{count} rows take {(long)count * Columns} inputs and {(long)count * Rows} outputs; found {inputs.Length} and {outputs.Length}."));
        }

        ProjectionKernels kernels = ProjectionKernels.Current;
        if (count < ProjectionKernels.TiledRows)
        {
            for (int row = 0; row < count; row++)
            {
                kernels.MultiplyRow(this, 0, in inputs[row * Columns], outputs.Slice(row * Rows, Rows));
            }

            return;
        }

        int chunk = ProjectionKernels.ChunkRows(count);
        float[] packedArray = ArrayPool<float>.Shared.Rent((kernels.PackedWidth(Math.Min(count, chunk)) * Columns) + CacheLineFloats);
        float[] scratchArray = ArrayPool<float>.Shared.Rent(ProjectionKernels.ScratchLength + CacheLineFloats);
        ref float packed = ref OnCacheLine(packedArray);
        ref float scratch = ref OnCacheLine(scratchArray);
        for (int first = 0; first < count; first += chunk)
        {
            int rows = Math.Min(chunk, count - first);
            kernels.Pack(in inputs[first * Columns], Columns, rows, Columns, ref packed);
            for (int panel = 0; panel < PanelCount; panel += ProjectionKernels.TiledPanels)
            {
                int output = panel * PanelWidth;
                int width = Math.Min(ProjectionKernels.TiledPanels * PanelWidth, Rows - output);
                kernels.MultiplyPacked(this, panel, width, in packed, rows, ref outputs[(first * Rows) + output], Rows, ref scratch, wholeTiles: false);
            }
        }

        ArrayPool<float>.Shared.Return(scratchArray);
        ArrayPool<float>.Shared.Return(packedArray);
    }

    /// <summary>The first float of an array that starts a cache line; vectors that straddle two cost twice. If the array is moved later, that is all that is lost.</summary>
    private static unsafe ref float OnCacheLine(float[] array)
    {
        ref float start = ref MemoryMarshal.GetArrayDataReference(array);
        nuint misaligned = (nuint)Unsafe.AsPointer(ref start) / sizeof(float) % CacheLineFloats;
        return ref Unsafe.Add(ref start, (CacheLineFloats - misaligned) % CacheLineFloats);
    }

    internal ref byte Panel(int index) => ref Unsafe.Add(ref _panels.Start, (nint)index * PanelBytes);

    private static void Transpose<T>(ReadOnlySpan<byte> rows, int columns, Span<byte> panel)
        where T : unmanaged
    {
        ReadOnlySpan<T> source = MemoryMarshal.Cast<byte, T>(rows);
        Span<T> destination = MemoryMarshal.Cast<byte, T>(panel);
        for (int lane = 0; lane < PanelWidth; lane++)
        {
            ReadOnlySpan<T> row = source.Slice(lane * columns, columns);
            for (int k = 0; k < row.Length; k++)
            {
                destination[(k * PanelWidth) + lane] = row[k];
            }
        }
    }
}
