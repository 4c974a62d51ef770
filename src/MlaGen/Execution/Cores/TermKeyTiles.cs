using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MlaGen.Runtime;

/// <summary>
/// Operands of bfloat16, in terms, for a core of tiles. Left ones are rows <c>[row][terms][depth]</c>: latents <c>[tokens]</c>, value weights <c>[value]</c>, keys
/// <c>[tokens]</c>, turned values <c>[value]</c>. Right ones are panels of sixteen columns in pairs, <c>[panel][terms][depth / 2][16][2]</c>: key weights, latents,
/// queries. Turned sums are floats, <c>[value][queries]</c>.
/// </summary>
internal sealed class TermKeyTiles(StepContext step, DecompressedTileCore core) : KeyTiles(step, core)
{
    private const int Width = 16;

    /// <summary>One where bfloat16 holds what the cache keeps.</summary>
    private readonly int _latentTerms = step.Batch.Pool.Attended.Codec.Format == CacheFormat.BFloat16 ? 1 : core.Tiles.KeyTerms;

    private DecompressedTileLayout Tiles => core.Tiles;

    private int Latent => Shape.KvLoraRank;

    /// <summary>Words of 32 bits of a term of a latent, or of a row of weights.</summary>
    private int RowWords => Latent / 2;

    /// <summary>Words of all terms that a latent takes in pairs.</summary>
    private int PairedWords => RowWords * Tiles.KeyTerms;

    /// <summary>Words of a panel of weights, or of latents, in pairs.</summary>
    private int PanelWords => Width * PairedWords;

    private int KeyPanels => Tiles.KeyColumns / Width;

    private int ValuePanels => Tiles.ValueRows / Width;

    private int KeyWords => KeyPanels * PanelWords;

    private int HeadWords => KeyWords + (Tiles.ValueRows * Tiles.LatentStride);

    /// <summary>Words of the latents of a tile in pairs; the same as rows stand behind them.</summary>
    private int PairWords => PairedWords * Layout.KeyTile;

    /// <summary>Floats of a panel's outputs and statistics in <see cref="WorkerSpace.Apart"/>; values stand behind them.</summary>
    private int ApartFloats => (core.SumFloats(Shape) + 3) * Layout.QueryTile;

    public override void Reserve(WorkerSpace space, int heads)
    {
        space.Weights.Reserve((long)heads * HeadWords);
        space.Packed.Reserve(PairWords + ((long)Layout.KeyTile * Tiles.LatentStride));
        int products = Math.Max(Layout.KeyTile * Tiles.KeySumStride, Tiles.ValueRows * Tiles.ValueSumStride);
        space.Product.Reserve(Math.Max(products, (Width * Math.Max(Latent, Tiles.KeyDepth)) + PanelWords));
        space.Apart.Reserve(ApartFloats + core.ValueLength);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void PackQueries(ref float queries, nint stride, int count, float scale, ref float packed, WorkerSpace space)
    {
        ref float floats = ref space.Product.Start;
        int depth = Shape.QkHeadDim;
        for (int query = 0; query < Layout.QueryPanel; query++)
        {
            // Rows of queries are far apart: those of the next panel are asked for meanwhile.
            Prefetch.Range(ref queries, (Layout.QueryPanel + query) * stride, depth);
        }

        MemoryMarshal.CreateSpan(ref Unsafe.Add(ref floats, depth * Width), (Tiles.KeyDepth - depth) * Width).Clear();
        for (int first = 0; first < Layout.QueryPanel; first += Width)
        {
            TurnedQueries.Pack(ref Unsafe.Add(ref queries, first * stride), stride, Math.Clamp(count - first, 0, Width), depth, scale, ref floats);
            Pair(ref floats, Tiles.KeyDepth, Tiles.KeyTerms, ref Unsafe.As<float, uint>(ref Unsafe.Add(ref packed, first * core.QueryFloats(Shape))));
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
                // Pairs of sixteen outputs, turned, are rows of them.
                ref uint rows = ref Unsafe.Add(ref weights, KeyWords + (i * Width * Tiles.LatentStride));
                ref uint pairs = ref Unsafe.As<float, uint>(ref space.Product.At(Width * Latent));
                PairPanel(matrix, i < valuePanels ? panel++ : -1, ref pairs, space);
                for (int word = 0; word < terms * RowWords; word += Width)
                {
                    WordSquare.Turn(ref Unsafe.Add(ref pairs, word * Width), Width, ref Unsafe.Add(ref rows, word), Tiles.LatentStride);
                }
            }
        }
    }

    /// <summary>Latents as rows and in pairs, for all heads. Those that only fill up a tile are zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override ref byte TakeRows(ref byte rows, int tokens, WorkerSpace space)
    {
        ref float floats = ref Unsafe.As<byte, float>(ref rows);
        ref uint pairs = ref Unsafe.As<float, uint>(ref space.Packed.Start);
        ref uint latents = ref Unsafe.Add(ref pairs, PairWords);
        int whole = DecompressedTileCore.Whole(tokens);
        for (int token = 0; token < tokens; token++)
        {
            BFloat16Lanes.Split(
                ref Unsafe.Add(ref floats, token * Shape.CacheRowElements), Latent, _latentTerms, ref Unsafe.As<uint, ushort>(ref Unsafe.Add(ref latents, token * Tiles.LatentStride)), Latent);
        }

        MemoryMarshal.CreateSpan(ref Unsafe.Add(ref latents, tokens * Tiles.LatentStride), (whole - tokens) * Tiles.LatentStride).Clear();
        for (int token = 0; token < whole; token += Width)
        {
            for (int word = 0; word < _latentTerms * RowWords; word += Width)
            {
                WordSquare.Turn(
                    ref Unsafe.Add(ref latents, (token * Tiles.LatentStride) + word),
                    Tiles.LatentStride,
                    ref Unsafe.Add(ref pairs, (token * PairedWords) + (word * Width)),
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
        ref byte pairs = ref Unsafe.As<float, byte>(ref space.Packed.Start);
        ref byte latents = ref Unsafe.As<float, byte>(ref space.Packed.At(PairWords));
        ref float product = ref space.Product.Start;
        int terms = Terms(matrix);
        core.MultiplyKeys(ref latents, _latentTerms, ref Unsafe.As<uint, byte>(ref weights), terms, tokens, Latent, ref product);
        int nope = Shape.QkNopeHeadDim;
        int rotary = Shape.QkRopeHeadDim;
        for (int token = 0; token < tokens; token++)
        {
            ref float key = ref Unsafe.Add(ref product, token * Tiles.KeySumStride);
            Span<float> rest = MemoryMarshal.CreateSpan(ref Unsafe.Add(ref key, nope), Tiles.KeyDepth - nope);
            MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref floats, (token * Shape.CacheRowElements) + Latent), rotary).CopyTo(rest);
            rest[rotary..].Clear();
            BFloat16Lanes.Split(ref key, Tiles.KeyDepth, Tiles.KeyTerms, ref Unsafe.As<float, ushort>(ref space.Keys.At((long)token * Layout.KeyStride)), Tiles.KeyDepth);
        }

        core.MultiplyValues(ref Unsafe.As<uint, byte>(ref Unsafe.Add(ref weights, KeyWords)), terms, ref pairs, _latentTerms, tokens, Latent, ref product);
        for (int i = 0; i < Tiles.ValueRows; i++)
        {
            BFloat16Lanes.Split(
                ref Unsafe.Add(ref product, i * Tiles.ValueSumStride),
                DecompressedTileCore.Whole(tokens),
                Tiles.Terms,
                ref Unsafe.As<float, ushort>(ref space.Values.At((long)i * Layout.ValueStride)),
                Layout.KeyTile);
        }
    }

    /// <summary>Those, too, that only fill up the last tile that sums are over: a query that does not see them multiplies them by zero. First terms tell it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override bool AreValuesFinite(int first, int tokens, WorkerSpace space)
    {
        Vector512<ushort> exponent = Vector512.Create((ushort)0x7F80);
        for (int i = 0; i < Tiles.ValueRows; i++)
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
        for (int i = 0; i < Tiles.ValueRows; i++)
        {
            Span<ushort> terms = MemoryMarshal.Cast<float, ushort>(copy.Slice(i * Layout.ValueStride, Layout.ValueStride));
            for (int term = 0; term < Tiles.Terms; term++)
            {
                terms[((term * Layout.KeyTile) + tokens)..((term + 1) * Layout.KeyTile)].Clear();
            }
        }

        return ref Unsafe.As<float, byte>(ref MemoryMarshal.GetReference(copy));
    }

    public override void CopySums(int query, ref float panel, ref float other) => TurnedSums.Copy(query, ref panel, ref other, Tiles.ValueRows, Layout.QueryPanel);

    public override void Divide(ref float sums, ReadOnlySpan<float> shares, ref float output, nint stride)
        => TurnedSums.Divide(ref sums, shares, ref output, stride, Shape.VHeadDim, Layout.QueryPanel);

    private int Terms(PackedMatrix matrix) => matrix.Type == TensorType.BFloat16 ? 1 : Tiles.KeyTerms;

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
        Pair(ref floats, Latent, Terms(matrix), ref pairs);
    }

    /// <summary>Terms of a panel, <c>[depth][16]</c>, in pairs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Pair(ref float floats, int depth, int terms, ref uint pairs)
    {
        int termWords = depth / 2 * Width;
        for (int d = 0; d < depth; d += 2)
        {
            var one = Vector512.LoadUnsafe(ref floats, (nuint)(d * Width));
            var two = Vector512.LoadUnsafe(ref floats, (nuint)((d + 1) * Width));
            ref uint pair = ref Unsafe.Add(ref pairs, d / 2 * Width);
            Vector512<uint> termOne = BFloat16Lanes.Round(one);
            Vector512<uint> termTwo = BFloat16Lanes.Round(two);
            BFloat16Lanes.Pair(termOne, termTwo).StoreUnsafe(ref pair);
            for (int term = 1; term < terms; term++)
            {
                one -= termOne.AsSingle();
                two -= termTwo.AsSingle();
                (termOne, termTwo) = (BFloat16Lanes.RoundFinite(one), BFloat16Lanes.RoundFinite(two));
                BFloat16Lanes.Pair(termOne, termTwo).StoreUnsafe(ref pair, (nuint)(term * termWords));
            }
        }
    }
}
