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

    /// <summary>A panel is one span of bytes.</summary>
    private static int MostPanelBytes => Array.MaxLength;

    /// <summary>Rows that start on a panel of their own, repeated until the matrix ends.</summary>
    private readonly int[] _groups;

    private PackedMatrix(int rows, int columns, TensorType type, int[] groups, int panelCount)
    {
        _groups = groups;
        Rows = rows;
        Columns = columns;
        Type = type;
        ElementBytes = type == TensorType.Float32 ? sizeof(float) : sizeof(ushort);
        PanelCount = panelCount;
        long panelBytes = (long)columns * PanelWidth * ElementBytes;
        if (panelBytes > MostPanelBytes || panelCount * panelBytes > AlignedBuffer<byte>.MostLength)
        {
            throw new ArgumentOutOfRangeException(nameof(columns), columns, FormattableString.Invariant(
                $"[{rows}, {columns}] {type.Name()} makes {panelCount} panels of {panelBytes} bytes; at most {MostPanelBytes} bytes a panel and {AlignedBuffer<byte>.MostLength} in all can be packed."));
        }

        PanelBytes = (int)panelBytes;
        _panels = new AlignedBuffer<byte>(Bytes);
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
    internal static int PanelsFor(int rows) => (int)(((uint)rows + PanelWidth - 1) / PanelWidth);

    /// <summary>Packs a matrix.</summary>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="type">Type of the elements as they are read.</param>
    /// <param name="read">Reads rows of the matrix.</param>
    /// <param name="groups">Numbers of rows, repeated until the matrix ends, that start on a panel of their own; none for one group of all rows. The matrix ends with one of them.</param>
    /// <returns>The packed matrix.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A number is not positive, or the type is another.</exception>
    /// <exception cref="ArgumentException">The matrix ends within a group.</exception>
    public static PackedMatrix Pack(int rows, int columns, TensorType type, RowReader read, params ReadOnlySpan<int> groups)
    {
        ArgumentNullException.ThrowIfNull(read);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        if (type is not (TensorType.Float32 or TensorType.Float16 or TensorType.BFloat16))
        {
            throw new ArgumentOutOfRangeException(nameof(type), type, "A packed matrix holds Float32, Float16 or BFloat16.");
        }

        int panelCount = CountPanels(rows, groups);
        var matrix = new PackedMatrix(rows, columns, type, groups.IsEmpty ? [rows] : groups.ToArray(), panelCount);
        groups = matrix._groups;
        byte[] staging = new byte[PanelWidth * columns * matrix.ElementBytes];
        int panel = 0;
        for (int row = 0, group = 0; row < rows; row += groups[group], group = (group + 1) % groups.Length)
        {
            // Beyond int after the last panel of a group that is nearly as long.
            for (long first = 0; first < groups[group]; first += PanelWidth, panel++)
            {
                int count = (int)Math.Min(PanelWidth, groups[group] - first);
                read(row + (int)first, count, staging.AsSpan(0, count * columns * matrix.ElementBytes));
                staging.AsSpan(count * columns * matrix.ElementBytes).Clear();
                Span<byte> destination = matrix._panels.Span((long)panel * matrix.PanelBytes, matrix.PanelBytes);
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
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        if (values.Length != (long)rows * columns)
        {
            throw new ArgumentException($"A matrix of [{rows}, {columns}] takes {Counted.Of((long)rows * columns, "value")}, found {values.Length}.", nameof(values));
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
                $"{Counted.Of(count, "row")} to multiply: expected {Counted.Of((long)count * Columns, "input")} and {Counted.Of((long)count * Rows, "output")}; found {inputs.Length} and {outputs.Length}."));
        }

        if (inputs.Overlaps(outputs))
        {
            throw new ArgumentException("The outputs lie in the memory of the inputs: they would be overwritten before they are read.", nameof(outputs));
        }

        ProjectionKernels kernels = ProjectionKernels.Current;
        int chunk = ProjectionKernels.ChunkRows(count);
        long packedLength = ((long)kernels.PackedWidth(Math.Min(count, chunk)) * Columns) + CacheLineFloats;
        if (count < ProjectionKernels.TiledRows || packedLength > Array.MaxLength)
        {
            // Where packed rows would be too long for an array, too: the bits are the same.
            for (int row = 0; row < count; row++)
            {
                for (int first = 0, group = 0, panel = 0; first < Rows; NextGroup(ref first, ref group, ref panel))
                {
                    kernels.MultiplyRow(this, panel, in inputs[row * Columns], outputs.Slice((row * Rows) + first, _groups[group]));
                }
            }

            return;
        }

        float[] packedArray = ArrayPool<float>.Shared.Rent((int)packedLength);
        float[] scratchArray = ArrayPool<float>.Shared.Rent(ProjectionKernels.ScratchLength + CacheLineFloats);
        ref float packed = ref OnCacheLine(packedArray);
        ref float scratch = ref OnCacheLine(scratchArray);
        for (int first = 0, rows; first < count; first += rows)
        {
            rows = Math.Min(chunk, count - first);
            kernels.Pack(in inputs[first * Columns], Columns, rows, Columns, ref packed);
            for (int firstOutput = 0, group = 0, firstPanel = 0; firstOutput < Rows; NextGroup(ref firstOutput, ref group, ref firstPanel))
            {
                for (int panel = 0; panel < PanelsFor(_groups[group]); panel += ProjectionKernels.TiledPanels)
                {
                    int output = panel * PanelWidth;
                    int width = Math.Min(ProjectionKernels.TiledPanels * PanelWidth, _groups[group] - output);
                    kernels.MultiplyPacked(
                        this, firstPanel + panel, width, in packed, rows, ref outputs[(first * Rows) + firstOutput + output], Rows, ref scratch, wholeTiles: false);
                }
            }
        }

        ArrayPool<float>.Shared.Return(scratchArray);
        ArrayPool<float>.Shared.Return(packedArray);
    }

    /// <summary>Panels of all groups, which have to make up the matrix.</summary>
    private static int CountPanels(int rows, ReadOnlySpan<int> groups)
    {
        if (groups.IsEmpty)
        {
            return PanelsFor(rows);
        }

        foreach (int group in groups)
        {
            if (group <= 0)
            {
                throw new ArgumentOutOfRangeException(nameof(groups), group, "A group has at least one row.");
            }
        }

        int panels = 0;
        int end = 0;
        for (int group = 0; end < rows; group = (group + 1) % groups.Length)
        {
            if (groups[group] > rows - end)
            {
                throw new ArgumentException(FormattableString.Invariant(
                    $"Groups of {string.Join(", ", groups.ToArray())} rows, repeated, do not make up {rows} rows: behind {end} rows {rows - end} are left, and the next group has {groups[group]}."), nameof(groups));
            }

            panels += PanelsFor(groups[group]);
            end += groups[group];
        }

        return panels;
    }

    private void NextGroup(ref int firstRow, ref int group, ref int firstPanel)
    {
        firstRow += _groups[group];
        firstPanel += PanelsFor(_groups[group]);
        group = (group + 1) % _groups.Length;
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
