using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MlaGen.Runtime;

/// <summary>
/// Operands of bfloat16 for a core of machine code: keys <c>[tokens][terms][nope, rotary]</c>, turned values <c>[value][terms][tokens]</c>, queries in pairs,
/// turned sums <c>[value][queries]</c>. Keys come from rows as they lie and from weights in pairs, turned values from rows of weights and from latents in pairs.
/// </summary>
internal sealed class PairKeyTiles(StepContext step, DecompressedMatrixCore core) : KeyTiles(step, core)
{
    private const int Width = BFloat16Pairs.Width;

    private DecompressedMatrixLayout Matrix => core.Matrix;

    private int Latent => Shape.KvLoraRank;

    private int RowBytes => sizeof(ushort) * Shape.CacheRowElements;

    private int KeyBytes => sizeof(float) * Layout.KeyStride;

    private int ValueBytes => sizeof(float) * Layout.ValueStride;

    /// <summary>Words of 32 bits of a panel of key weights in pairs, and of as many rows of value weights.</summary>
    private int PanelWords => Matrix.Terms * Latent / 2 * Width;

    private int KeyWords => Matrix.KeyColumns / Width * PanelWords;

    private int ValuePanels => (Matrix.ValueRows + Width - 1) / Width;

    private int HeadWords => KeyWords + (ValuePanels * PanelWords);

    /// <summary>Words of the latents of a tile in pairs; rows that had to be copied stand behind them.</summary>
    private int PairWords => Latent / 2 * Layout.KeyTile;

    /// <summary>Floats of a panel's outputs and statistics in <see cref="WorkerSpace.Apart"/>; values stand behind them.</summary>
    private int ApartFloats => (core.SumFloats(Shape) + 3) * Layout.QueryTile;

    public override void Reserve(WorkerSpace space, int heads)
    {
        space.Weights.Reserve((long)heads * HeadWords);
        space.Packed.Reserve(PairWords + ((long)Layout.KeyTile * RowBytes / sizeof(float)));
        space.Product.Reserve(Math.Max(Layout.KeyTile * Math.Max(Matrix.KeyColumns, Matrix.ValueRows), Width * Math.Max(Latent, Matrix.KeyDepth)));
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
            PanelPacking.Pack(ref Unsafe.Add(ref queries, first * stride), stride, Math.Clamp(count - first, 0, Width), depth, scale, ref floats, Width);
            BFloat16Pairs.Round(ref floats, Matrix.KeyDepth, Matrix.Terms, ref Unsafe.As<float, uint>(ref Unsafe.Add(ref packed, first * core.QueryFloats(Shape))));
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
            for (int i = 0; i < Matrix.KeyColumns / Width; i++)
            {
                Pairs(matrix, i < keyPanels ? panel++ : -1, ref Unsafe.Add(ref weights, i * PanelWords), space);
            }

            for (int i = 0; i < ValuePanels; i++)
            {
                // Pairs of sixteen outputs, turned, are rows of them.
                ref uint rows = ref Unsafe.Add(ref weights, KeyWords + (i * PanelWords));
                ref uint pairs = ref Unsafe.As<float, uint>(ref space.Product.Start);
                Pairs(matrix, i < valuePanels ? panel++ : -1, ref pairs, space);
                for (int term = 0; term < Matrix.Terms; term++)
                {
                    for (int word = 0; word < Latent / 2; word += Width)
                    {
                        WordSquare.Turn(
                            ref Unsafe.Add(ref pairs, ((word * Matrix.Terms) + term) * Width),
                            Matrix.Terms * Width,
                            ref Unsafe.Add(ref rows, (term * Latent / 2) + word),
                            Matrix.Terms * Latent / 2);
                    }
                }
            }
        }
    }

    /// <summary>Latents in pairs, for all heads; rows of a tile that is not whole are copied, with zeros behind them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override ref byte TakeRows(ref byte rows, int tokens, WorkerSpace space)
    {
        ref byte taken = ref rows;
        if (tokens < Layout.KeyTile)
        {
            taken = ref Unsafe.As<float, byte>(ref space.Packed.At(PairWords));
            Span<byte> copy = MemoryMarshal.CreateSpan(ref taken, Layout.KeyTile * RowBytes);
            MemoryMarshal.CreateReadOnlySpan(ref rows, tokens * RowBytes).CopyTo(copy);
            copy[(tokens * RowBytes)..].Clear();
        }

        ref uint words = ref Unsafe.As<byte, uint>(ref taken);
        ref uint pairs = ref Unsafe.As<float, uint>(ref space.Packed.Start);
        for (int token = 0; token < Columns(tokens); token += Width)
        {
            for (int word = 0; word < Latent / 2; word += Width)
            {
                WordSquare.Turn(
                    ref Unsafe.Add(ref words, (token * (RowBytes / sizeof(uint))) + word),
                    RowBytes / sizeof(uint),
                    ref Unsafe.Add(ref pairs, (token * (Latent / 2)) + (word * Width)),
                    Width);
            }
        }

        return ref taken;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Decompress(PackedMatrix matrix, ref byte rows, int tokens, int firstHead, int head, WorkerSpace space)
    {
        ref byte weights = ref Unsafe.As<uint, byte>(ref HeadWeights(head, space));
        ref float product = ref space.Product.Start;
        ref byte keys = ref Unsafe.As<float, byte>(ref space.Keys.Start);
        int rotary = sizeof(ushort) * Shape.QkRopeHeadDim;
        int nope = sizeof(ushort) * Shape.QkNopeHeadDim;
        int termBytes = sizeof(ushort) * Matrix.KeyDepth;
        core.MultiplyKeys(ref rows, tokens, ref weights, Latent, ref product);
        for (int token = 0; token < core.WholeTiles(tokens); token++)
        {
            ref byte key = ref Unsafe.Add(ref keys, token * KeyBytes);
            ref byte row = ref Unsafe.Add(ref rows, token * RowBytes);
            BFloat16Lanes.Split(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref product, token * Matrix.KeyColumns), Shape.QkNopeHeadDim), Matrix.Terms, ref Unsafe.As<byte, ushort>(ref key), Matrix.KeyDepth);

            // The rotary part is exact in one term; others, and what fills up the depth, are zeros.
            Span<byte> rest = MemoryMarshal.CreateSpan(ref Unsafe.Add(ref key, nope), termBytes - nope);
            MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref row, sizeof(ushort) * Latent), rotary).CopyTo(rest);
            rest[rotary..].Clear();
            for (int term = 1; term < Matrix.Terms; term++)
            {
                MemoryMarshal.CreateSpan(ref Unsafe.Add(ref key, (term * termBytes) + nope), termBytes - nope).Clear();
            }
        }

        core.MultiplyValues(ref Unsafe.Add(ref weights, sizeof(uint) * KeyWords), ref Unsafe.As<float, byte>(ref space.Packed.Start), tokens, Latent, ref product);
        for (int i = 0; i < Matrix.ValueRows; i++)
        {
            BFloat16Lanes.Split(
                MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref product, i * Layout.KeyTile), Columns(tokens)),
                Matrix.Terms,
                ref Unsafe.As<float, ushort>(ref space.Values.At((long)i * Layout.ValueStride)),
                Layout.KeyTile);
        }
    }

    /// <summary>Those, too, that only fill up the last tokens that sums are over: a query that does not see them multiplies them by zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override bool AreValuesFinite(int first, int tokens, WorkerSpace space)
    {
        int count = core.PaddedKeys(tokens) - first;
        for (int i = 0; i < Matrix.ValueRows; i++)
        {
            foreach (ushort value in MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref Unsafe.As<float, ushort>(ref space.Values.At((long)i * Layout.ValueStride)), first), count))
            {
                if (!float.IsFinite(BFloat16Conversion.ToSingle(value)))
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
            for (int term = 0; term < Matrix.Terms; term++)
            {
                value.Slice((term * Layout.KeyTile) + tokens, Layout.KeyTile - tokens).Clear();
            }
        }

        return ref Unsafe.As<float, byte>(ref MemoryMarshal.GetReference(copy));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void CopySums(int query, ref float panel, ref float other)
    {
        for (int i = 0; i < Matrix.ValueRows; i++)
        {
            int place = (i * Layout.QueryPanel) + query;
            Unsafe.Add(ref other, place) = Unsafe.Add(ref panel, place);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Divide(ref float sums, ReadOnlySpan<float> shares, ref float output, nint stride)
    {
        Span<uint> square = stackalloc uint[Width * Width];
        Span<float> factors = stackalloc float[Width];
        for (int first = 0; first < shares.Length; first += Width)
        {
            int queries = Math.Min(Width, shares.Length - first);
            shares.Slice(first, queries).CopyTo(factors);
            Vector512<float> factor = Vector512.LoadUnsafe(ref factors[0]);
            for (int i = 0; i < Shape.VHeadDim; i += Width)
            {
                int elements = Math.Min(Width, Shape.VHeadDim - i);
                for (int k = 0; k < elements; k++)
                {
                    (Vector512.LoadUnsafe(ref sums, (nuint)(((i + k) * Layout.QueryPanel) + first)) * factor).AsUInt32().StoreUnsafe(ref square[k * Width]);
                }

                WordSquare.Turn(ref square[0], Width, ref square[0], Width);
                for (int query = 0; query < queries; query++)
                {
                    MemoryMarshal.Cast<uint, float>(square.Slice(query * Width, elements)).CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.Add(ref output, ((first + query) * stride) + i), elements));
                }
            }
        }
    }

    private static int Columns(int tokens) => (tokens + DecompressedMatrixLayout.TileColumns - 1) / DecompressedMatrixLayout.TileColumns * DecompressedMatrixLayout.TileColumns;

    private ref uint HeadWeights(int head, WorkerSpace space) => ref Unsafe.As<float, uint>(ref space.Weights.At((long)head * HeadWords));

    /// <summary>A panel of weights in pairs; zeros where there is none. The floats in between stand behind whatever <see cref="TakeHeads"/> turns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Pairs(PackedMatrix matrix, int panel, ref uint pairs, WorkerSpace space)
    {
        if (panel < 0)
        {
            MemoryMarshal.CreateSpan(ref pairs, PanelWords).Clear();
            return;
        }

        ref float floats = ref space.Packed.Start;
        matrix.Products.WidenPanel(matrix, panel, ref floats);
        BFloat16Pairs.Round(ref floats, Latent, Matrix.Terms, ref pairs);
    }
}
