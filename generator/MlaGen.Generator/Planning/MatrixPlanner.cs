using MlaGen.Generator.Model;

namespace MlaGen.Generator.Planning;

/// <summary>From shape to the plans of cores of machine code: a pure function. Shapes whose rows are no whole panels have none.</summary>
internal static class MatrixPlanner
{
    /// <summary>Vector registers of AVX-512.</summary>
    private const int Registers = 32;

    /// <summary>The plans of a shape, the best first.</summary>
    /// <param name="shape">The shape.</param>
    /// <param name="managed">The managed core of the widest tier, which runs where these do not: blocks of one fit blocks of the other, so that pages suit both.</param>
    /// <exception cref="InvalidOperationException">A tile would exceed the registers.</exception>
    public static IEnumerable<MatrixPlan> Plan(KernelShape shape, CorePlan managed)
    {
        if (!shape.HasMachineCode || shape.KvLoraRank % MatrixPlan.DimensionPanel != 0 || shape.CacheRowElements % 2 != 0)
        {
            yield break;
        }

        yield return Checked(PlanAvx512Bf16(shape, managed));
    }

    /// <summary>The plan, if its tiles fit the registers and its block the tiles.</summary>
    internal static MatrixPlan Checked(MatrixPlan plan)
    {
        Require(plan.ScoreRegisters(Math.Min(2, plan.Panels)) <= Registers, $"a score tile of {plan.TokenTile} tokens exceeds {Registers} registers");
        Require(plan.ValueRegisters <= Registers, $"a value tile of {plan.ColumnTiles.Max()} columns exceeds {Registers} registers");
        Require(plan.ColumnTiles.Sum() == plan.Heads, "value tiles do not cover the heads");
        Require(plan.BlockTokens % plan.TokenTile == 0 && plan.TokenTile % 2 == 0, "a block is no whole tiles of pairs");
        Require(plan.Depth / 2 % plan.DepthUnroll == 0, "the depth is no whole turns");
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
        int columns = (d.Heads + MatrixPlan.PanelColumns - 1) / MatrixPlan.PanelColumns * MatrixPlan.PanelColumns;

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
            d.CacheRowElements / 2 % 2 == 0 ? 2 : 1);
    }
}
