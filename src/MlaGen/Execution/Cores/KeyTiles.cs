namespace MlaGen.Runtime;

/// <summary>Brings queries, rows, weights and sums into the form in which a decompressed core takes them, and back: tile by tile, in a thread's own memory.</summary>
internal abstract class KeyTiles(StepContext step, DecompressedCore core)
{
    /// <summary>Those of a core.</summary>
    public static KeyTiles Of(StepContext step, DecompressedCore core) => core switch
    {
        DecompressedTileCore tiles => new TermKeyTiles(step, tiles),
        DecompressedMatrixCore matrix => new Int16KeyTiles(step, matrix),
        _ => new FloatKeyTiles(step, core),
    };

    protected MlaShape Shape => step.Shape;

    protected DecompressedLayout Layout => core.Layout;

    /// <summary>Floats that rows, weights and products take beside keys and values, of which the stage knows the size.</summary>
    /// <param name="space">Memory of a thread.</param>
    /// <param name="heads">Heads that are worked on together.</param>
    public abstract void Reserve(WorkerSpace space, int heads);

    /// <summary>Packs a panel of queries, scaled.</summary>
    /// <param name="queries">First query of the panel.</param>
    /// <param name="stride">Floats from a query to the next.</param>
    /// <param name="count">Queries, at most a panel.</param>
    /// <param name="scale">Factor on every element.</param>
    /// <param name="packed">Takes the panel.</param>
    /// <param name="space">Memory of the thread.</param>
    public abstract void PackQueries(ref float queries, nint stride, int count, float scale, ref float packed, WorkerSpace space);

    /// <summary>Brings the weights of heads that are worked on together into the form in which their rows meet them.</summary>
    public abstract void TakeHeads(PackedMatrix matrix, int firstHead, int heads, WorkerSpace space);

    /// <summary>Takes the rows of a tile.</summary>
    /// <returns>The rows, as <see cref="Decompress"/> reads them.</returns>
    public abstract ref byte TakeRows(ref byte rows, int tokens, WorkerSpace space);

    /// <summary>Writes the keys and values of a head.</summary>
    /// <param name="matrix">The weights.</param>
    /// <param name="rows">What <see cref="TakeRows"/> gave.</param>
    /// <param name="tokens">How many.</param>
    /// <param name="firstHead">First of the heads that are worked on together.</param>
    /// <param name="head">Which of them.</param>
    /// <param name="space">Memory of the thread.</param>
    public abstract void Decompress(PackedMatrix matrix, ref byte rows, int tokens, int firstHead, int head, WorkerSpace space);

    /// <summary>Whether some of the tile's values may be multiplied by the zeros that stand for tokens which a query does not see.</summary>
    /// <param name="first">The first that some query does not see.</param>
    /// <param name="tokens">Values that some query sees.</param>
    /// <param name="space">Memory of the thread.</param>
    public abstract bool AreValuesFinite(int first, int tokens, WorkerSpace space);

    /// <summary>The tile's values, of which those from some token on are not multiplied by anything.</summary>
    public abstract ref byte ValuesBefore(int tokens, WorkerSpace space);

    /// <summary>Copies the sums of one query of a panel to another panel.</summary>
    public abstract void CopySums(int query, ref float panel, ref float other);

    /// <summary>Divides the sums of a query tile.</summary>
    /// <param name="sums">Its sums.</param>
    /// <param name="shares">A factor for each of its queries.</param>
    /// <param name="output">Takes the output of its first query.</param>
    /// <param name="stride">Floats from an output to the next.</param>
    public abstract void Divide(ref float sums, ReadOnlySpan<float> shares, ref float output, nint stride);
}
