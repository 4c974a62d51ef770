namespace MlaGen.Runtime;

/// <summary>Brings the rows of a block into the form in which a core reads them.</summary>
internal abstract class RowReader
{
    /// <summary>Makes the reader of an operand.</summary>
    /// <param name="operand">The operand.</param>
    /// <param name="pool">The cache.</param>
    /// <param name="blockTokens">Rows of a block.</param>
    /// <param name="prefetchTokens">Tokens from a row that is used where it lies to the one that is asked for meanwhile.</param>
    public static RowReader Create(RowOperand operand, PagePool pool, int blockTokens, int prefetchTokens) => operand switch
    {
        RowOperand.Float32 => new FloatRowReader(pool, pool.Attended, blockTokens, prefetchTokens),
        RowOperand.BFloat16 or RowOperand.ExactBFloat16 => new BFloat16RowReader(pool, pool.Attended, blockTokens),
        _ => throw new ArgumentOutOfRangeException(nameof(operand), operand, "There is no such operand."),
    };

    /// <summary>Why a cache cannot give a core its operand, or null if it can.</summary>
    public static string? Refusal(RowOperand operand, CacheLayout layout) => operand switch
    {
        RowOperand.Float32 or RowOperand.BFloat16 => null,
        RowOperand.ExactBFloat16 => layout.Format == CacheFormat.BFloat16 ? null : FormattableString.Invariant($"it reads rows of {CacheFormat.BFloat16}; the cache keeps {layout.Format}"),
        _ => FormattableString.Invariant($"this version of the package cannot read rows of {layout.Format} as {operand}"),
    };

    /// <summary>Takes a thread's memory for the rows of a block.</summary>
    /// <param name="gathered">Memory for rows that do not lie as the core reads them.</param>
    /// <param name="onlyRanges">Whether every source is a range.</param>
    public abstract void Reserve(Workspace gathered, bool onlyRanges);

    /// <summary>The rows of a block: where they lie, if they lie there as the core reads them, or gathered.</summary>
    /// <param name="keys">Which rows the query reads.</param>
    /// <param name="layer">Layer of the cache.</param>
    /// <param name="first">First key.</param>
    /// <param name="count">Keys.</param>
    /// <param name="gathered">Takes the rows if they have to be gathered.</param>
    public abstract ref byte Rows(in KeySource keys, int layer, int first, int count, Workspace gathered);

    /// <summary>What to ask for while a block is worked on.</summary>
    /// <param name="keys">Which rows the query reads.</param>
    /// <param name="layer">Layer of the cache.</param>
    /// <param name="first">First key of the block.</param>
    /// <param name="count">Keys of the block.</param>
    /// <param name="distance">Bytes to count on from what is returned.</param>
    public abstract ref byte Upcoming(in KeySource keys, int layer, int first, int count, out nint distance);
}
