using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>A decompressed core of machine code on tiles, whose operands are sums of terms of bfloat16, but for keys and queries, which may be codes of 16 bits.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class DecompressedTileCore : DecompressedMachineCore
{
    /// <summary>Rows and columns that a product takes at a time, and the least of a depth.</summary>
    internal const int Side = 32;

    /// <summary>Rows of a tile of left elements.</summary>
    internal const int TileRows = 16;

    /// <summary>The least of a depth of codes.</summary>
    internal const int CodeDepth = 64;

    /// <summary>Describes the core.</summary>
    /// <param name="target">What it needs of the machine.</param>
    /// <param name="precision">How exactly it multiplies.</param>
    /// <param name="operand">In which form it reads rows.</param>
    /// <param name="layout">Sizes of the memory that it works on.</param>
    /// <param name="tiles">Sizes that its routines were assembled for.</param>
    protected DecompressedTileCore(CoreTarget target, MlaPrecision precision, RowOperand operand, DecompressedLayout layout, DecompressedTileLayout tiles)
        : base(target, precision, operand, layout) => Tiles = tiles;

    internal DecompressedTileLayout Tiles { get; }

    /// <summary>Whether keys and queries are codes.</summary>
    internal bool HasCodes => Tiles.KeyTerms == 0;

    internal sealed override bool HoldsTile(MlaShape shape)
        => Tiles.ScoreTile > 0 && Tiles.ScoreTile % Side == 0 && Layout.KeyTile > 0 && Layout.KeyTile % Tiles.ScoreTile == 0 && Layout.QueryTile == Side && Layout.QueryPanel == Side
            && Tiles.Terms is 1 or 2 && Tiles.KeyTerms is 0 or 3 && Tiles.LatentTerms is 2 or 3
            && Tiles.KeyDepth >= shape.QkHeadDim && Tiles.KeyDepth % (HasCodes ? CodeDepth : Side) == 0 && Tiles.KeyColumns >= shape.QkNopeHeadDim && Tiles.KeyColumns % Side == 0
            && Tiles.ValueRows >= shape.VHeadDim && Tiles.ValueRows % Side == 0 && shape.KvLoraRank % Side == 0
            && 2 * Layout.KeyStride == Math.Max(Tiles.KeyTerms, 1) * Tiles.KeyDepth && 2 * Layout.ValueStride == Tiles.Terms * Layout.KeyTile
            && Tiles.KeySumStride >= Math.Max(Tiles.KeyColumns, Tiles.KeyDepth) && Tiles.ValueSumStride >= Layout.KeyTile;

    /// <summary>Keys, and behind them the scales of codes.</summary>
    internal sealed override int KeyLength => KeyScales + (HasCodes ? Layout.KeyTile : 0);

    /// <summary>Where the scales of keys stand: floats from the first key.</summary>
    internal int KeyScales => Layout.KeyTile * Layout.KeyStride;

    /// <summary>Where the scales of a panel of queries stand: floats from the panel's beginning.</summary>
    internal int QueryScales => Layout.QueryPanel * Layout.KeyStride;

    internal sealed override int ValueLength => Tiles.ValueRows * Layout.ValueStride;

    /// <summary>Scores, and the sums of four tiles on their way through memory.</summary>
    internal sealed override int ScoreLength => ScoreFloats + (Side * Side);

    internal sealed override int QueryFloats(MlaShape shape) => QueryStride;

    internal sealed override int SumFloats(MlaShape shape) => Tiles.ValueRows;

    /// <summary>As long as a key; a code's scale stands behind the panel.</summary>
    private int QueryStride => Layout.KeyStride + (HasCodes ? 1 : 0);

    private int ScoreFloats => Tiles.ScoreTile * Layout.ScoreStride;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public sealed override void Attend(ref DecompressedTile tile)
    {
        int columns = Layout.QueryTile;
        ref byte scores = ref Unsafe.As<float, byte>(ref tile.Scores);
        ref float rescale = ref Unsafe.Add(ref tile.Statistics, 2 * columns);
        ref float scratch = ref Unsafe.Add(ref tile.Scores, ScoreFloats);
        ref float queries = ref Unsafe.As<byte, float>(ref tile.Queries);
        ref float keyScales = ref Unsafe.Add(ref Unsafe.As<byte, float>(ref tile.Keys), KeyScales);

        // Queries and sums go through the caches once a key tile: the next panel's are asked for while scores are computed, first the ones, then the others.
        ref byte upcoming = ref Unsafe.As<float, byte>(ref Unsafe.Add(ref queries, columns * QueryStride));
        for (int first = 0; first < tile.Tokens; first += Tiles.ScoreTile)
        {
            int tokens = Math.Min(Tiles.ScoreTile, tile.Tokens - first);
            int whole = Whole(tokens);
            ref byte keys = ref Unsafe.AddByteOffset(ref tile.Keys, first * Layout.KeyStride * sizeof(float));
            ref byte values = ref Unsafe.AddByteOffset(ref tile.Values, first * TileRows * sizeof(ushort));
            var operands = new Operands { Left = ref keys, LeftTerms = Tiles.KeyTerms, Right = ref tile.Queries, RightTerms = Tiles.KeyTerms };
            if (HasCodes)
            {
                operands.RowScales = ref Unsafe.Add(ref keyScales, first);
                operands.Factors = ref Unsafe.Add(ref queries, QueryScales);
            }

            Multiply(Product.Scores, operands, ref tile.Scores, whole, columns, Tiles.KeyDepth, ref scratch, ref upcoming);
            upcoming = ref Unsafe.As<float, byte>(ref Unsafe.Add(ref tile.Sums, columns * Tiles.ValueRows));
            if (tile.Masked)
            {
                PairSoftmax.Mask(tokens, columns, Layout.ScoreStride, ref tile.Scores, ref Unsafe.Add(ref tile.Seen, first));
            }

            if (Tiles.Terms == 1)
            {
                PairSoftmax.Apply(tokens, whole, columns, Layout.ScoreStride, ref tile.Scores, ref tile.Statistics);
            }
            else
            {
                TermSoftmax.Apply(tokens, whole, columns, Layout.ScoreStride, ref tile.Scores, ref tile.Statistics);
            }

            operands = new Operands { Left = ref values, LeftTerms = Tiles.Terms, Right = ref scores, RightTerms = Tiles.Terms, Factors = ref rescale };
            Multiply(Product.Sums, operands, ref tile.Sums, Tiles.ValueRows, columns, whole, ref scratch, ref upcoming);
        }
    }

    /// <summary>A number with what fills up the last tile.</summary>
    internal static int Whole(int number) => (number + Side - 1) / Side * Side;

    /// <summary>Writes <c>result[token][i] = Σ latent[token][d] · weight[d][i]</c> for whole tiles of tokens.</summary>
    internal void MultiplyKeys(ref byte latents, int latentTerms, ref byte weights, int weightTerms, int tokens, int latent, ref float result)
        => Multiply(
            Product.Keys,
            new Operands { Left = ref latents, LeftTerms = latentTerms, Right = ref weights, RightTerms = weightTerms },
            ref result,
            Whole(tokens),
            Tiles.KeyColumns,
            latent,
            ref Unsafe.NullRef<float>(),
            ref Unsafe.NullRef<byte>());

    /// <summary>Writes <c>result[i][token] = Σ weight[i][d] · latent[d][token]</c> for whole tiles of tokens.</summary>
    internal void MultiplyValues(ref byte weights, int weightTerms, ref byte latents, int latentTerms, int tokens, int latent, ref float result)
        => Multiply(
            Product.Values,
            new Operands { Left = ref weights, LeftTerms = weightTerms, Right = ref latents, RightTerms = latentTerms },
            ref result,
            Tiles.ValueRows,
            Whole(tokens),
            latent,
            ref Unsafe.NullRef<float>(),
            ref Unsafe.NullRef<byte>());

    /// <summary>Calls the routine of a product.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private protected virtual unsafe void Call(Product product, ref TilePrefillArguments arguments)
    {
        if (!TileThread.IsPrepared)
        {
            throw new InvalidOperationException("Tiles are used on an executor's own threads alone: this one is not.");
        }

        fixed (TilePrefillArguments* start = &arguments)
        {
            ((delegate* unmanaged<TilePrefillArguments*, void>)Routine(product))(start);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private unsafe void Multiply(Product product, in Operands operands, ref float result, int rows, int columns, int depth, ref float scratch, ref byte upcoming)
    {
        // All of it is scratch: pinned memory of the library's own.
        fixed (byte* left = &operands.Left, right = &operands.Right, upcomingStart = &upcoming)
        fixed (float* rowScales = &operands.RowScales, factors = &operands.Factors, resultStart = &result, scratchStart = &scratch)
        {
            var arguments = new TilePrefillArguments
            {
                Left = (nint)left,
                Right = (nint)right,
                Result = (nint)resultStart,
                Rows = rows,
                Columns = columns,
                Depth = depth,
                LeftTerms = operands.LeftTerms,
                RightTerms = operands.RightTerms,
                Factors = (nint)factors,
                Scratch = (nint)scratchStart,
                Upcoming = (nint)upcomingStart,
                RowScales = (nint)rowScales,
            };
            Call(product, ref arguments);
        }
    }

    /// <summary>What a product multiplies.</summary>
    private ref struct Operands
    {
        public ref byte Left;
        public ref byte Right;
        public int LeftTerms;
        public int RightTerms;
        public ref float RowScales;
        public ref float Factors;
    }

    /// <summary>What a routine is called with: addresses, sizes, and room in which it keeps counts.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct TilePrefillArguments
    {
        public nint Left;
        public nint Right;
        public nint Result;
        public nint Rows;
        public nint Columns;
        public nint Depth;
        public nint LeftTerms;
        public nint RightTerms;
        public nint Factors;
        public nint Scratch;
        public nint Upcoming;
        public nint RowScales;
        public nint Kept0;
        public nint Kept1;
        public nint Kept2;
        public nint Kept3;
        public nint Kept4;
        public nint Kept5;
    }
}

/// <summary>Sizes that the routines of a core were assembled for. Emitted once a core.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class DecompressedTileLayout
{
    /// <summary>Keys whose scores are worked on at a time.</summary>
    public required int ScoreTile { get; init; }

    /// <summary>Terms of bfloat16 that values and probabilities are taken as: 1 or 2.</summary>
    public required int Terms { get; init; }

    /// <summary>Terms of bfloat16 that keys and queries are taken as: 3, or 0 where they are codes of 16 bits instead.</summary>
    public required int KeyTerms { get; init; }

    /// <summary>Terms of bfloat16 that latents and weights are taken as where it does not hold them: 2 or 3.</summary>
    public required int LatentTerms { get; init; }

    /// <summary>Elements of a key and of a query, padding included.</summary>
    public required int KeyDepth { get; init; }

    /// <summary>Elements of a key without its rotary part, padding included.</summary>
    public required int KeyColumns { get; init; }

    /// <summary>Elements of a value, padding included.</summary>
    public required int ValueRows { get; init; }

    /// <summary>Floats from a key that was just multiplied to the next: room for its rotary part.</summary>
    public required int KeySumStride { get; init; }

    /// <summary>Floats from an element of all values that were just multiplied to the next element.</summary>
    public required int ValueSumStride { get; init; }
}
