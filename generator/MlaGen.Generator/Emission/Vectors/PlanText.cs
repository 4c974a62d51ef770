using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Planning;

namespace MlaGen.Generator.Emission.Vectors;

/// <summary>A plan in plain words, as the heads of emitted files print it: what was decided, and what for.</summary>
internal static class PlanText
{
    /// <summary>How an axis falls into vectors.</summary>
    public static string Stripes(string what, IEnumerable<Stripe> stripes) =>
        $"{what} fall into {string.Join(", then ", stripes.Select(Stripe))}.";

    /// <summary>The register ledger of the widest tiles.</summary>
    /// <param name="core">The plan.</param>
    /// <param name="token">What a score tile takes in rows: a token or a key.</param>
    public static string Registers(CorePlan core, string token)
    {
        TilePlan scores = Widest(core, core.ScoreTiles);
        TilePlan values = Widest(core, core.ValueTiles);
        string machine = core.Tier == SimdTier.Vector128 ? "\nPlanned for Arm64, which has 32 registers of this width; x86 has 16 and keeps a part of the sums in memory." : string.Empty;
        return
            $"Registers. {core.Tier.RegisterBudget} of {core.Tier.Registers} may be used. A score tile of {Counted.Of(scores.Rows, token)} takes {Ledger(core.RegistersOf(scores), "queries", token)},\n" +
            $"a value tile of {Counted.Of(values.Rows, "column")} {Ledger(core.RegistersOf(values), "values", "column")}: many sums, so that each loaded vector serves many of them.{machine}";
    }

    /// <summary>What is worked on, and where it lies.</summary>
    public static string Caches(CorePlan core)
    {
        string fits = core.WorkingSetBytes <= KernelPlanner.SecondLevelCache ? "of a second-level cache of" : "more than a second-level cache of";
        string ahead = !core.PrefetchesRows ? string.Empty : $"\nRows that are used where they lie are asked for {core.PrefetchTokens} tokens ahead, decoded ones a block ahead.";
        string outputs = core.PrefetchesQueries ? $"\nValues lie {core.ValueStride} floats apart for the same reason. Score tiles ask for the queries that are next, value tiles for their outputs: both were last touched a key tile ago." : string.Empty;
        return
            $"Caches. Keys, values, scores, queries and outputs take {Kilobytes(core.WorkingSetBytes)} KB, {fits} {Kilobytes(KernelPlanner.SecondLevelCache)} KB; a value tile reads {Kilobytes(core.ValueTileBytes)} KB of them.\n" +
            $"Scores of successive tokens lie {core.ScoreStride} floats apart, an odd number of cache lines, so that a column does not crowd one set of the cache.{ahead}{outputs}";
    }

    /// <summary>How threads share a row.</summary>
    public static string Threads(KeySplit split) =>
        $"Threads. A row's blocks are split by their number alone: into up to {split.SingleBlockParts} parts of any size, or up to {split.MostParts} of at least {split.PartBlocks} blocks.";

    /// <summary>How query tokens share a pass.</summary>
    public static string Queries(int most) => most == 1
        ? "Queries. Each query token goes through the blocks of its sequence alone: queries and sums of two would not stay in the caches nearby."
        : $"Queries. Up to {most} query tokens of a sequence go through its blocks together: a block is read, and brought into the form that products take, once for all of them.";

    /// <summary>When the driver takes the decompressed form.</summary>
    public static string Form(int breakEven) => breakEven == 0
        ? "Form. Decompressing keys and values never pays for this shape: it is done on demand alone."
        : $"Form. Keys and values are decompressed where n new tokens on S cached ones have n > {breakEven} · S / (S + {breakEven}).";

    /// <summary>The largest method beside the limits of the JIT.</summary>
    public static string Jit(CorePlan core)
    {
        MethodPlan largest = core.Methods.OrderByDescending(method => method.IlInstructions).First();
        return
            $"JIT. The largest method, {largest.Name}, has about {CodeWriter.Count(largest.IlInstructions)} IL instructions, {largest.MultiplyAdds} multiply-adds and {largest.Locals} locals;\n" +
            $"limits are {CodeWriter.Count(MethodPlan.MostIlInstructions)}, {CodeWriter.Count(MethodPlan.MostMultiplyAdds)} and {MethodPlan.MostLocals}.";
    }

    /// <summary>How a core of machine code is cut.</summary>
    public static string Matrix(MatrixPlan plan)
    {
        string dimensions = Counted.Of(plan.DimensionPanel, "dimension");
        string tokens = Counted.Of(plan.TokenTile, "token");
        string caches = plan.HasTiles
            ? $"Caches. The latents of two tokens are laid beside each other while scores have their rows near: {Kilobytes(plan.PairedBytes)} KB a block, of which values read {Kilobytes(plan.PairedPanelBytes)} KB for {Counted.Of(MatrixPlan.PairDimensions, "dimension")} at a time."
            : $"Caches. The latents of two tokens are laid beside each other for {dimensions} at a time: {Kilobytes(plan.PairedPanelBytes)} KB, which stay in the first-level cache for all columns; those of all latents, {Kilobytes(plan.PairedBytes)} KB, are kept for the next query token.";
        int panels = Math.Min(2, plan.Panels);
        string columns = $"How it is cut. {Counted.Of(plan.Columns, "column")} in {Counted.Of(plan.Panels, "panel")} of {MatrixPlan.PanelColumns}";
        return plan.HasTiles
            ? $"{columns}, {panels} at a time; {tokens} by them of scores, {dimensions} by them of values.\n" +
              $"Tiles. Scores have {plan.TokenTile / MatrixPlan.TileRows * panels} of {MatrixPlan.Tiles} for sums, values {plan.DimensionPanel / MatrixPlan.TileRows * panels}; the others take turns at operands.\n" +
              $"Terms. Queries and probabilities are {(plan.Terms == 1 ? "rounded to bfloat16 once" : "sums of two terms of bfloat16, and cost two products")}.\n" +
              caches
            : $"{columns}; score tiles of {tokens}, value tiles of up to {Counted.Of(plan.ColumnTiles.Max(), "column")} by {dimensions}.\n" +
              $"Registers. A score tile takes {plan.ScoreRegisters(panels)}, a value tile {plan.ValueRegisters} of 32.\n" +
              caches;
    }

    /// <summary>How a decompressed core of tiles is cut.</summary>
    public static string TilePrefill(TilePrefillPlan plan)
        => $"How it is cut. Four products: keys, turned values, scores and turned sums of values, {TileProductPlan.Side} rows by {TileProductPlan.Side} columns at a time{(plan.CodeScores is null ? "" : $", but scores {CodeProductPlan.Rows} by {CodeProductPlan.Columns}")}.\n" +
            $"Queries lie in lanes from scores to sums, so that probabilities need not be turned; values and sums are turned in their place.\n" +
            $"Tiles. Four of {MatrixPlan.Tiles} for sums, two for rows, two for columns: a product loads one.\n" +
            (plan.CodeScores is not null
                ? "Codes. Keys and queries are codes of 16 bits with a scale for each, in planes of bytes: three products of them. Values and probabilities are rounded to bfloat16 once. Latents and weights are sums of two terms where it does not hold them.\n"
                : "Terms. Keys and queries are sums of three terms of bfloat16: six products. Values and probabilities have two: three products. Latents and weights have three where bfloat16 does not hold them.\n") +
            $"Caches. Keys, values, scores, and the queries and sums that meet them at a time take {Kilobytes(plan.WorkingSetBytes)} KB; the scores among them, of {Counted.Of(plan.ScoreTile, "key")} at a time {Kilobytes(plan.ScoreTile * plan.ScoreBytes)} KB, stay in the first-level cache.\n" +
            $"Operands lie tile by tile, in the order in which they are loaded: streams that the processor foresees.";

    /// <summary>How a decompressed core of machine code without tiles is cut.</summary>
    public static string MatrixPrefill(MatrixPrefillPlan plan)
    {
        ProductPlan keys = plan.Keys;
        ProductPlan sums = plan.Sums;
        return
            $"How it is cut. Four products: keys and scores in tiles of {Counted.Of(plan.TokenTile, "key")}, values and their sums in tiles of {string.Join(", then ", plan.ValueTiles.GroupBy(tile => tile).Select(run => $"{run.Count()} × {run.Key}"))} elements, each by {ProductPlan.TileColumns} columns.\n" +
            $"Queries lie in lanes from scores to sums, so that probabilities need not be turned; values and sums are turned in their place.\n" +
            $"Registers. A tile of keys or scores takes {keys.Registers} of 32, one of values or sums {sums.Registers}.\n" +
            $"Caches. Keys, values, scores, and the queries and sums that meet them at a time take {Kilobytes(plan.WorkingSetBytes)} KB; the scores among them, of {Counted.Of(plan.ScoreTile, "key")} at a time {Kilobytes(plan.ScoreTile * plan.ScoreBytes)} KB, stay in the first-level cache.\n" +
            $"Keys lie {plan.KeyBytes} bytes apart, values {plan.ValueBytes}: odd numbers of cache lines, so that a column does not crowd one set of the cache.";
    }

    private static TilePlan Widest(CorePlan core, IEnumerable<TilePlan> tiles) => tiles.OrderByDescending(tile => core.RegistersOf(tile).Total).First();

    private static string Ledger(RegisterLedger ledger, string vectors, string row) =>
        $"{Counted.Of(ledger.Sums, "sum")} + {ledger.Operands} of {vectors} + {ledger.Broadcasts} for the {row} = {ledger.Total}";

    private static string Kilobytes(int bytes) => CodeWriter.Count((bytes + 1023) / 1024);

    private static string Stripe(Stripe stripe) =>
        stripe.ByDepth ? $"{stripe.Lanes} whose depth lies in lanes" : $"{stripe.Tiles} × {(stripe.Vectors == 1 ? string.Empty : $"{stripe.Vectors} vectors of ")}{stripe.Lanes}";
}
