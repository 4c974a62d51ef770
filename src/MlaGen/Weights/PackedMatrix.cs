using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace MlaGen.Runtime;

/// <summary>
/// A weight matrix <c>[outputs, depth]</c> in the order in which kernels read it: panels of 16 outputs, so that outputs lie in vector lanes and a
/// panel is one stream. What a panel holds is its format's affair, which <see cref="Products"/> alone knows.
/// </summary>
/// <remarks>Immutable, and so safe to share between threads.</remarks>
internal sealed class PackedMatrix
{
    /// <summary>Outputs in a panel: one vector of the widest tier, several of the others.</summary>
    public const int PanelWidth = 16;

    /// <summary>Bytes of rows that a thread reads and packs at a time.</summary>
    private const int UnitBytes = 1 << 18;

    /// <summary>The panels, unless they are mapped.</summary>
    private readonly AlignedBuffer<byte>? _panels;

    /// <summary>The file that they are mapped from, which stays mapped as long as the matrix is there.</summary>
    private readonly MappedFile? _file;
    private readonly nint _start;

    /// <summary>A panel is one span of bytes.</summary>
    private static int MostPanelBytes => Array.MaxLength;

    private PackedMatrix(int rows, int columns, PanelProducts products, int panelCount, (MappedFile File, long Position)? mapped = null)
    {
        Rows = rows;
        Columns = columns;
        Products = products;
        PanelCount = panelCount;
        long panelBytes = products.PanelBytes(columns);
        if (panelBytes > MostPanelBytes || panelCount * panelBytes > AlignedBuffer<byte>.MostLength)
        {
            throw new ArgumentOutOfRangeException(nameof(columns), columns, FormattableString.Invariant(
                $"[{rows}, {columns}] {products.Type.Name()} makes {panelCount} panels of {panelBytes} bytes; at most {MostPanelBytes} bytes a panel and {AlignedBuffer<byte>.MostLength} in all can be packed."));
        }

        PanelBytes = (int)panelBytes;
        if (mapped is { } memory)
        {
            _file = memory.File;
            _start = memory.File.Start + (nint)memory.Position;
        }
        else
        {
            _panels = new AlignedBuffer<byte>(Bytes);
        }
    }

    /// <summary>Copies rows of the source, row-major.</summary>
    /// <param name="firstRow">First row to copy.</param>
    /// <param name="count">Rows to copy.</param>
    /// <param name="destination">Takes them.</param>
    public delegate void ReadRows(int firstRow, int count, Span<byte> destination);

    /// <summary>Outputs.</summary>
    public int Rows { get; }

    /// <summary>Inputs: the length of the sums.</summary>
    public int Columns { get; }

    /// <summary>The products with this matrix.</summary>
    public PanelProducts Products { get; }

    /// <summary>Type of the elements.</summary>
    public TensorType Type => Products.Type;

    /// <summary>Bytes of the packed elements, padding included.</summary>
    public long Bytes => (long)PanelCount * PanelBytes;

    private unsafe ref byte Start => ref _panels is null ? ref Unsafe.AsRef<byte>((void*)_start) : ref _panels.Start;

    public int PanelCount { get; }

    public int PanelBytes { get; }

    /// <summary>Panels that <paramref name="rows"/> outputs take.</summary>
    public static int PanelsFor(int rows) => (int)(((uint)rows + PanelWidth - 1) / PanelWidth);

    /// <summary>Packs a matrix in the type that it is read in.</summary>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="type">Type of the elements.</param>
    /// <param name="read">Reads rows of the matrix.</param>
    /// <param name="groups">Numbers of rows, repeated until the matrix ends, that start on a panel of their own; none for one group of all rows.</param>
    /// <returns>The packed matrix.</returns>
    public static PackedMatrix Pack(int rows, int columns, TensorType type, ReadRows read, params ReadOnlySpan<int> groups) =>
        Pack(rows, columns, PanelFormats.Of(type), read, groups);

    /// <summary>Packs a matrix.</summary>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="products">The products, and so the format.</param>
    /// <param name="read">Reads rows of the matrix, as the format takes them.</param>
    /// <param name="groups">Numbers of rows, repeated until the matrix ends, that start on a panel of their own; none for one group of all rows. The matrix ends with one of them.</param>
    /// <returns>The packed matrix.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A number is not positive, or there are more elements than can be packed.</exception>
    /// <exception cref="ArgumentException">The matrix ends within a group.</exception>
    public static PackedMatrix Pack(int rows, int columns, PanelProducts products, ReadRows read, params ReadOnlySpan<int> groups)
    {
        ArgumentNullException.ThrowIfNull(read);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        if (groups.IsEmpty)
        {
            groups = new int[] { rows };
        }

        var matrix = new PackedMatrix(rows, columns, products, CountPanels(rows, groups));
        int panel = 0;
        for (int row = 0, group = 0; row < rows; row += groups[group], group = (group + 1) % groups.Length)
        {
            matrix.Fill(panel, row, groups[group], read);
            panel += PanelsFor(groups[group]);
        }

        return matrix;
    }

    /// <summary>A packed matrix whose panels lie in a file.</summary>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="products">The products, and so the format.</param>
    /// <param name="file">The file.</param>
    /// <param name="position">Where the panels begin in it, all of which it has.</param>
    /// <param name="groups">As for <see cref="Pack(int, int, TensorType, ReadRows, ReadOnlySpan{int})"/>.</param>
    /// <returns>The packed matrix.</returns>
    public static PackedMatrix Map(int rows, int columns, PanelProducts products, MappedFile file, long position, params ReadOnlySpan<int> groups) =>
        new(rows, columns, products, groups.IsEmpty ? PanelsFor(rows) : CountPanels(rows, groups), (file, position));

    /// <summary>Bytes that <see cref="Map"/> takes.</summary>
    public static long BytesOf(int rows, int columns, PanelProducts products, params ReadOnlySpan<int> groups) =>
        (groups.IsEmpty ? PanelsFor(rows) : CountPanels(rows, groups)) * products.PanelBytes(columns);

    /// <summary>Packs a matrix of floats, row-major <c>[rows, columns]</c>.</summary>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="values">The elements.</param>
    /// <param name="groups">As for <see cref="Pack(int, int, TensorType, ReadRows, ReadOnlySpan{int})"/>.</param>
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

    /// <summary>The beginning of a panel.</summary>
    public ref byte Panel(int index) => ref Unsafe.Add(ref Start, (nint)index * PanelBytes);

    /// <summary>Writes the panels to a file.</summary>
    public void WriteTo(SafeFileHandle file, long position)
    {
        for (long done = 0; done < Bytes; done += UnitBytes)
        {
            RandomAccess.Write(file, MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref Start, (nint)done), (int)Math.Min(UnitBytes, Bytes - done)), position + done);
        }
    }

    /// <summary>Packs rows that begin on a panel; where they are many, on several threads, some of which read while others pack.</summary>
    private void Fill(int firstPanel, int firstRow, int rows, ReadRows read)
    {
        int panels = PanelsFor(rows);
        int unitPanels = Math.Clamp(UnitBytes / PanelWidth / Products.RowBytes(Columns), 1, panels);
        int units = ProjectionKernels.Units(panels, unitPanels);
        int next = -1;
        object gate = new();
        int failedUnit = int.MaxValue;
        ExceptionDispatchInfo? failure = null;
        if (units == 1)
        {
            FillUnit(0);
            return;
        }

        Parallel.For(0, Math.Min(units, 2 * Environment.ProcessorCount), _ =>
        {
            // What was taken is done: of all units that fail the first is then among them, and is told.
            while (Volatile.Read(ref failure) is null && Interlocked.Increment(ref next) is int unit && unit < units)
            {
                try
                {
                    FillUnit(unit);
                }
                catch (Exception exception)
                {
                    lock (gate)
                    {
                        (failedUnit, failure) = unit < failedUnit ? (unit, ExceptionDispatchInfo.Capture(exception)) : (failedUnit, failure);
                    }
                }
            }
        });
        failure?.Throw();

        void FillUnit(int unit)
        {
            int panel = unit * unitPanels;
            int end = Math.Min(panel + unitPanels, panels);
            int rowBytes = Products.RowBytes(Columns);
            int bytes = checked((end - panel) * PanelWidth * rowBytes);
            byte[] rented = ArrayPool<byte>.Shared.Rent(bytes);
            Span<byte> staging = rented.AsSpan(0, bytes);
            int count = (int)Math.Min((long)(end - panel) * PanelWidth, rows - ((long)panel * PanelWidth));
            read(firstRow + (panel * PanelWidth), count, staging[..(count * rowBytes)]);
            staging[(count * rowBytes)..].Clear();
            for (; panel < end; panel++)
            {
                Products.Pack(staging[..(PanelWidth * rowBytes)], Columns, _panels!.Span((long)(firstPanel + panel) * PanelBytes, PanelBytes));
                staging = staging[(PanelWidth * rowBytes)..];
            }

            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>Panels of all groups, which have to make up the matrix.</summary>
    private static int CountPanels(int rows, ReadOnlySpan<int> groups)
    {
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
                    $"Groups of rows, {string.Join(", ", groups.ToArray())}, repeated, do not make up {Counted.Of(rows, "row")}: behind {Counted.Of(end, "row")} {rows - end} are left, and the next group has {groups[group]}."), nameof(groups));
            }

            panels += PanelsFor(groups[group]);
            end += groups[group];
        }

        return panels;
    }
}
