using MlaGen.Generator.Model;

namespace MlaGen.Generator.Planning;

/// <summary>From shape to the plans of decompressed cores of tiles: a pure function. Shapes whose latents are no whole tiles have none.</summary>
internal static class TilePrefillPlanner
{
    /// <summary>Keys of a tile: queries and sums stream by once a tile; keys and values stay in a second-level cache of 2 MB.</summary>
    private const int KeyTile = 512;

    /// <summary>Keys whose scores by a panel of queries, 32 KB, stay in a first-level cache of 48.</summary>
    private const int ScoreTile = 256;

    /// <summary>The plans of a shape, the best first.</summary>
    public static IEnumerable<TilePrefillPlan> Plan(KernelShape shape)
    {
        if (!shape.HasMachineCode || shape.KvLoraRank % MatrixPlan.TileDepth != 0)
        {
            yield break;
        }

        foreach (MlaPrecision precision in (MlaPrecision[])[MlaPrecision.Medium, MlaPrecision.High])
        {
            yield return Checked(new TilePrefillPlan(
                precision,
                shape.KvLoraRank,
                Whole(shape.QkHeadDim, precision == MlaPrecision.Medium ? CodeProductPlan.Depth : TileProductPlan.Side),
                Whole(shape.QkNopeHeadDim, TileProductPlan.Side),
                Whole(shape.VHeadDim, TileProductPlan.Side),
                KeyTile,
                ScoreTile,
                TileProductPlan.Side));
        }
    }

    /// <summary>The plan, if all that its products take are whole tiles.</summary>
    /// <exception cref="InvalidOperationException">They are not.</exception>
    internal static TilePrefillPlan Checked(TilePrefillPlan plan)
    {
        foreach ((string what, int number) in ((string, int)[])[("latents", plan.KvLoraRank), ("keys' elements", plan.KeyDepth), ("keys' columns", plan.KeyColumns), ("values' elements", plan.ValueRows), ("keys of a tile of scores", plan.ScoreTile)])
        {
            if (number % TileProductPlan.Side != 0)
            {
                throw new InvalidOperationException($"Prefill{plan.Name}: {what}, {number}, are no whole tiles of {TileProductPlan.Side}. The planner should have cut it otherwise.");
            }
        }

        if (plan.CodeScores is not null && plan.KeyDepth % CodeProductPlan.Depth != 0)
        {
            throw new InvalidOperationException($"Prefill{plan.Name}: keys' elements, {plan.KeyDepth}, are no whole steps of {CodeProductPlan.Depth} codes. The planner should have cut it otherwise.");
        }

        if (plan.KeyTile % plan.ScoreTile != 0)
        {
            throw new InvalidOperationException($"Prefill{plan.Name}: a tile's keys, {plan.KeyTile}, are no whole tiles of {plan.ScoreTile} scores. The planner should have cut it otherwise.");
        }

        return plan;
    }

    private static int Whole(int number, int tile) => (number + tile - 1) / tile * tile;
}
