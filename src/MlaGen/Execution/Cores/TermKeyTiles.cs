using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MlaGen.Runtime;

/// <summary>
/// Operands of terms of bfloat16 for a core of tiles, all <c>[panel][terms][depth / 32]</c> tiles of sixteen by sixteen words. A word is two elements of the depth. Left operands
/// have rows in the rows of a tile: latents <c>[tokens]</c>, value weights <c>[value]</c>, keys <c>[tokens]</c>, turned values <c>[value]</c>. Right ones have columns
/// in its columns: key weights, latents, queries. One turned, tile by tile, is the other. Keys and queries may be codes instead. Turned sums are floats, <c>[value][queries]</c>.
/// </summary>
internal sealed class TermKeyTiles(StepContext step, DecompressedTileCore core) : KeyTiles(step, core)
{
    private const int Width = DecompressedTileCore.TileRows;

    private const int Side = DecompressedTileCore.Side;

    /// <summary>One where bfloat16 holds what the cache keeps.</summary>
    private readonly int _latentTerms = step.Batch.Pool.Attended.Codec.Format == CacheFormat.BFloat16 ? 1 : core.Tiles.LatentTerms;

    private readonly ScoreOperands _scores = ScoreOperands.Of(core);

    private DecompressedTileLayout Tiles => core.Tiles;

    private int Latent => Shape.KvLoraRank;

    /// <summary>Words of a panel of weights or of latents.</summary>
    private int PanelWords => Width * Tiles.LatentTerms * Latent / 2;

    private int KeyPanels => Tiles.KeyColumns / Width;

    private int ValuePanels => Tiles.ValueRows / Width;

    private int KeyWords => KeyPanels * PanelWords;

    private int HeadWords => (KeyPanels + ValuePanels) * PanelWords;

    /// <summary>Words of the latents of a tile as columns; the same as rows stand behind them.</summary>
    private int LatentWords => Layout.KeyTile / Width * PanelWords;

    /// <summary>Floats of a panel's outputs and statistics in <see cref="WorkerSpace.Apart"/>; values stand behind them.</summary>
    private int ApartFloats => (core.SumFloats(Shape) + 3) * Layout.QueryTile;

    public override void Reserve(WorkerSpace space, int heads)
    {
        space.Weights.Reserve((long)heads * HeadWords);
        space.Packed.Reserve(2L * LatentWords);
        int products = Math.Max(Layout.KeyTile * Tiles.KeySumStride, Tiles.ValueRows * Tiles.ValueSumStride);
        space.Product.Reserve(Math.Max(products, Width * Math.Max(Latent, Tiles.KeyDepth)));
        space.Apart.Reserve(ApartFloats + core.ValueLength);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void PackQueries(ref float queries, nint stride, int count, float scale, ref float packed, WorkerSpace space)
    {
        ref float floats = ref space.Product.Start;
        int depth = Shape.QkHeadDim;
        MemoryMarshal.CreateSpan(ref Unsafe.Add(ref floats, depth * Width), (Tiles.KeyDepth - depth) * Width).Clear();
        for (int first = 0; first < Layout.QueryPanel; first += Width)
        {
            PanelPacking.Pack(ref Unsafe.Add(ref queries, first * stride), stride, Math.Clamp(count - first, 0, Width), depth, scale: 1, ref floats, Width);
            _scores.PackQueries(ref floats, first, scale, ref packed);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void TakeHeads(PackedMatrix matrix, int firstHead, int heads, WorkerSpace space)
    {
        int keyPanels = PackedMatrix.PanelsFor(Shape.QkNopeHeadDim);
        int valuePanels = PackedMatrix.PanelsFor(Shape.VHeadDim);
        int panel = firstHead * (keyPanels + valuePanels);
        int terms = Terms(matrix);
        for (int head = 0; head < heads; head++)
        {
            ref uint weights = ref HeadWeights(head, space);
            for (int i = 0; i < KeyPanels; i++)
            {
                PairPanel(matrix, i < keyPanels ? panel++ : -1, ref Unsafe.Add(ref weights, i * PanelWords), space);
            }

            for (int i = 0; i < ValuePanels; i++)
            {
                ref uint rows = ref Unsafe.Add(ref weights, KeyWords + (i * PanelWords));
                PairPanel(matrix, i < valuePanels ? panel++ : -1, ref rows, space);
                TermTiles.Turn(ref rows, ref rows, terms * Width * Latent / 2);
            }
        }
    }

    /// <summary>Latents as rows and as columns, for all heads. Those that only fill up a tile are zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override ref byte TakeRows(ref byte rows, int tokens, WorkerSpace space)
    {
        ref float floats = ref Unsafe.As<byte, float>(ref rows);
        ref uint columns = ref Unsafe.As<float, uint>(ref space.Packed.Start);
        ref uint latents = ref Unsafe.Add(ref columns, LatentWords);
        int whole = DecompressedTileCore.Whole(tokens);
        int cleared = tokens / Width * PanelWords;
        MemoryMarshal.CreateSpan(ref Unsafe.Add(ref latents, cleared), (whole / Width * PanelWords) - cleared).Clear();
        for (int token = 0; token < tokens; token++)
        {
            ref ushort row = ref Unsafe.As<uint, ushort>(ref TermTiles.Row(ref latents, token, PanelWords));
            BFloat16Lanes.Split(ref Unsafe.Add(ref floats, token * Shape.CacheRowElements), Latent, _latentTerms, ref row, TermTiles.Elements, Width * Latent);
        }

        for (int panel = 0; panel < whole / Width; panel++)
        {
            TermTiles.Turn(ref Unsafe.Add(ref latents, panel * PanelWords), ref Unsafe.Add(ref columns, panel * PanelWords), _latentTerms * Width * Latent / 2);
        }

        return ref rows;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Decompress(PackedMatrix matrix, ref byte rows, int tokens, int firstHead, int head, WorkerSpace space)
    {
        ref float floats = ref Unsafe.As<byte, float>(ref rows);
        ref uint weights = ref HeadWeights(head, space);
        ref byte columns = ref Unsafe.As<float, byte>(ref space.Packed.Start);
        ref byte latents = ref Unsafe.As<float, byte>(ref space.Packed.At(LatentWords));
        ref float product = ref space.Product.Start;
        int weightTerms = Terms(matrix);
        core.MultiplyKeys(ref latents, _latentTerms, ref Unsafe.As<uint, byte>(ref weights), weightTerms, tokens, Latent, ref product);
        int nope = Shape.QkNopeHeadDim;
        int rotary = Shape.QkRopeHeadDim;
        for (int token = 0; token < tokens; token++)
        {
            ref float key = ref Unsafe.Add(ref product, token * Tiles.KeySumStride);
            Span<float> rest = MemoryMarshal.CreateSpan(ref Unsafe.Add(ref key, nope), Tiles.KeyDepth - nope);
            MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref floats, (token * Shape.CacheRowElements) + Latent), rotary).CopyTo(rest);
            rest[rotary..].Clear();
            _scores.TakeKey(ref key, token, ref space.Keys.Start);
        }

        core.MultiplyValues(ref Unsafe.As<uint, byte>(ref Unsafe.Add(ref weights, KeyWords)), weightTerms, ref columns, _latentTerms, tokens, Latent, ref product);
        for (int i = 0; i < Tiles.ValueRows; i++)
        {
            ref float value = ref Unsafe.Add(ref product, i * Tiles.ValueSumStride);
            BFloat16Lanes.Split(ref value, DecompressedTileCore.Whole(tokens), Tiles.Terms, ref Value(ref space.Values.Start, i), TermTiles.Elements, Width * Layout.KeyTile);
        }
    }

    /// <summary>Those, too, that only fill up the last tile that sums are over: a query that does not see them multiplies them by zero. First terms tell it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override bool AreValuesFinite(int first, int tokens, WorkerSpace space)
    {
        Vector512<ushort> exponent = Vector512.Create((ushort)0x7F80);
        for (int i = 0; i < Tiles.ValueRows; i++)
        {
            ref ushort values = ref Value(ref space.Values.Start, i);
            for (int tile = first / Side; tile * Side < tokens; tile++)
            {
                if (Vector512.EqualsAny(Vector512.LoadUnsafe(ref values, (nuint)(tile * TermTiles.Elements)) & exponent, exponent))
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
        for (int i = 0; i < Tiles.ValueRows; i++)
        {
            ref ushort values = ref Value(ref copy[0], i);
            for (int tile = tokens / Side; tile < Layout.KeyTile / Side; tile++)
            {
                int seen = Math.Max(0, tokens - (tile * Side));
                for (int term = 0; term < Tiles.Terms; term++)
                {
                    MemoryMarshal.CreateSpan(ref Unsafe.Add(ref values, (tile * TermTiles.Elements) + (term * Width * Layout.KeyTile) + seen), Side - seen).Clear();
                }
            }
        }

        return ref Unsafe.As<float, byte>(ref copy[0]);
    }

    public override void CopySums(int query, ref float panel, ref float other) => TurnedSums.Copy(query, ref panel, ref other, Tiles.ValueRows, Layout.QueryPanel);

    public override void Divide(ref float sums, ReadOnlySpan<float> shares, ref float output, nint stride)
        => TurnedSums.Divide(ref sums, shares, ref output, stride, Shape.VHeadDim, Layout.QueryPanel);

    private int Terms(PackedMatrix matrix) => matrix.Type == TensorType.BFloat16 ? 1 : Tiles.LatentTerms;

    /// <summary>Where an element of all values begins.</summary>
    private ref ushort Value(ref float start, int element) => ref Unsafe.As<float, ushort>(ref TermTiles.Row(ref start, element, Width * Layout.ValueStride));

    private ref uint HeadWeights(int head, WorkerSpace space) => ref Unsafe.As<float, uint>(ref space.Weights.At((long)head * HeadWords));

    /// <summary>A panel of weights in pairs; zeros where there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void PairPanel(PackedMatrix matrix, int panel, ref uint pairs, WorkerSpace space)
    {
        if (panel < 0)
        {
            MemoryMarshal.CreateSpan(ref pairs, PanelWords).Clear();
            return;
        }

        ref float floats = ref space.Product.Start;
        matrix.Products.WidenPanel(matrix, panel, ref floats);
        TermTiles.Pair(ref floats, Latent, scale: 1, Terms(matrix), ref pairs);
    }
}
