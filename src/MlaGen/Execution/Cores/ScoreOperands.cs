namespace MlaGen.Runtime;

/// <summary>In which form a core of tiles takes keys and queries, whose products are scores.</summary>
internal abstract class ScoreOperands
{
    /// <summary>Those of a core.</summary>
    public static ScoreOperands Of(DecompressedTileCore core) => core.HasCodes ? new CodeScoreOperands(core) : new TermScoreOperands(core);

    /// <summary>Packs sixteen queries, scaled.</summary>
    /// <param name="floats">The queries, <c>[depth][16]</c>, and zeros to the padded depth.</param>
    /// <param name="first">Which of a panel they begin at.</param>
    /// <param name="scale">Factor on every element.</param>
    /// <param name="panel">The panel.</param>
    public abstract void PackQueries(ref float floats, int first, float scale, ref float panel);

    /// <summary>Writes a key.</summary>
    /// <param name="key">Its elements, and zeros to the padded depth.</param>
    /// <param name="token">Which of a tile it is.</param>
    /// <param name="keys">The tile.</param>
    public abstract void TakeKey(ref float key, int token, ref float keys);
}
