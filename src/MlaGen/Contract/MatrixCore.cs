using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// An absorbed core whose products are machine code that the generator assembled; its softmax is managed. Routines work on whole tiles of tokens:
/// the rows of a last, short one are copied, and zeros stand behind them, so that nothing beyond the rows is read.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class MatrixCore : AbsorbedCore
{
    private readonly MatrixLayout _matrix;
    private readonly WrittenRoutines _routines = new();

    /// <summary>Describes the core.</summary>
    /// <param name="target">What it needs of the machine.</param>
    /// <param name="precision">How exactly it multiplies.</param>
    /// <param name="operand">In which form it reads rows.</param>
    /// <param name="layout">Sizes of the memory that it works on.</param>
    /// <param name="matrix">Sizes that its routines were assembled for.</param>
    protected MatrixCore(CoreTarget target, MlaPrecision precision, RowOperand operand, AbsorbedLayout layout, MatrixLayout matrix)
        : base(target, operand, layout)
    {
        Precision = precision;
        _matrix = matrix;
    }

    private enum Product
    {
        Scores,
        Values,
    }

    /// <inheritdoc/>
    public sealed override MlaPrecision Precision { get; }

    /// <summary>Scores of whole tiles of tokens: <c>[token][column]</c>.</summary>
    protected abstract MachineRoutine Scores { get; }

    /// <summary>Weighted sums of the latents of whole tiles of tokens, added to those so far.</summary>
    protected abstract MachineRoutine Values { get; }

    /// <summary>Bytes of the routine for scores.</summary>
    internal byte[] ScoresCode => Scores.Code.ToArray();

    /// <summary>Bytes of the routine for values.</summary>
    internal byte[] ValuesCode => Values.Code.ToArray();

    /// <summary>Sizes that its routines were assembled for.</summary>
    internal MatrixLayout Matrix => _matrix;

    internal sealed override string? Refusal => _routines.TryWrite(this, static core => [WrittenRoutines.Copy(core.Scores), WrittenRoutines.Copy(core.Values)]);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public sealed override void Attend(ref AbsorbedBlock block)
    {
        if (Target == CoreTarget.Amx && !TileThread.IsPrepared)
        {
            throw new InvalidOperationException("Tiles are used on an executor's own threads alone: this one is not.");
        }

        int whole = block.Tokens / _matrix.TokenTile * _matrix.TokenTile;
        int rest = block.Tokens - whole;
        if (whole > 0)
        {
            // The pairs of a short tile take the place of others.
            AttendRows(ref block, ref block.Rows, whole, whole, rest == 0 ? block.Sharing : RowSharing.None);
        }

        if (rest > 0)
        {
            ref byte tail = ref Unsafe.As<float, byte>(ref Unsafe.Add(ref block.Scores, Layout.ScoreLength - TailLength));
            Span<byte> rows = MemoryMarshal.CreateSpan(ref tail, _matrix.TokenTile * _matrix.RowBytes);
            MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref block.Rows, whole * _matrix.RowBytes), rest * _matrix.RowBytes).CopyTo(rows);
            rows[(rest * _matrix.RowBytes)..].Clear();
            AttendRows(ref block, ref tail, rest, _matrix.TokenTile, whole == 0 ? block.Sharing : RowSharing.None);
        }
    }

    private int TailLength => _matrix.TokenTile * _matrix.RowBytes / sizeof(float);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private unsafe void AttendRows(ref AbsorbedBlock block, ref byte rows, int tokens, int paddedTokens, RowSharing sharing)
    {
        int columns = Layout.Queries.Columns;

        // Scratch and queries are pinned memory of the library's own; a cache's memory may be anybody's.
        fixed (byte* first = &rows, queries = &block.Queries, upcoming = &block.Upcoming)
        fixed (float* scores = &block.Scores, sums = &block.Sums, statistics = &block.Statistics)
        {
            var arguments = new MatrixArguments
            {
                Rows = (nint)first,
                Tokens = paddedTokens,
                Queries = (nint)queries,
                Scores = (nint)scores,
                Sums = (nint)sums,
                Upcoming = (nint)upcoming + block.Distance,
                Sharing = (nint)sharing,
                Rescale = (nint)(statistics + (2 * columns)),
                Scratch = (nint)(scores + (Layout.BlockTokens * Layout.ScoreStride) + (columns / QueryPairs.Width * _matrix.PanelWeights)),
            };
            ((delegate* unmanaged<MatrixArguments*, void>)_routines[(int)Product.Scores])(&arguments);
            if (_matrix.PanelWeights == 0)
            {
                PairSoftmax.Apply(tokens, paddedTokens, columns, Layout.ScoreStride, ref *scores, ref *statistics);
            }
            else
            {
                float* weights = scores + (Layout.BlockTokens * Layout.ScoreStride);
                TileSoftmax.Apply(tokens, paddedTokens, columns, Layout.ScoreStride, _matrix.Terms, ref *scores, ref *statistics, ref *(uint*)weights, _matrix.PanelWeights);
                arguments.Scores = (nint)weights;
            }

            ((delegate* unmanaged<MatrixArguments*, void>)_routines[(int)Product.Values])(&arguments);
        }
    }

    /// <summary>What a routine is called with: addresses, sizes, and room in which it keeps counts.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct MatrixArguments
    {
        public nint Rows;
        public nint Tokens;
        public nint Queries;
        public nint Scores;
        public nint Sums;
        public nint Rescale;
        public nint Scratch;
        public nint Upcoming;
        public nint Sharing;
        public nint Kept0;
        public nint Kept1;
        public nint Kept2;
        public nint Kept3;
        public nint Kept4;
        public nint Kept5;
        public nint Kept6;
    }
}

/// <summary>Sizes that the routines of a core were assembled for. Emitted once a core.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class MatrixLayout
{
    /// <summary>Tokens of a tile: routines take whole ones.</summary>
    public required int TokenTile { get; init; }

    /// <summary>Bytes from a row to the next.</summary>
    public required int RowBytes { get; init; }

    /// <summary>Terms of bfloat16 that queries and probabilities are taken as.</summary>
    public required int Terms { get; init; }

    /// <summary>Words of 32 bits for the tiles of probabilities of a panel of sixteen columns; 0 if pairs of probabilities replace the scores.</summary>
    public required int PanelWeights { get; init; }
}
