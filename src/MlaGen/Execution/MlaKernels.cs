using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>The emitted attention cores of one tier, as the driver calls them: a call a block, never one inside a loop over elements.</summary>
/// <param name="layout">Sizes of the memory that the cores work on.</param>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class MlaKernels(KernelLayout layout)
{
    /// <summary>Sizes of the memory that the cores work on.</summary>
    public KernelLayout Layout { get; } = layout;

    /// <summary>Attends the heads of one query token to a block of cached rows.</summary>
    /// <param name="rows">Rows of floats, one after the other.</param>
    /// <param name="tokens">Rows to attend to, at most <see cref="KernelLayout.BlockTokens"/>.</param>
    /// <param name="upcoming">Where to count from to the cached rows that will be needed next; they are only asked for.</param>
    /// <param name="distance">Bytes from there to them; the address may lie outside of any allocation.</param>
    /// <param name="queries">Packed queries.</param>
    /// <param name="scores">Scratch of <see cref="KernelLayout.ScoreLength"/> floats.</param>
    /// <param name="output">Unnormalised sums of latents, one a head; updated.</param>
    /// <param name="statistics">Running maxima, sums, and scratch; updated.</param>
    public abstract void AttendBlock(ref float rows, int tokens, ref byte upcoming, nint distance, ref float queries, ref float scores, ref float output, ref float statistics);

    /// <summary>Attends queries of one head to a tile of decompressed keys and values.</summary>
    /// <param name="keys">Keys, one after the other.</param>
    /// <param name="values">Values, one after the other.</param>
    /// <param name="tokens">Keys to attend to, at most <see cref="KernelLayout.KeyTile"/>.</param>
    /// <param name="queries">Packed queries.</param>
    /// <param name="columns">Queries, padding included: a multiple of <see cref="KernelLayout.QueryPanel"/>, at most <see cref="KernelLayout.QueryTile"/>.</param>
    /// <param name="limits">Keys that each query may see.</param>
    /// <param name="masked">Whether a query may see fewer than all keys.</param>
    /// <param name="scores">Scratch of <see cref="KernelLayout.TileScoreLength"/> floats.</param>
    /// <param name="output">Unnormalised sums of values, one a query; updated.</param>
    /// <param name="statistics">Running maxima, sums, and scratch; updated.</param>
    public abstract void AttendTile(ref float keys, ref float values, int tokens, ref float queries, int columns, ref float limits, bool masked, ref float scores, ref float output, ref float statistics);
}

/// <summary>What a tier's plan decides about the driver: sizes of the memory that the cores work on, and how their work is shared. Emitted once a tier.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class KernelLayout
{
    /// <summary>Cached rows of a block.</summary>
    public required int BlockTokens { get; init; }

    /// <summary>Floats from a token's scores to the next's, absorbed.</summary>
    public required int ScoreStride { get; init; }

    /// <summary>First column of each panel of packed absorbed queries, then the number of columns.</summary>
    public required int[] FirstColumns { get; init; }

    /// <summary>Column from which on absorbed queries are packed as they are, row after row, because their depth lies in lanes.</summary>
    public required int FirstRowColumn { get; init; }

    /// <summary>Tokens from a row that is used where it lies to the one that is asked for meanwhile.</summary>
    public required int PrefetchTokens { get; init; }

    /// <summary>Parts at most that a row's blocks are split into.</summary>
    public required int MostParts { get; init; }

    /// <summary>Parts up to which one may be a single block.</summary>
    public required int SingleBlockParts { get; init; }

    /// <summary>Blocks of a part at least, beyond that.</summary>
    public required int PartBlocks { get; init; }

    /// <summary>Keys of a decompressed tile.</summary>
    public required int KeyTile { get; init; }

    /// <summary>Floats from a token's scores to the next's, decompressed.</summary>
    public required int TileScoreStride { get; init; }

    /// <summary>Floats from a decompressed key to the next: room for whole product tiles.</summary>
    public required int KeyStride { get; init; }

    /// <summary>Floats from a decompressed value to the next: room for whole product tiles.</summary>
    public required int ValueStride { get; init; }

    /// <summary>Most queries of a decompressed tile.</summary>
    public required int QueryTile { get; init; }

    /// <summary>Queries beside each other in a panel of packed decompressed queries.</summary>
    public required int QueryPanel { get; init; }

    /// <summary>Columns of the absorbed core: heads, padded.</summary>
    public int Columns => FirstColumns[^1];

    /// <summary>Floats of scratch for the scores of a block.</summary>
    public int ScoreLength => BlockTokens * ScoreStride;

    /// <summary>Floats of scratch for the scores of a tile.</summary>
    public int TileScoreLength => KeyTile * TileScoreStride;

    /// <summary>First column of each panel of packed absorbed queries, then the number of columns.</summary>
    internal ReadOnlySpan<int> Panels => FirstColumns;
}
