using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>Weights of 32-bit floats.</summary>
internal readonly struct Float32Panels : IPanelFormat
{
    public static string Name => "f32";

    public static TensorType Type => TensorType.Float32;

    public static int DepthBytes => PackedMatrix.PanelWidth * sizeof(float);

    public static int RowBytes(int columns) => checked(columns * sizeof(float));

    public static void Pack(ReadOnlySpan<byte> rows, int columns, Span<byte> panel) => PanelElements.Transpose<float>(rows, columns, panel);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V>(ref readonly byte weights, int lane, V scales)
        where V : struct, ILanes<V> => V.Load(in PanelElements.At<float>(in weights, lane));
}
