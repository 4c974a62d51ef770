using MlaGen.Generator.Model;
using MlaGen.Generator.Planning;
using MlaGen.Generator.Tests.Configs;
using Tier = MlaGen.Generator.Planning.SimdTier;

namespace MlaGen.Generator.Tests.Planning;

/// <summary>Shapes to plan, without a compilation, and a plan in a line.</summary>
internal static class PlannedShapes
{
    public static readonly KernelShape Story = new(Heads: 8, KvLoraRank: 64, QkRopeHeadDim: 16, QkNopeHeadDim: 32, VHeadDim: 32);

    /// <summary>DeepSeek-V3's widths with another number of heads: DeepSeek-V2-Lite and Kimi-K2 are no more than that to a planner.</summary>
    public static KernelShape DeepSeek(int heads) => new(heads, KvLoraRank: 512, QkRopeHeadDim: 64, QkNopeHeadDim: 128, VHeadDim: 128);

    public static readonly KernelShape MiniCpm3 = new(Heads: 40, KvLoraRank: 256, QkRopeHeadDim: 32, QkNopeHeadDim: 64, VHeadDim: 64);

    public static readonly KernelShape Glm47Flash = new(Heads: 20, KvLoraRank: 512, QkRopeHeadDim: 64, QkNopeHeadDim: 192, VHeadDim: 256);

    /// <summary>Every published model that can be generated, resolved anew at each call.</summary>
    public static IEnumerable<(string Name, MlaSpec Spec)> Published() => PublishedModel.All
        .Where(static model => model.IsSupportable)
        .Select(static model => (model.Name, ConfigRun.Spec(model.Config(model.Types[0], hasRopeParameters: false), model.IsSparse ? new MlaSettings { AllowDense = true } : MlaSettings.Empty)));

    public static Tier TierNamed(string name) => Tier.All.Single(tier => tier.Name == name);

    public static CorePlan Decode(KernelShape shape, string tier) => KernelPlanner.PlanDecode(TierNamed(tier), shape);

    public static CorePlan Prefill(KernelShape shape, string tier) => KernelPlanner.PlanPrefill(TierNamed(tier), shape);

    /// <summary>All that was decided, in a line.</summary>
    public static string Show(CorePlan core) => string.Join(
        " | ",
        $"columns {Show(core.ColumnStripes)}",
        $"values {Show(core.ValueStripes)}",
        $"tokens {string.Join(", ", core.TokenTiles)}",
        $"value tiles {string.Join(", ", core.ColumnTiles.GroupBy(static tile => tile).Select(static run => run.Count() == 1 ? $"{run.Key}" : $"{run.Count()} of {run.Key}"))}",
        $"block {core.BlockTokens} by {core.ScoreStride}",
        $"registers {MostRegisters(core, core.ScoreTiles)} and {MostRegisters(core, core.ValueTiles)} of {core.Tier.RegisterBudget}",
        $"ahead {core.PrefetchTokens}");

    private static int MostRegisters(CorePlan core, IEnumerable<TilePlan> tiles) => tiles.Max(tile => core.RegistersOf(tile).Total);

    private static string Show(IEnumerable<Stripe> stripes) => string.Join(" + ", stripes.Select(static stripe => stripe.ByDepth
        ? $"{stripe.Lanes} by depth"
        : $"{stripe.Tiles}×{(stripe.Vectors == 1 ? "" : $"{stripe.Vectors}×")}{stripe.Lanes}"));
}
