using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Planning;

/// <summary>From shape to the plans of cores of machine code: a pure function. Shapes whose rows are no whole panels have none.</summary>
internal static class MatrixPlanner
{
    /// <summary>Vector registers of AVX-512.</summary>
    private const int Registers = 32;

    /// <summary>Elements of bfloat16 in a cache line: what is read of a row at a time.</summary>
    private const int CacheLineElements = 32;

    /// <summary>Blocks of the managed core that one of tiles takes: sums go through memory once a block.</summary>
    private const int BlocksOfTiles = 2;

    /// <summary>The plans of a shape, the best first.</summary>
    /// <param name="shape">The shape.</param>
    /// <param name="managed">The managed core of the widest tier, which runs where these do not: blocks of one fit blocks of the other, so that pages suit both.</param>
    /// <exception cref="InvalidOperationException">A tile would exceed the registers.</exception>
    public static IEnumerable<MatrixPlan> Plan(KernelShape shape, CorePlan managed)
    {
        if (!shape.HasMachineCode || shape.KvLoraRank % CacheLineElements != 0 || shape.CacheRowElements % 2 != 0)
        {
            yield break;
        }

        yield return Checked(PlanAmx(shape, managed, MlaPrecision.Medium, terms: 1));
        yield return Checked(PlanAmx(shape, managed, MlaPrecision.High, terms: 2));
        yield return Checked(PlanAvx512Bf16(shape, managed));
    }

    /// <summary>The plan, if its tiles fit the registers and its block the tiles.</summary>
    internal static MatrixPlan Checked(MatrixPlan plan)
    {
        if (plan.HasTiles)
        {
            Require(plan.SumTiles(Math.Min(2, plan.Panels)) + 2 + plan.TailTiles <= MatrixPlan.Tiles, $"sums and operands exceed the tiles, {MatrixPlan.Tiles}");
            Require(plan.TokenTile % MatrixPlan.TileDepth == 0, "tokens are no whole tiles");
            Require(plan.Depth % 2 == 0 && plan.Depth >= MatrixPlan.TileDepth, "the depth is no pairs, or less than a tile");
        }
        else
        {
            Require(plan.ScoreRegisters(Math.Min(2, plan.Panels)) <= Registers, $"a score tile of {Counted.Of(plan.TokenTile, "token")} exceeds the registers, {Registers}");
            Require(plan.ValueRegisters <= Registers, $"a value tile of {Counted.Of(plan.ColumnTiles.Max(), "column")} exceeds the registers, {Registers}");
            Require(plan.ColumnTiles.Sum() == plan.Heads, "value tiles do not cover the heads");
            Require(plan.Depth / 2 % plan.DepthUnroll == 0, "the depth is no whole turns");
        }

        Require(plan.ValueDim % plan.DimensionPanel == 0, "latents are no whole panels of dimensions");
        Require(plan.BlockTokens % plan.TokenTile == 0 && plan.TokenTile % 2 == 0, "a block is no whole tiles of pairs");
        return plan;

        void Require(bool holds, string problem)
        {
            if (!holds)
            {
                throw new InvalidOperationException($"Decode{plan.Target}: {problem}. The planner should have cut it otherwise.");
            }
        }
    }

    private static MatrixPlan PlanAvx512Bf16(KernelShape d, CorePlan managed)
    {
        int columns = WholePanels(d.Heads);

        // Two panels of queries beside each other halve the broadcasts. A lone panel has registers for twice as many tokens.
        int tokens = columns == MatrixPlan.PanelColumns ? 24 : 12;
        return new MatrixPlan(
            "Avx512Bf16",
            MlaPrecision.Medium,
            d.CacheRowElements,
            d.KvLoraRank,
            d.Heads,
            columns,
            tokens,
            KernelPlanner.BalancedTiles(d.Heads, SimdTier.Vector512),
            managed.BlockTokens,
            KernelPlanner.OddCacheLines(columns),
            d.CacheRowElements / 2 % 2 == 0 ? 2 : 1,
            CacheLineElements,
            Terms: 1);
    }

    private static MatrixPlan PlanAmx(KernelShape d, CorePlan managed, MlaPrecision precision, int terms)
    {
        int columns = WholePanels(d.Heads);

        // Two panels by two tiles of tokens, and by two of dimensions, load one tile a product. A lone panel takes six tiles of tokens, and four of dimensions if they are
        // whole ones; where the depth is no whole tiles, two tiles are set aside for the rest, and two of tokens are left.
        bool isLone = columns == MatrixPlan.PanelColumns;
        return new MatrixPlan(
            "Amx",
            precision,
            d.CacheRowElements,
            d.KvLoraRank,
            d.Heads,
            columns,
            isLone && d.CacheRowElements % MatrixPlan.TileDepth == 0 ? 96 : 32,
            EquatableArray<int>.Empty,
            BlocksOfTiles * managed.BlockTokens,
            KernelPlanner.OddCacheLines(columns),
            DepthUnroll: 1,
            isLone && d.KvLoraRank % 64 == 0 ? 64 : CacheLineElements,
            terms);
    }

    private static int WholePanels(int heads) => (heads + MatrixPlan.PanelColumns - 1) / MatrixPlan.PanelColumns * MatrixPlan.PanelColumns;
}
