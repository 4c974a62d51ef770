using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>Weights of IEEE half precision.</summary>
internal readonly struct Float16Panels : IPanelFormat
{
    public static string Name => "f16";

    public static TensorType Type => TensorType.Float16;

    public static int DepthBytes => PackedMatrix.PanelWidth * sizeof(ushort);

    public static int RowBytes(int columns) => checked(columns * sizeof(ushort));

    public static void Pack(ReadOnlySpan<byte> rows, int columns, Span<byte> panel) => PanelElements.Transpose<ushort>(rows, columns, panel);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V>(ref readonly byte weights, int lane, V scales)
        where V : struct, ILanes<V> => V.LoadFloat16(in PanelElements.At<ushort>(in weights, lane));
}
