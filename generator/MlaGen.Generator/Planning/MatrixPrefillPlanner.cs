using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Planning;

/// <summary>From shape to the plans of decompressed cores of machine code: a pure function. Shapes whose latents are no whole cache lines have none.</summary>
internal static class MatrixPrefillPlanner
{
    /// <summary>Vector registers of AVX-512.</summary>
    private const int Registers = 32;

    /// <summary>Keys of a tile: queries and sums go through the caches once for all of them, and their keys and values stay in a second-level cache.</summary>
    private const int KeyTile = 384;

    /// <summary>Keys whose scores are worked on at a time: whole tiles of 12 and 32, whose scores by a panel of queries stay in a first-level cache.</summary>
    private const int ScoreTile = 192;

    /// <summary>The plans of a shape, the best first.</summary>
    /// <param name="shape">The shape.</param>
    /// <exception cref="InvalidOperationException">A tile would exceed the registers.</exception>
    public static IEnumerable<MatrixPrefillPlan> Plan(KernelShape shape)
    {
        if (!shape.HasMachineCode || shape.KvLoraRank % MatrixPlan.TileDepth != 0)
        {
            yield break;
        }

        yield return Checked(PlanAvx512Bf16(shape));
    }

    /// <summary>The plan, if its tiles fit the registers and its key tile the tiles.</summary>
    internal static MatrixPrefillPlan Checked(MatrixPrefillPlan plan)
    {
        foreach (ProductPlan product in plan.Products)
        {
            Require(product.Registers <= Registers, $"a tile of {Counted.Of(product.RowTiles.Max(), "row")} of {product.Name} exceeds the registers, {Registers}");
            Require(product.Columns % ProductPlan.TileColumns == 0, $"the columns of {product.Name} are no whole tiles");
            Require(product.Depth / 2 % product.DepthUnroll == 0, $"the depth of {product.Name} is no whole turns");
        }

        Require(plan.KeyTile % plan.ScoreTile == 0, "a key tile is no whole tiles of scores");
        Require(plan.ScoreTile % plan.TokenTile == 0 && plan.ScoreTile % ProductPlan.TileColumns == 0 && plan.ScoreTile % plan.PaddedKeys == 0, "a tile of scores is no whole tiles");
        return plan;

        void Require(bool holds, string problem)
        {
            if (!holds)
            {
                throw new InvalidOperationException($"Prefill{plan.Target}: {problem}. The planner should have cut it otherwise.");
            }
        }
    }

    private static MatrixPrefillPlan PlanAvx512Bf16(KernelShape d) => new(
        "Avx512Bf16",
        MlaPrecision.Medium,
        d.KvLoraRank,
        WholeMultiple(d.QkHeadDim, 2),
        WholeMultiple(d.QkNopeHeadDim, ProductPlan.TileColumns),
        KernelPlanner.BalancedTiles(d.VHeadDim, SimdTier.Vector512),
        KeyTile,
        ScoreTile,
        TokenTile: 12,
        PaddedKeys: 2,
        ProductPlan.TileColumns);

    private static int WholeMultiple(int number, int of) => (number + of - 1) / of * of;
}
