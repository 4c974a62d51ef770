using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MlaGen.Runtime;

/// <summary>
/// Operands of 16 bits for a core of machine code. int16 with a scale for each vector: latents <c>[tokens][latent]</c> and in pairs, key weights in pairs,
/// value weights in rows, keys <c>[tokens][nope, rotary]</c>, queries in pairs. Bfloat16: turned values <c>[value][tokens]</c>. Turned sums are floats, <c>[value][queries]</c>.
/// </summary>
internal sealed class Int16KeyTiles(StepContext step, DecompressedMatrixCore core) : KeyTiles(step, core)
{
    private const int Width = Int16Quantization.Width;

    private DecompressedMatrixLayout Matrix => core.Matrix;

    private int Latent => Shape.KvLoraRank;

    /// <summary>Words of 32 bits of a panel of weights, in pairs or as rows.</summary>
    private int PanelWords => Latent / 2 * Width;

    private int KeyPanels => Matrix.KeyColumns / Width;

    private int ValuePanels => (Matrix.ValueRows + Width - 1) / Width;

    private int KeyWords => KeyPanels * PanelWords;

    /// <summary>Words of a head's weights; their scales stand behind them.</summary>
    private int WeightWords => (KeyPanels + ValuePanels) * PanelWords;

    private int HeadWords => WeightWords + ((KeyPanels + ValuePanels) * Width);

    /// <summary>Words of the latents of a tile in pairs; the same as rows stand behind them, and then their scales.</summary>
    private int PairWords => Latent / 2 * Layout.KeyTile;

    private int LatentWords => Matrix.LatentStride * Layout.KeyTile;

    /// <summary>Floats of a panel's outputs and statistics in <see cref="WorkerSpace.Apart"/>; values stand behind them.</summary>
    private int ApartFloats => (core.SumFloats(Shape) + 3) * Layout.QueryTile;

    public override void Reserve(WorkerSpace space, int heads)
    {
        space.Weights.Reserve((long)heads * HeadWords);
        space.Packed.Reserve((long)PairWords + LatentWords + Layout.KeyTile);
        int panel = Width * Math.Max(Latent, Matrix.KeyDepth);
        space.Product.Reserve(Math.Max(Matrix.ScoreTile * Matrix.KeySumStride, panel + PanelWords));
        space.Apart.Reserve(ApartFloats + core.ValueLength);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void PackQueries(ref float queries, nint stride, int count, float scale, ref float packed, WorkerSpace space)
    {
        ref float floats = ref space.Product.Start;
        int depth = Shape.QkHeadDim;
        MemoryMarshal.CreateSpan(ref Unsafe.Add(ref floats, depth * Width), (Matrix.KeyDepth - depth) * Width).Clear();
        for (int first = 0; first < Layout.QueryPanel; first += Width)
        {
            PanelPacking.Pack(ref Unsafe.Add(ref queries, first * stride), stride, Math.Clamp(count - first, 0, Width), depth, scale: 1, ref floats, Width);
            ref float pairs = ref Unsafe.Add(ref packed, first * (Matrix.KeyDepth / 2));
            ref float scales = ref Unsafe.Add(ref packed, core.QueryScales + first);
            Int16Quantization.QuantizePanel(ref floats, Matrix.KeyDepth, ref Unsafe.As<float, uint>(ref pairs), ref scales);
            (Vector512.LoadUnsafe(ref scales) * scale).StoreUnsafe(ref scales);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void TakeHeads(PackedMatrix matrix, int firstHead, int heads, WorkerSpace space)
    {
        int keyPanels = PackedMatrix.PanelsFor(Shape.QkNopeHeadDim);
        int valuePanels = PackedMatrix.PanelsFor(Shape.VHeadDim);
        int panel = firstHead * (keyPanels + valuePanels);
        for (int head = 0; head < heads; head++)
        {
            ref uint weights = ref HeadWeights(head, space);
            ref float scales = ref Unsafe.As<uint, float>(ref Unsafe.Add(ref weights, WeightWords));
            for (int i = 0; i < KeyPanels; i++)
            {
                QuantizePanel(matrix, i < keyPanels ? panel++ : -1, ref Unsafe.Add(ref weights, i * PanelWords), ref Unsafe.Add(ref scales, i * Width), space);
            }

            for (int i = 0; i < ValuePanels; i++)
            {
                // Pairs of sixteen outputs, turned, are rows of them.
                ref uint rows = ref Unsafe.Add(ref weights, KeyWords + (i * PanelWords));
                ref uint pairs = ref Unsafe.As<float, uint>(ref space.Product.At(Width * Latent));
                QuantizePanel(matrix, i < valuePanels ? panel++ : -1, ref pairs, ref Unsafe.Add(ref scales, (KeyPanels + i) * Width), space);
                for (int word = 0; word < Latent / 2; word += Width)
                {
                    WordSquare.Turn(ref Unsafe.Add(ref pairs, word * Width), Width, ref Unsafe.Add(ref rows, word), Latent / 2);
                }
            }
        }
    }

    /// <summary>Latents as rows and in pairs, for all heads. Those that only fill up a tile may be anything, times zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override ref byte TakeRows(ref byte rows, int tokens, WorkerSpace space)
    {
        ref float floats = ref Unsafe.As<byte, float>(ref rows);
        ref uint pairs = ref Unsafe.As<float, uint>(ref space.Packed.Start);
        ref uint latents = ref Unsafe.Add(ref pairs, PairWords);
        Int16Quantization.QuantizeRows(ref floats, Shape.CacheRowElements, tokens, Latent, ref Unsafe.As<uint, ushort>(ref latents), 2 * Matrix.LatentStride, ref space.Packed.At(PairWords + LatentWords));
        space.Packed.Span(PairWords + LatentWords + tokens, Layout.KeyTile - tokens).Clear();
        for (int token = 0; token < Columns(tokens); token += Width)
        {
            for (int word = 0; word < Latent / 2; word += Width)
            {
                WordSquare.Turn(
                    ref Unsafe.Add(ref latents, (token * Matrix.LatentStride) + word),
                    Matrix.LatentStride,
                    ref Unsafe.Add(ref pairs, (token * (Latent / 2)) + (word * Width)),
                    Width);
            }
        }

        return ref rows;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Decompress(PackedMatrix matrix, ref byte rows, int tokens, int firstHead, int head, WorkerSpace space)
    {
        ref float floats = ref Unsafe.As<byte, float>(ref rows);
        ref uint weights = ref HeadWeights(head, space);
        ref float scales = ref Unsafe.As<uint, float>(ref Unsafe.Add(ref weights, WeightWords));
        ref byte pairs = ref Unsafe.As<float, byte>(ref space.Packed.Start);
        ref byte latents = ref Unsafe.As<float, byte>(ref space.Packed.At(PairWords));
        ref float latentScales = ref space.Packed.At(PairWords + LatentWords);
        ref float product = ref space.Product.Start;
        int nope = Shape.QkNopeHeadDim;
        int rotary = Shape.QkRopeHeadDim;

        // As many at a time as stay in the caches until they are scaled.
        for (int first = 0; first < tokens; first += Matrix.ScoreTile)
        {
            int count = Math.Min(Matrix.ScoreTile, tokens - first);
            core.MultiplyKeys(
                ref Unsafe.AddByteOffset(ref latents, first * Matrix.LatentStride * sizeof(float)),
                ref Unsafe.Add(ref latentScales, first),
                count,
                ref Unsafe.As<uint, byte>(ref weights),
                ref scales,
                Latent,
                ref product);
            for (int token = 0; token < count; token++)
            {
                Span<float> rest = MemoryMarshal.CreateSpan(ref Unsafe.Add(ref product, (token * Matrix.KeySumStride) + nope), Matrix.KeySumStride - nope);
                MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref floats, ((first + token) * Shape.CacheRowElements) + Latent), rotary).CopyTo(rest);
                rest[rotary..].Clear();
            }

            Int16Quantization.QuantizeRows(
                ref product,
                Matrix.KeySumStride,
                count,
                Int16Quantization.WholeVectors(Matrix.KeyDepth),
                ref Unsafe.As<float, ushort>(ref space.Keys.At(first * Layout.KeyStride)),
                2 * Layout.KeyStride,
                ref space.Keys.At(core.KeyScales + first));
        }

        core.MultiplyValues(
            ref Unsafe.As<uint, byte>(ref Unsafe.Add(ref weights, KeyWords)),
            ref Unsafe.Add(ref scales, KeyPanels * Width),
            ref pairs,
            ref latentScales,
            tokens,
            Latent,
            ref space.Values.Start);
    }

    /// <summary>
    /// Those, too, that only fill up the last tokens that sums are over: a query that does not see them multiplies them by zero. Whole vectors are looked
    /// at: that a value beside them is not finite costs time, and moves no bit.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override bool AreValuesFinite(int first, int tokens, WorkerSpace space)
    {
        Vector512<ushort> exponent = Vector512.Create((ushort)0x7F80);
        for (int i = 0; i < Matrix.ValueRows; i++)
        {
            ref ushort values = ref Unsafe.As<float, ushort>(ref space.Values.At((long)i * Layout.ValueStride));
            for (int token = first / Vector512<ushort>.Count * Vector512<ushort>.Count; token < tokens; token += Vector512<ushort>.Count)
            {
                if (Vector512.EqualsAny(Vector512.LoadUnsafe(ref values, (nuint)token) & exponent, exponent))
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>A copy with zeros in place of the others.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override ref byte ValuesBefore(int tokens, WorkerSpace space)
    {
        Span<float> copy = space.Apart.Span(ApartFloats, core.ValueLength);
        space.Values.Span(0, core.ValueLength).CopyTo(copy);
        for (int i = 0; i < Matrix.ValueRows; i++)
        {
            Span<ushort> value = MemoryMarshal.Cast<float, ushort>(copy.Slice(i * Layout.ValueStride, Layout.ValueStride));
            value[tokens..].Clear();
        }

        return ref Unsafe.As<float, byte>(ref MemoryMarshal.GetReference(copy));
    }

    public override void CopySums(int query, ref float panel, ref float other) => TurnedSums.Copy(query, ref panel, ref other, Matrix.ValueRows, Layout.QueryPanel);

    public override void Divide(ref float sums, ReadOnlySpan<float> shares, ref float output, nint stride)
        => TurnedSums.Divide(ref sums, shares, ref output, stride, Shape.VHeadDim, Layout.QueryPanel);

    private static int Columns(int tokens) => (tokens + DecompressedMatrixLayout.TileColumns - 1) / DecompressedMatrixLayout.TileColumns * DecompressedMatrixLayout.TileColumns;

    private ref uint HeadWeights(int head, WorkerSpace space) => ref Unsafe.As<float, uint>(ref space.Weights.At((long)head * HeadWords));

    /// <summary>Scales a panel of weights; zeros where there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void QuantizePanel(PackedMatrix matrix, int panel, ref uint pairs, ref float scales, WorkerSpace space)
    {
        if (panel < 0)
        {
            MemoryMarshal.CreateSpan(ref pairs, PanelWords).Clear();
            MemoryMarshal.CreateSpan(ref scales, Width).Clear();
            return;
        }

        ref float floats = ref space.Product.Start;
        matrix.Products.WidenPanel(matrix, panel, ref floats);
        Int16Quantization.QuantizePanel(ref floats, Latent, ref pairs, ref scales);
    }
}
