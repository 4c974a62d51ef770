using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>Attends all heads of one query token to cached rows, block by block: the absorbed form.</summary>
/// <param name="target">What it needs of the machine.</param>
/// <param name="operand">In which form it reads rows.</param>
/// <param name="layout">Sizes of the memory that it works on.</param>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class AbsorbedCore(CoreTarget target, RowOperand operand, AbsorbedLayout layout) : AttentionCore(target, operand)
{
    /// <summary>Sizes of the memory that it works on.</summary>
    public AbsorbedLayout Layout { get; } = layout;

    /// <summary>Attends to a block of rows: updates the block's sums and statistics.</summary>
    /// <param name="block">What to work on.</param>
    public abstract void Attend(ref AbsorbedBlock block);
}

/// <summary>What an absorbed core's plan decides about whoever calls it. Emitted once a core.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class AbsorbedLayout
{
    /// <summary>Rows of a block.</summary>
    public required int BlockTokens { get; init; }

    /// <summary>Floats from a token's scores to the next's.</summary>
    public required int ScoreStride { get; init; }

    /// <summary>How queries are packed; its columns are those of scores and statistics, too.</summary>
    public required QueryPacking Queries { get; init; }

    /// <summary>Tokens from a row that is used where it lies to the one that is asked for meanwhile.</summary>
    public required int PrefetchTokens { get; init; }

    /// <summary>Parts at most that the blocks of a query's keys are split into: a power of two.</summary>
    public required int MostParts { get; init; }

    /// <summary>Parts up to which one may be a single block.</summary>
    public required int SingleBlockParts { get; init; }

    /// <summary>Blocks of a part at least, beyond that.</summary>
    public required int PartBlocks { get; init; }

    /// <summary>Query tokens of a sequence at most that go through its blocks together.</summary>
    public required int MostQueries { get; init; }

    /// <summary>Floats of scratch behind the scores.</summary>
    public int Scratch { get; init; }

    /// <summary>Floats of scratch for the scores of a block, and what the core needs behind them.</summary>
    internal int ScoreLength => (BlockTokens * ScoreStride) + Scratch;
}

/// <summary>The place of a query token among those that go through the same rows of a block.</summary>
internal enum RowSharing
{
    /// <summary>There is one alone.</summary>
    None,

    /// <summary>It is the first; others may follow.</summary>
    First,

    /// <summary>One went before, with as many rows.</summary>
    Again,
}

/// <summary>A block of rows, and what attention to it works on.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public ref struct AbsorbedBlock
{
    /// <summary>The rows, in the core's operand.</summary>
    public ref byte Rows;

    /// <summary>How many, at most <see cref="AbsorbedLayout.BlockTokens"/>.</summary>
    public int Tokens;

    /// <summary>Whether several query tokens go through them, one after the other and with the same scratch, in which a core may keep what it made of them.</summary>
    internal RowSharing Sharing;

    /// <summary>Where to count from to the cached rows that will be needed next; they are only asked for.</summary>
    public ref byte Upcoming;

    /// <summary>Bytes from there to them; the address may lie outside of any allocation.</summary>
    public nint Distance;

    /// <summary>Bytes that the cache keeps of a row.</summary>
    public int CachedRowBytes;

    /// <summary>Packed queries.</summary>
    public ref byte Queries;

    /// <summary>Scratch for scores.</summary>
    public ref float Scores;

    /// <summary>Unnormalised sums of latents <c>[heads, latent]</c>; updated.</summary>
    public ref float Sums;

    /// <summary>Of each column the running maximum, then the sums under them, then the factors of the last rescaling; updated.</summary>
    public ref float Statistics;
}
