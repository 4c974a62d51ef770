using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>Weights of e4m3 with a multiplier for each 128 inputs of an output, as checkpoints have them: a weight is <c>code · scale</c>, one float.</summary>
internal readonly struct Float8Panels : IPanelFormat
{
    public static string Name => "f8-128";

    public static TensorType Type => TensorType.Float8E4M3;

    public static int DepthBytes => PackedMatrix.PanelWidth;

    public static int GroupDepth => LoadableTypes.BlockSize;

    public static int GroupBytes => PackedMatrix.PanelWidth * sizeof(float);

    /// <summary>Codes, then scales.</summary>
    public static int RowBytes(int columns) => checked(columns + (LoadableTypes.BlocksOf(columns) * sizeof(float)));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(ReadOnlySpan<byte> rows, int columns, Span<byte> panel)
    {
        int rowBytes = RowBytes(columns);
        for (int lane = 0; lane < PackedMatrix.PanelWidth; lane++)
        {
            ReadOnlySpan<byte> codes = rows.Slice(lane * rowBytes, rowBytes);
            ReadOnlySpan<byte> scales = codes[columns..];
            Span<byte> target = panel;
            for (int first = 0; first < columns; first += GroupDepth)
            {
                scales.Slice(first / GroupDepth * sizeof(float), sizeof(float)).CopyTo(target[(lane * sizeof(float))..]);
                target = target[GroupBytes..];
                int depth = Math.Min(GroupDepth, columns - first);
                for (int k = 0; k < depth; k++)
                {
                    target[(k * DepthBytes) + lane] = codes[first + k];
                }

                target = target[(depth * DepthBytes)..];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadScales<V>(ref readonly byte group, int lane)
        where V : struct, ILanes<V> => V.Load(in PanelElements.At<float>(in group, lane));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V>(ref readonly byte weights, int lane, V scales)
        where V : struct, ILanes<V> => V.Multiply(V.LoadFloat8(in PanelElements.At<byte>(in weights, lane)), scales);
}
