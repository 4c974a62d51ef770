using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MlaGen.Runtime;

/// <summary>
/// Weights of four bits, made of floats when they are packed. The 16 outputs of a depth lie in two words of 32 bits, even ones in the first: an output's
/// bits then come to the bottom of its lane by one shift.
/// </summary>
/// <typeparam name="G">Neighbours that share a scale.</typeparam>
internal readonly struct Int4Panels<G> : IPanelFormat
    where G : struct, IGroupSize
{
    public static string Name => FormattableString.Invariant($"int4-{G.Depth}");

    public static TensorType Type => TensorType.Int8;

    public static WeightFormat Format => G.Depth == 32 ? WeightFormat.Int4Group32 : WeightFormat.Int4Group64;

    public static bool ScalesSums => true;

    public static int DepthBytes => Int4.DepthBytes;

    public static int GroupDepth => G.Depth;

    public static int GroupBytes => Int4.GroupBytes;

    public static int RowBytes(int columns) => checked(columns * sizeof(float));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(ReadOnlySpan<byte> rows, int columns, Span<byte> panel)
    {
        var groups = new Quantization.Groups(rows, columns, G.Depth);
        while (groups.Next(steps: 8, signed: true, panel))
        {
            panel = panel[GroupBytes..];
            for (int k = 0; k < groups.Depth; k++)
            {
                Int4.Store(groups.Codes(k).AsUInt32(), panel);
                panel = panel[DepthBytes..];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadScales<V>(ref readonly byte group, int lane)
        where V : struct, ILanes<V> => V.LoadFloat16(in PanelElements.At<ushort>(in group, lane));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V>(ref readonly byte weights, int lane, V scales)
        where V : struct, ILanes<V> => V.LoadInt4(in weights, lane);
}

/// <summary>Weights of four bits as compressed-tensors stores them (<c>pack-quantized</c>), in the same order, with scales of their own type.</summary>
/// <typeparam name="G">Neighbours that share a scale.</typeparam>
/// <typeparam name="S">Type of the scales.</typeparam>
internal readonly struct StoredInt4Panels<G, S> : IPanelFormat
    where G : struct, IGroupSize
    where S : struct, IScaleType
{
    public static string Name => FormattableString.Invariant($"int4-{G.Depth}-{S.Name}");

    public static TensorType Type => TensorType.Int32;

    public static bool ScalesSums => true;

    public static int DepthBytes => Int4.DepthBytes;

    public static int GroupDepth => G.Depth;

    public static int GroupBytes => Int4.GroupBytes;

    /// <summary>Words of eight codes, the first at the bottom and each 8 too large; then scales.</summary>
    public static int RowBytes(int columns) => Int4.StoredRowBytes(columns, G.Depth);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(ReadOnlySpan<byte> rows, int columns, Span<byte> panel)
    {
        int rowBytes = RowBytes(columns);
        int scalesStart = Int4.Words(columns) * sizeof(uint);
        Span<uint> words = stackalloc uint[PackedMatrix.PanelWidth];
        for (int first = 0; first < columns; first += G.Depth)
        {
            for (int lane = 0; lane < PackedMatrix.PanelWidth; lane++)
            {
                rows.Slice((lane * rowBytes) + scalesStart + (first / G.Depth * sizeof(ushort)), sizeof(ushort)).CopyTo(panel[(lane * sizeof(ushort))..]);
            }

            panel = panel[GroupBytes..];
            int end = Math.Min(first + G.Depth, columns);
            for (int word = first; word < end; word += Int4.WordCodes)
            {
                for (int lane = 0; lane < words.Length; lane++)
                {
                    words[lane] = BinaryPrimitives.ReadUInt32LittleEndian(rows[((lane * rowBytes) + (word / 2))..]);
                }

                // A code that is 8 too large is the code with its sign turned over.
                Vector512<uint> codes = Vector512.Create<uint>(words) ^ Vector512.Create(0x8888_8888u);
                for (int k = word; k < Math.Min(word + Int4.WordCodes, end); k++)
                {
                    Int4.Store(codes, panel);
                    codes >>>= 4;
                    panel = panel[DepthBytes..];
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadScales<V>(ref readonly byte group, int lane)
        where V : struct, ILanes<V> => S.Load<V>(in PanelElements.At<ushort>(in group, lane));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V>(ref readonly byte weights, int lane, V scales)
        where V : struct, ILanes<V> => V.LoadInt4(in weights, lane);
}

/// <summary>A type that scales are stored in.</summary>
internal interface IScaleType
{
    static abstract string Name { get; }

    static abstract V Load<V>(ref readonly ushort source)
        where V : struct, ILanes<V>;
}

/// <summary>bf16.</summary>
internal readonly struct BFloat16Scales : IScaleType
{
    public static string Name => "bf16";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V>(ref readonly ushort source)
        where V : struct, ILanes<V> => V.LoadBFloat16(in source);
}

/// <summary>fp16.</summary>
internal readonly struct Float16Scales : IScaleType
{
    public static string Name => "f16";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V>(ref readonly ushort source)
        where V : struct, ILanes<V> => V.LoadFloat16(in source);
}

/// <summary>What panels of four bits share.</summary>
internal static class Int4
{
    /// <summary>Codes in a word of a checkpoint.</summary>
    public const int WordCodes = 8;

    public const int DepthBytes = PackedMatrix.PanelWidth / 2;

    public const int GroupBytes = PackedMatrix.PanelWidth * sizeof(ushort);

    /// <summary>Words of a row of a checkpoint.</summary>
    public static int Words(int columns) => ((columns - 1) / WordCodes) + 1;

    /// <summary>Scales of a row.</summary>
    public static int Scales(int columns, int group) => ((columns - 1) / group) + 1;

    public static int StoredRowBytes(int columns, int group) => checked((Words(columns) * sizeof(uint)) + (Scales(columns, group) * sizeof(ushort)));

    /// <summary>Writes the lowest four bits of all outputs of a depth.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<uint> codes, Span<byte> destination)
    {
        // Each code to its place in its word; the words of all outputs, which have no bit in common, are then summed.
        Vector512<uint> places = Vector512.Create(1u, 1, 1 << 4, 1 << 4, 1 << 8, 1 << 8, 1 << 12, 1 << 12, 1 << 16, 1 << 16, 1 << 20, 1 << 20, 1 << 24, 1 << 24, 1 << 28, 1 << 28);
        BinaryPrimitives.WriteUInt64LittleEndian(destination, Vector512.Sum(((codes & Vector512.Create(15u)) * places).AsUInt64()));
    }
}
