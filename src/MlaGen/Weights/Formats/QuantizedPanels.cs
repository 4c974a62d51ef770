using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

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
    public static TensorType Type => TensorType.Int8;

    public static WeightFormat Format => G.Depth == 32 ? WeightFormat.Int8Group32 : WeightFormat.Int8Group64;

    public static bool ScalesSums => true;

    public static int DepthBytes => PackedMatrix.PanelWidth;

    public static int GroupDepth => G.Depth;

    public static int GroupBytes => PackedMatrix.PanelWidth * sizeof(ushort);

    public static int RowBytes(int columns) => checked(columns * sizeof(float));

    public static void Pack(ReadOnlySpan<byte> rows, int columns, Span<byte> panel)
    {
        ReadOnlySpan<float> values = MemoryMarshal.Cast<byte, float>(rows);
        Span<sbyte> codes = stackalloc sbyte[G.Depth];
        for (int first = 0; first < columns; first += G.Depth)
        {
            int depth = Math.Min(G.Depth, columns - first);
            for (int lane = 0; lane < PackedMatrix.PanelWidth; lane++)
            {
                Quantization.Quantize(values.Slice((lane * columns) + first, depth), 127, signed: false, codes, panel[(lane * sizeof(ushort))..]);
                for (int k = 0; k < depth; k++)
                {
                    panel[GroupBytes + (k * DepthBytes) + lane] = (byte)codes[k];
                }
            }

            panel = panel[(GroupBytes + (depth * DepthBytes))..];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadScales<V>(ref readonly byte group, int lane)
        where V : struct, ILanes<V> => V.LoadFloat16(in PanelElements.At<ushort>(in group, lane));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V>(ref readonly byte weights, int lane, V scales)
        where V : struct, ILanes<V> => V.LoadInt8(in PanelElements.At<byte>(in weights, lane));
}

/// <summary>
/// Weights of four bits, made of floats when they are packed. The 16 outputs of a depth lie in two words of 32 bits, even ones in the first: an output's
/// bits then come to the bottom of its lane by one shift.
/// </summary>
/// <typeparam name="G">Neighbours that share a scale.</typeparam>
internal readonly struct Int4Panels<G> : IPanelFormat
    where G : struct, IGroupSize
{
    public static TensorType Type => TensorType.Int8;

    public static WeightFormat Format => G.Depth == 32 ? WeightFormat.Int4Group32 : WeightFormat.Int4Group64;

    public static bool ScalesSums => true;

    public static int DepthBytes => PackedMatrix.PanelWidth / 2;

    public static int GroupDepth => G.Depth;

    public static int GroupBytes => PackedMatrix.PanelWidth * sizeof(ushort);

    public static int RowBytes(int columns) => checked(columns * sizeof(float));

    public static void Pack(ReadOnlySpan<byte> rows, int columns, Span<byte> panel)
    {
        ReadOnlySpan<float> values = MemoryMarshal.Cast<byte, float>(rows);
        Span<sbyte> codes = stackalloc sbyte[G.Depth];
        for (int first = 0; first < columns; first += G.Depth)
        {
            int depth = Math.Min(G.Depth, columns - first);
            panel.Slice(GroupBytes, depth * DepthBytes).Clear();
            for (int lane = 0; lane < PackedMatrix.PanelWidth; lane++)
            {
                Quantization.Quantize(values.Slice((lane * columns) + first, depth), 8, signed: true, codes, panel[(lane * sizeof(ushort))..]);
                for (int k = 0; k < depth; k++)
                {
                    panel[GroupBytes + (k * DepthBytes) + (lane % 2 * sizeof(uint)) + (lane / 4)] |= (byte)((codes[k] & 15) << (lane / 2 % 2 * 4));
                }
            }

            panel = panel[(GroupBytes + (depth * DepthBytes))..];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadScales<V>(ref readonly byte group, int lane)
        where V : struct, ILanes<V> => V.LoadFloat16(in PanelElements.At<ushort>(in group, lane));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V>(ref readonly byte weights, int lane, V scales)
        where V : struct, ILanes<V> => V.LoadInt4(in weights, lane);
}

/// <summary>From floats to small integers with a scale.</summary>
internal static class Quantization
{
    /// <summary>Finds the scale of a group and its codes: <c>value ≈ code · scale</c>.</summary>
    /// <param name="values">The group.</param>
    /// <param name="steps">The code of the largest magnitude.</param>
    /// <param name="signed">Whether the largest value gets the code <c>-steps</c>, whatever its sign, and the scale the sign: one more code is then used than with codes that are symmetric.</param>
    /// <param name="codes">Takes a code a value.</param>
    /// <param name="scale">Takes the scale, in half precision: the codes are those of the scale that is stored.</param>
    /// <exception cref="OverflowException">A value is not finite, or too large for a scale.</exception>
    public static void Quantize(ReadOnlySpan<float> values, int steps, bool signed, Span<sbyte> codes, Span<byte> scale)
    {
        float largest = 0;
        foreach (float value in values)
        {
            // A NaN stays once it is there.
            if (!(MathF.Abs(value) <= MathF.Abs(largest)))
            {
                largest = value;
            }
        }

        var half = (Half)(signed ? largest / -steps : MathF.Abs(largest) / steps);
        if (!Half.IsFinite(half))
        {
            throw new OverflowException(FormattableString.Invariant($"{largest} has no scale of half precision"));
        }

        MemoryMarshal.Write(scale, half);
        float inverse = half == (Half)0 ? 0 : 1 / (float)half;
        int most = signed ? steps - 1 : steps;
        for (int i = 0; i < values.Length; i++)
        {
            codes[i] = (sbyte)Math.Clamp(MathF.Round(values[i] * inverse), -steps, most);
        }
    }
}
