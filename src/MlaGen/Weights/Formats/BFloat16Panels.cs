using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>Weights of bf16.</summary>
internal readonly struct BFloat16Panels : IPanelFormat
{
    public static string Name => "bf16";

    public static TensorType Type => TensorType.BFloat16;

    public static int DepthBytes => PackedMatrix.PanelWidth * sizeof(ushort);

    public static int RowBytes(int columns) => checked(columns * sizeof(ushort));

    public static void Pack(ReadOnlySpan<byte> rows, int columns, Span<byte> panel) => PanelElements.Transpose<ushort>(rows, columns, panel);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V>(ref readonly byte weights, int lane, V scales)
        where V : struct, ILanes<V> => V.LoadBFloat16(in PanelElements.At<ushort>(in weights, lane));
}
