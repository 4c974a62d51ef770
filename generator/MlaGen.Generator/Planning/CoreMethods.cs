namespace MlaGen.Generator.Planning;

/// <summary>
/// The methods of a core with an estimate of each: what the statements that emission writes become in IL, counted from above. The compiler saves
/// a local here and there; a test holds the estimate against what it really writes.
/// </summary>
internal static class CoreMethods
{
    // IL instructions of what emission writes over and over. Most are loads of arguments: an operation on vectors is a call.
    private const int Loop = 10;
    private const int Zero = 2;
    private const int LoadVector = 5;
    private const int Broadcast = 6;
    private const int MultiplyAdd = 5;
    private const int StoreVector = 5;
    private const int Advance = 4;
    private const int Moved = 6;
    private const int Offset = 2;
    private const int Prefetch = 11;
    private const int Return = 1;

    public static IEnumerable<MethodPlan> Of(CorePlan core)
    {
        yield return Plain("Attend", 60, locals: 4);
        yield return Plain("Scores", Scores(core), locals: 5 * core.TokenTiles.Count * (1 + core.ColumnStripes.Count));
        foreach (TilePlan tile in core.ScoreTiles.Concat(core.ValueTiles))
        {
            yield return Tile(core, tile);
        }

        if (!core.IsAbsorbed)
        {
            yield return Plain("Mask", 60 + core.Tier.Lanes, locals: 6);
        }

        yield return Plain("Softmax", core.ColumnStripes.Sum(stripe => Softmax(core, stripe)) + Return, locals: core.ColumnStripes.Count);
        foreach (int lanes in core.ColumnStripes.Select(stripe => stripe.Lanes).Distinct())
        {
            yield return new MethodPlan($"Softmax{TilePlan.Counted(lanes, "Column")}", IlInstructions: 155, MultiplyAdds: 1, Locals: 12, Registers: null);
        }

        yield return Plain("Values", Values(core), locals: core.ValueStripes.Count * (1 + core.ColumnTiles.Distinct().Count()));
    }

    private static MethodPlan Plain(string name, int ilInstructions, int locals) => new(name, ilInstructions, MultiplyAdds: 0, locals, Registers: null);

    /// <summary>Calls a score tile for each token tile and stripe.</summary>
    private static int Scores(CorePlan core)
    {
        int instructions = Return;
        foreach (int tokens in core.TokenTiles)
        {
            instructions += 4 + Loop + (3 * Moved) + (core.PrefetchesRows || core.PrefetchesQueries ? 10 : 0);
            foreach (Stripe stripe in core.ColumnStripes)
            {
                TilePlan tile = core.ScoreTile(tokens, stripe);
                bool loops = stripe.ByDepth ? tile.Rows < tokens : stripe.Tiles > 1 || !core.IsAbsorbed;
                int moved = stripe.ByDepth && loops ? 13 : loops ? 7 : stripe.Start > 0 ? 2 * Offset : 0;
                instructions += 4 + moved + (loops ? Loop : 0) + (tile.Prefetches == 0 ? 0 : core.IsAbsorbed ? 8 : 15);
            }
        }

        return instructions;
    }

    private static int Softmax(CorePlan core, Stripe stripe)
    {
        bool loops = !core.IsAbsorbed || stripe.Vectors * stripe.Tiles > 1;
        return 4 + (loops || stripe.Start > 0 ? 2 * Offset : 0) + (loops ? Loop : 0);
    }

    /// <summary>Calls a value tile for each stripe and run of equal column tiles.</summary>
    private static int Values(CorePlan core)
    {
        int call = core.PrefetchesQueries ? 36 : 18;
        int columns = core.IsAbsorbed
            ? core.ColumnTiles.GroupBy(tile => tile).Sum(run => call + (run.Count() > 1 ? Loop : 0))
            : 2 + Loop + call + ((core.ColumnTiles.Count - 1) * (call + 5 + Advance));
        return core.ValueStripes.Sum(stripe => columns + (stripe.Tiles > 1 ? Loop : 0)) + (core.PrefetchesQueries ? 10 : 0) + Return;
    }

    private static MethodPlan Tile(CorePlan core, TilePlan tile)
    {
        int sums = tile.Rows * tile.Vectors;
        int step = (tile.Vectors * LoadVector) + (tile.Rows * Broadcast) + (sums * MultiplyAdd);
        int steps = tile.Kind switch
        {
            TileKind.Scores => core.DepthsOfRound,
            TileKind.ScoresByDepth => 1,
            _ => CorePlan.TokensOfRound + 1,
        };
        int round = (steps * step) + (tile.Prefetches * Prefetch) + (2 * Advance);
        int end = tile.Kind switch
        {
            TileKind.Scores => sums * StoreVector,
            TileKind.ScoresByDepth => tile.Rows * (tile.Vectors + 1 + StoreVector),
            _ => (tile.Rows * Broadcast) + (sums * (LoadVector + MultiplyAdd + StoreVector - 4)),
        };

        // Beside sums, vectors and rows of each step the loop's own variable; a value tile, whose last token is taken alone, also names each column's factor.
        bool isValues = tile.Kind == TileKind.Values;
        int begin = isValues ? Loop : 0;
        int locals = sums + (steps * (tile.Vectors + tile.Rows)) + (isValues ? tile.Rows : 0) + 1;
        return new MethodPlan(tile.Name, (sums * Zero) + Loop + begin + round + end + Return, (steps + (isValues ? 1 : 0)) * sums, locals, core.RegistersOf(tile));
    }
}
