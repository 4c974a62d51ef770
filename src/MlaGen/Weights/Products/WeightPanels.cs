using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>Panels of weights <c>[depth][16]</c> that follow each other in memory: some of a matrix, or what was laid out of them.</summary>
/// <param name="start">Where the first begins.</param>
/// <param name="panelBytes">Bytes from a panel to the next.</param>
/// <param name="depth">Depth of a panel.</param>
/// <param name="type">Type of the elements.</param>
internal readonly ref struct WeightPanels(ref byte start, int panelBytes, int depth, TensorType type)
{
    private readonly ref byte _start = ref start;

    /// <summary>Panels of a matrix.</summary>
    public WeightPanels(PackedMatrix matrix, int firstPanel)
        : this(ref matrix.Panel(firstPanel), matrix.PanelBytes, matrix.Columns, matrix.Type)
    {
    }

    /// <summary>Bytes from a panel to the next.</summary>
    public int PanelBytes => panelBytes;

    /// <summary>Depth of a panel.</summary>
    public int Depth => depth;

    /// <summary>Type of the elements.</summary>
    public TensorType Type => type;

    /// <summary>The weights of a panel from a depth on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref byte At(int panel, int first) => ref Unsafe.Add(ref _start, Offset(panel, first));

    /// <summary>Bytes from the first weight of all to those of a panel from a depth on, which need not be there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public nint Offset(int panel, int first) => ((nint)panel * panelBytes) + ((nint)first * PackedMatrix.PanelWidth * type.Size());
}
