using MlaGen.Generator.Model;
using MlaGen.Generator.Planning;
using MlaGen.Generator.Validation;
using Tier = MlaGen.Generator.Planning.SimdTier;

namespace MlaGen.Generator.Tests.Planning;

/// <summary>What holds of every plan: of all published models, and of shapes at random up to the largest that are accepted.</summary>
public class PlanInvariantTests
{
    private const int FirstLevelCache = 32 << 10;
    private const int CacheLine = 64;

    private static readonly (string Name, KernelPlan Plan)[] _published = [.. PlannedShapes.Published().Select(static model => (model.Name, KernelPlanner.Plan(KernelShape.Of(model.Spec.Dimensions))))];

    [Fact]
    public void A_plan_is_a_value()
    {
        (string Name, MlaSpec Spec)[] again = [.. PlannedShapes.Published()];
        Assert.Equal(_published.Length, again.Length);
        for (int i = 0; i < again.Length; i++)
        {
            KernelPlan plan = KernelPlanner.Plan(KernelShape.Of(again[i].Spec.Dimensions));
            Assert.NotSame(_published[i].Plan, plan);
            Assert.Equal(_published[i].Plan, plan);
            Assert.Equal(_published[i].Plan.GetHashCode(), plan.GetHashCode());
        }

        CorePlan core = _published[0].Plan.Tiers[0].Decode;
        Assert.NotEqual(core, core with { TokenTiles = new EquatableArray<int>([6, 1]) });
    }

    [Fact]
    public void Stripes_follow_each_other_and_cover_their_axis() => AllCores(static (core, d) =>
    {
        AssertFollow(core.ColumnStripes, core.Columns);
        AssertFollow(core.ValueStripes, core.ValueDim);
        if (core.IsAbsorbed)
        {
            Assert.InRange(core.Columns - d.Heads, 0, core.Tier.Lanes == 1 ? 0 : 3);
        }
    });

    [Fact]
    public void Tiles_add_up_and_none_is_nearly_empty() => AllCores(static (core, d) =>
    {
        if (core.IsAbsorbed)
        {
            Assert.Equal(d.Heads, core.ColumnTiles.Sum());
            Assert.InRange(core.ColumnTiles.Max() - core.ColumnTiles.Min(), 0, 1);
        }
        else
        {
            // Any number of panels, up to all columns, falls into the tiles: the widest as often as it fits, each other one at most once.
            for (int columns = 2 * core.Tier.Lanes; columns <= core.Columns; columns += 2 * core.Tier.Lanes)
            {
                Assert.Equal(0, core.ColumnTiles.Skip(1).Aggregate(columns % core.ColumnTiles[0], static (rest, tile) => rest >= tile ? rest - tile : rest));
            }
        }

        Assert.Equal(1, core.TokenTiles[core.TokenTiles.Count - 1]);
    });

    [Fact]
    public void A_block_is_whole_tiles_and_its_scores_lie_an_odd_number_of_cache_lines_apart() => AllCores(static (core, _) =>
    {
        Assert.Equal(0, core.BlockTokens % core.TokenTiles[0]);
        Assert.InRange(core.ScoreStride, core.Columns, core.Columns + 31);
        Assert.Equal(1, core.ScoreStride / 16 % 2);
        Assert.Equal(0, core.ScoreStride % 16);
    });

    [Fact]
    public void Decompressed_keys_and_values_have_room_for_whole_product_tiles() => AllCores(static (core, d) =>
    {
        if (core.IsAbsorbed)
        {
            Assert.Equal((d.CacheRowElements, d.CacheRowElements), (core.KeyStride, core.ValueStride));
            return;
        }

        // A product tile writes 12 rows of two vectors of 16.
        Assert.Equal(0, core.BlockTokens % 12);
        Assert.InRange(core.KeyStride, Math.Max(d.QkHeadDim, WholePairs(d.QkNopeHeadDim)), int.MaxValue);
        Assert.InRange(core.ValueStride, WholePairs(d.VHeadDim), WholePairs(d.VHeadDim) + 16);
        Assert.Equal(1, core.ValueStride / 16 % 2);

        static int WholePairs(int outputs) => (outputs + 31) / 32 * 32;
    });

    [Fact]
    public void What_a_published_model_works_on_fits_the_second_level_cache_and_a_value_tile_the_first()
    {
        Assert.All(_published, static model => Assert.All(model.Plan.Tiers, static tier =>
        {
            Assert.InRange(tier.Decode.WorkingSetBytes, 1, KernelPlanner.SecondLevelCache);
            Assert.InRange(tier.Prefill.WorkingSetBytes, 1, KernelPlanner.SecondLevelCache);
            Assert.InRange(tier.Decode.ValueTileBytes, 1, FirstLevelCache);
        }));
    }

    [Fact]
    public void A_tile_asks_for_as_many_cached_rows_as_it_works_on() => AllCores(static (core, d) =>
    {
        if (!core.IsAbsorbed)
        {
            return;
        }

        TilePlan[] asking = [.. core.ScoreTiles.Where(static tile => tile.Prefetches > 0)];
        bool hasRowsToAskFor = core.Tier.Lanes > 1 && !core.ColumnStripes[0].ByDepth;
        Assert.Equal(hasRowsToAskFor ? 1 : 0, asking.Length);
        Assert.All(asking, tile => Assert.InRange(tile.Prefetches * d.CacheRowElements / core.DepthsOfRound * CacheLine, tile.Rows * sizeof(float) * d.CacheRowElements, (tile.Rows * sizeof(float) * d.CacheRowElements) + (d.CacheRowElements * CacheLine)));
    });

    [Fact]
    public void Tiles_of_a_prompt_ask_for_all_queries_and_outputs_that_are_next() => AllCores(static (core, _) =>
    {
        if (core.IsAbsorbed || core.Tier.Lanes == 1)
        {
            Assert.All(core.ValueTiles, static tile => Assert.Equal(0, tile.Prefetches));
            return;
        }

        // Each tile takes its share of a tile of queries, in steps that leave out no cache line where the keys are a whole tile.
        TilePlan scores = Assert.Single(core.ScoreTiles, static tile => tile.Prefetches > 0);
        Assert.Equal(core.TokenTiles[0], scores.Rows);
        Assert.All(core.ValueTiles.Append(scores), tile =>
        {
            Assert.Equal(1, tile.Prefetches);
            int steps = tile.Kind == TileKind.Values ? CorePlan.TokensOfRound : core.DepthsOfRound;
            Assert.InRange(steps * tile.Rows * tile.Width * sizeof(float), 1, core.BlockTokens * CacheLine);
        });
    });

    [Fact]
    public void Registers_and_methods_stay_within_their_limits() => AllCores(static (core, _) =>
    {
        MethodPlan[] methods = [.. core.Methods];
        Assert.Distinct(methods.Select(static method => method.Name));
        Assert.All(core.ScoreTiles.Concat(core.ValueTiles), tile =>
        {
            RegisterLedger ledger = Assert.Single(methods, method => method.Name == tile.Name).Registers!;
            Assert.Equal((tile.Rows * tile.Vectors, tile.Vectors, 1), (ledger.Sums, ledger.Operands, ledger.Broadcasts));
            Assert.InRange((tile.Rows * tile.Vectors) + tile.Vectors + 1, 1, core.Tier.Name is "Vector512" or "Vector128" ? 31 : 15);
            Assert.Equal(ledger.Limit - ledger.Total, ledger.Spare);
        });
        Assert.All(methods, static method =>
        {
            Assert.InRange(method.IlInstructions, 1, 8000);
            Assert.InRange(method.MultiplyAdds, 0, 1000);
            Assert.InRange(method.Locals, 0, 256);
        });
    });

    private static void AssertFollow(IReadOnlyList<Stripe> stripes, int length)
    {
        int end = 0;
        foreach (Stripe stripe in stripes)
        {
            Assert.Equal(end, stripe.Start);
            Assert.InRange(stripe.Tiles, 1, length);
            end = stripe.End;
        }

        Assert.Equal(length, end);
    }

    private static void AllCores(Action<CorePlan, KernelShape> assert)
    {
        foreach ((string name, KernelPlan plan) in _published)
        {
            foreach (TierPlan tier in plan.Tiers)
            {
                Try(name, tier.Decode, plan.Shape);
                Try(name, tier.Prefill, plan.Shape);
            }
        }

        Random random = new(20251125);
        for (int i = 0; i < 100; i++)
        {
            KernelShape shape = new(
                Heads: random.Next(1, i < 50 ? 140 : Limits.Heads + 1),
                KvLoraRank: random.Next(1, Limits.KvLoraRank + 1),
                QkNopeHeadDim: random.Next(1, Limits.HeadDim + 1),
                QkRopeHeadDim: 2 * random.Next(0, 65),
                VHeadDim: random.Next(1, Limits.HeadDim + 1));
            foreach (Tier tier in Tier.All)
            {
                Try(shape.ToString(), KernelPlanner.PlanDecode(tier, shape), shape);
                Try(shape.ToString(), KernelPlanner.PlanPrefill(tier, shape), shape);
            }
        }

        void Try(string name, CorePlan core, KernelShape shape)
        {
            if (Record.Exception(() => assert(core, shape)) is { } problem)
            {
                Assert.Fail($"{name}, {(core.IsAbsorbed ? "decode" : "prefill")}, {core.Tier.Name}: {problem.Message}");
            }
        }
    }
}
