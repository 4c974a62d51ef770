using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MlaGen.Runtime;

/// <summary>Neighbours that share a scale.</summary>
internal interface IGroupSize
{
    static abstract int Depth { get; }
}

/// <summary>32 of them.</summary>
internal readonly struct Groups32 : IGroupSize
{
    public static int Depth => 32;
}

/// <summary>64 of them.</summary>
internal readonly struct Groups64 : IGroupSize
{
    public static int Depth => 64;
}

/// <summary>Weights of signed bytes, made of floats when they are packed.</summary>
/// <typeparam name="G">Neighbours that share a scale.</typeparam>
internal readonly struct Int8Panels<G> : IPanelFormat
    where G : struct, IGroupSize
{
    public static string Name => FormattableString.Invariant($"int8-{G.Depth}");

    public static TensorType Type => TensorType.Int8;

    public static WeightFormat Format => G.Depth == 32 ? WeightFormat.Int8Group32 : WeightFormat.Int8Group64;

    public static bool ScalesSums => true;

    public static int DepthBytes => PackedMatrix.PanelWidth;

    public static int GroupDepth => G.Depth;

    public static int GroupBytes => PackedMatrix.PanelWidth * sizeof(ushort);

    public static int RowBytes(int columns) => checked(columns * sizeof(float));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(ReadOnlySpan<byte> rows, int columns, Span<byte> panel)
    {
        var groups = new Quantization.Groups(rows, columns, G.Depth);
        while (groups.Next(steps: 127, signed: false, panel))
        {
            panel = panel[GroupBytes..];
            for (int k = 0; k < groups.Depth; k++)
            {
                Vector512<int> codes = groups.Codes(k);
                Vector256<short> halves = Vector256.Narrow(codes.GetLower(), codes.GetUpper());
                Vector128.Narrow(halves.GetLower(), halves.GetUpper()).AsByte().CopyTo(panel);
                panel = panel[DepthBytes..];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadScales<V>(ref readonly byte group, int lane)
        where V : struct, ILanes<V> => V.LoadFloat16(in PanelElements.At<ushort>(in group, lane));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V>(ref readonly byte weights, int lane, V scales)
        where V : struct, ILanes<V> => V.LoadInt8(in PanelElements.At<byte>(in weights, lane));
}
