using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>A decompressed core of machine code on pairs: int16 with a scale for each vector, but for values and probabilities, which are bfloat16.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class DecompressedMatrixCore : DecompressedMachineCore
{
    /// <summary>Describes the core.</summary>
    /// <param name="target">What it needs of the machine.</param>
    /// <param name="precision">How exactly it multiplies.</param>
    /// <param name="operand">In which form it reads rows.</param>
    /// <param name="layout">Sizes of the memory that it works on.</param>
    /// <param name="matrix">Sizes that its routines were assembled for.</param>
    protected DecompressedMatrixCore(CoreTarget target, MlaPrecision precision, RowOperand operand, DecompressedLayout layout, DecompressedMatrixLayout matrix)
        : base(target, precision, operand, layout) => Matrix = matrix;

    internal DecompressedMatrixLayout Matrix { get; }

    internal sealed override bool HoldsTile(MlaShape shape)
        => Matrix.TokenTile > 0 && Matrix.ScoreTile > 0 && Matrix.ScoreTile % Matrix.TokenTile == 0 && Matrix.ScoreTile % DecompressedMatrixLayout.TileColumns == 0
            && Layout.KeyTile > 0 && Layout.KeyTile % Matrix.ScoreTile == 0
            && Matrix.KeyDepth >= shape.QkHeadDim && Matrix.KeyDepth % 2 == 0 && Matrix.KeyColumns >= shape.QkNopeHeadDim && Matrix.ValueRows >= shape.VHeadDim
            && Matrix.KeySumStride >= Math.Max(Matrix.KeyColumns, Int16Quantization.WholeVectors(Matrix.KeyDepth)) && 2 * Layout.KeyStride >= Int16Quantization.WholeVectors(Matrix.KeyDepth)
            && 2 * Matrix.LatentStride >= shape.KvLoraRank && 2 * Layout.ValueStride >= Layout.KeyTile && Layout.QueryTile == Layout.QueryPanel;

    internal sealed override int KeyLength => KeyScales + Layout.KeyTile;

    internal sealed override int ScoreLength => Matrix.ScoreTile * Layout.ScoreStride;

    internal sealed override int ValueLength => Matrix.ValueRows * Layout.ValueStride;

    /// <summary>Where the scales of keys stand: floats from the first key.</summary>
    internal int KeyScales => Layout.KeyTile * Layout.KeyStride;

    /// <summary>Where the scales of a panel of queries stand: floats from the panel's beginning.</summary>
    internal int QueryScales => Layout.QueryPanel * (Matrix.KeyDepth / 2);

    internal sealed override int QueryFloats(MlaShape shape) => (Matrix.KeyDepth / 2) + 1;

    internal sealed override int SumFloats(MlaShape shape) => Matrix.ValueRows;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public sealed override void Attend(ref DecompressedTile tile)
    {
        int columns = Layout.QueryTile;
        ref byte scores = ref Unsafe.As<float, byte>(ref tile.Scores);
        ref float rescale = ref Unsafe.Add(ref tile.Statistics, 2 * columns);
        ref float keyScales = ref Unsafe.Add(ref Unsafe.As<byte, float>(ref tile.Keys), KeyScales);
        ref float queryScales = ref Unsafe.Add(ref Unsafe.As<byte, float>(ref tile.Queries), QueryScales);

        // Queries and sums go through the caches once a key tile: each is asked for while something else is computed.
        int panel = columns * ((Matrix.KeyDepth / 2) + 1);
        Prefetch.Range(ref tile.Sums, 0, Matrix.ValueRows * columns);
        for (int first = 0; first < tile.Tokens; first += Matrix.ScoreTile)
        {
            int tokens = Math.Min(Matrix.ScoreTile, tile.Tokens - first);
            int padded = PaddedKeys(tokens);
            ref byte keys = ref Unsafe.AddByteOffset(ref tile.Keys, first * Layout.KeyStride * sizeof(float));
            ref byte values = ref Unsafe.AddByteOffset(ref tile.Values, first * sizeof(ushort));
            Multiply(Product.Scores, ref keys, ref Unsafe.Add(ref keyScales, first), ref tile.Queries, ref queryScales, ref tile.Scores, WholeTiles(tokens), columns, Matrix.KeyDepth);
            if (tile.Masked)
            {
                PairSoftmax.Mask(tokens, columns, Layout.ScoreStride, ref tile.Scores, ref Unsafe.Add(ref tile.Seen, first));
            }

            if (first == 0)
            {
                Prefetch.Range(ref Unsafe.As<byte, float>(ref tile.Queries), panel, panel);
            }

            PairSoftmax.Apply(tokens, padded, columns, Layout.ScoreStride, ref tile.Scores, ref tile.Statistics);
            Multiply(Product.Sums, ref values, ref Unsafe.NullRef<float>(), ref scores, ref rescale, ref tile.Sums, Matrix.ValueRows, columns, depth: padded);
        }
    }

    /// <summary>Keys of so many that the sums of values multiply: those beyond weigh nothing, but must be numbers.</summary>
    internal int PaddedKeys(int keys) => WholeMultiple(keys, Matrix.PaddedKeys);

    /// <summary>Keys of so many that are decompressed.</summary>
    internal int WholeTiles(int keys) => WholeMultiple(keys, Matrix.TokenTile);

    /// <summary>Writes <c>result[token][i] = scale[token] · scale[i] · Σ latent[token][d] · weight[d][i]</c> for whole tiles of tokens.</summary>
    internal void MultiplyKeys(ref byte latents, ref float latentScales, int tokens, ref byte weights, ref float weightScales, int latent, ref float result)
        => Multiply(Product.Keys, ref latents, ref latentScales, ref weights, ref weightScales, ref result, WholeTiles(tokens), Matrix.KeyColumns, latent);

    /// <summary>Writes <c>result[i][token] = scale[i] · scale[token] · Σ weight[i][d] · latent[d][token]</c>, rounded to bfloat16, for whole pairs of panels of tokens.</summary>
    internal void MultiplyValues(ref byte weights, ref float weightScales, ref byte latents, ref float latentScales, int tokens, int latent, ref float result)
        => Multiply(Product.Values, ref weights, ref weightScales, ref latents, ref latentScales, ref result, Matrix.ValueRows, WholeMultiple(tokens, DecompressedMatrixLayout.TileColumns), latent);

    private static int WholeMultiple(int number, int of) => (number + of - 1) / of * of;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private unsafe void Multiply(Product product, ref byte left, ref float rowScales, ref byte right, ref float columnFactors, ref float result, int rows, int columns, int depth)
    {
        if (Target == CoreTarget.Amx && !TileThread.IsPrepared)
        {
            throw new InvalidOperationException("Tiles are used on an executor's own threads alone: this one is not.");
        }

        // Scratch is pinned memory of the library's own; a cache's memory may be anybody's.
        fixed (byte* leftStart = &left, rightStart = &right)
        fixed (float* resultStart = &result, rowStart = &rowScales, columnStart = &columnFactors)
        {
            var arguments = new PrefillArguments
            {
                Left = (nint)leftStart,
                Right = (nint)rightStart,
                Result = (nint)resultStart,
                Rows = rows,
                Columns = columns,
                Depth = depth,
                ColumnFactors = (nint)columnStart,
                RowScales = (nint)rowStart,
            };
            ((delegate* unmanaged<PrefillArguments*, void>)Routine(product))(&arguments);
        }
    }

    /// <summary>What a routine is called with: addresses, sizes, and room in which it keeps counts.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct PrefillArguments
    {
        public nint Left;
        public nint Right;
        public nint Result;
        public nint Rows;
        public nint Columns;
        public nint Depth;
        public nint ColumnFactors;
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
public sealed class DecompressedMatrixLayout
{
    /// <summary>Columns that a product takes at a time.</summary>
    internal const int TileColumns = 32;

    /// <summary>Keys whose scores are worked on at a time.</summary>
    public required int ScoreTile { get; init; }

    /// <summary>Keys of a tile of rows: whole ones are decompressed.</summary>
    public required int TokenTile { get; init; }

    /// <summary>Sums of values are over whole multiples of so many keys.</summary>
    public required int PaddedKeys { get; init; }

    /// <summary>Elements of a key and of a query, padding included.</summary>
    public required int KeyDepth { get; init; }

    /// <summary>Elements of a key without its rotary part, padding included.</summary>
    public required int KeyColumns { get; init; }

    /// <summary>Elements of a value, padding included.</summary>
    public required int ValueRows { get; init; }

    /// <summary>Floats from a latent to the next.</summary>
    public required int LatentStride { get; init; }

    /// <summary>Floats from a key that was just multiplied to the next: room for its rotary part.</summary>
    public required int KeySumStride { get; init; }
}
