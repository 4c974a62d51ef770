using MlaGen.Generator.Model;

namespace MlaGen.Generator.Planning;

/// <summary>From shape to plan: a pure function, each decision a method of its own.</summary>
internal static class KernelPlanner
{
    /// <summary>Floats that a block of scores should not exceed: with the block's rows they share the second-level cache.</summary>
    private const int ScoreBudget = 32 * 1024;

    /// <summary>Keys of a decompressed tile: whole tiles of 12 and 24, as many as with their values, scores and queries fit a second-level cache of a megabyte.</summary>
    private const int PrefillKeys = 240;

    /// <summary>
    /// Rows that are used where they lie are asked for as many tokens ahead as the widest score tile of any tier has: nearer, they come too late;
    /// farther, they crowd out what the first-level cache still needs.
    /// </summary>
    private const int PrefetchTokens = 24;

    private const int CacheLineFloats = 16;

    /// <summary>Query tokens beyond which sharing a pass over their rows saves too little to matter.</summary>
    private const int ManyQueries = 8;

    /// <summary>Outputs of a product tile of the widest tier.</summary>
    private const int ProductOutputs = 32;

    /// <summary>The second-level cache that blocks are sized for, in bytes: the smallest among the processors of servers.</summary>
    public const int SecondLevelCache = 1 << 20;

    /// <summary>Two blocks a part, since each part costs a pass over the outputs, and as many parts as share out over many cores.</summary>
    private static readonly KeySplit _keySplit = new(MostParts: 64, SingleBlockParts: 4, PartBlocks: 2);

    /// <summary>The plan of a valid shape.</summary>
    /// <exception cref="InvalidOperationException">A method would exceed a limit of registers or of the JIT.</exception>
    public static KernelPlan Plan(KernelShape shape)
    {
        var tiers = new EquatableArray<TierPlan>(SimdTier.All.Select(tier => new TierPlan(tier, PlanDecode(tier, shape), PlanPrefill(tier, shape))));
        return new(
            shape,
            tiers,
            BreakEvenQueries(shape),
            _keySplit,
            new EquatableArray<MatrixPlan>(MatrixPlanner.Plan(shape, tiers[0].Decode)),
            new EquatableArray<TilePrefillPlan>(TilePrefillPlanner.Plan(shape)),
            new EquatableArray<MatrixPrefillPlan>(MatrixPrefillPlanner.Plan(shape)));
    }

    /// <summary>
    /// Query tokens of a sequence that go through its blocks together: a power of two, so that it can be halved until there is work for all threads. More of them
    /// share what reading and decoding a row costs, until their queries and sums, which each block goes through again, no longer come from the caches nearby.
    /// </summary>
    /// <param name="bytes">Those of a query token, of all heads.</param>
    /// <param name="most">Those of all query tokens.</param>
    internal static int MostQueries(int bytes, int most)
    {
        int queries = ManyQueries;
        while (queries > 1 && queries * bytes > most)
        {
            queries /= 2;
        }

        return queries;
    }

    /// <summary>The core, if every method of it stays within the limits.</summary>
    internal static CorePlan Checked(CorePlan core)
    {
        foreach (MethodPlan method in core.Methods)
        {
            method.Check($"{(core.IsAbsorbed ? "Decode" : "Prefill")}{core.Tier.Name}");
        }

        return core;
    }

    /// <summary>
    /// New tokens at which decompressing keys and values once costs as much as working on latents for each of them, for a context much
    /// longer than that: R(n+v) / ((2R+r) - (n+r+v)).
    /// </summary>
    internal static int BreakEvenQueries(KernelShape d)
    {
        int saved = ((2 * d.KvLoraRank) + d.QkRopeHeadDim) - (d.QkHeadDim + d.VHeadDim);
        return saved <= 0 ? 0 : Math.Max(1, (d.KvLoraRank * (d.QkNopeHeadDim + d.VHeadDim)) / saved);
    }

    internal static CorePlan PlanDecode(SimdTier tier, KernelShape d)
    {
        EquatableArray<Stripe> columns = LastByDepth(Stripes(d.Heads, tier.Lanes, pad: true), d.CacheRowElements, tier);
        int padded = columns[columns.Count - 1].End;
        int stride = OddCacheLines(padded);
        return Checked(new CorePlan(
            tier,
            IsAbsorbed: true,
            Depth: d.CacheRowElements,
            KeyStride: d.CacheRowElements,
            ValueDim: d.KvLoraRank,
            ValueStride: d.CacheRowElements,
            Columns: padded,
            ColumnStripes: columns,
            ValueStripes: Stripes(d.KvLoraRank, tier.Lanes, pad: false),
            TokenTiles: TokenTiles(tier, columns),
            DepthTile: DepthTile(tier),
            ColumnTiles: BalancedTiles(d.Heads, tier),
            BlockTokens: BlockTokens(stride),
            ScoreStride: stride,
            PrefetchTokens: tier.Lanes > 1 ? PrefetchTokens : 0));
    }

    internal static CorePlan PlanPrefill(SimdTier tier, KernelShape d)
    {
        int rows = RowsBesideTwoVectors(tier);
        int columns = 8 * rows;
        var stripes = new EquatableArray<Stripe>([new Stripe(0, tier.Lanes, 2, columns / (2 * tier.Lanes))]);
        int stride = OddCacheLines(columns);
        return Checked(new CorePlan(
            tier,
            IsAbsorbed: false,
            Depth: d.QkHeadDim,
            KeyStride: Math.Max(d.QkHeadDim, WholeProducts(d.QkNopeHeadDim)),
            ValueDim: d.VHeadDim,
            ValueStride: OddCacheLines(WholeProducts(d.VHeadDim)),
            Columns: columns,
            ColumnStripes: stripes,
            ValueStripes: Stripes(d.VHeadDim, tier.Lanes, pad: false),
            TokenTiles: TokenTiles(tier, stripes),
            DepthTile: DepthTile(tier),
            ColumnTiles: new EquatableArray<int>([rows, rows * 2 / 3, rows / 3]),
            BlockTokens: PrefillKeys,
            ScoreStride: stride,
            PrefetchTokens: 0));
    }

    /// <summary>
    /// Cuts an axis into pairs of full vectors, a single one, and what remains into vectors of 8 and 4 floats. The rest below 4 is padded up
    /// to 4 where the memory is ours, and handled float by float where it is not.
    /// </summary>
    internal static EquatableArray<Stripe> Stripes(int length, int lanes, bool pad)
    {
        var stripes = new List<Stripe>();
        int start = 0;
        void Add(int width, int vectors, int tiles)
        {
            if (tiles > 0)
            {
                stripes.Add(new Stripe(start, width, vectors, tiles));
                start += width * vectors * tiles;
            }
        }

        Add(lanes, 2, length / (2 * lanes));
        Add(lanes, 1, (length - start) / lanes);
        for (int width = lanes / 2; width >= 4; width /= 2)
        {
            // A rest that is more than half a vector is cheaper in one padded vector than in two smaller ones.
            bool rounded = pad && width > 4 && length - start > width / 2 && length - start < width;
            Add(width, 1, rounded ? 1 : (length - start) / width);
        }

        if (start < length)
        {
            if (pad && lanes >= 4)
            {
                Add(4, 1, 1);
            }
            else
            {
                Add(1, 1, length - start);
            }
        }

        return new EquatableArray<Stripe>(stripes);
    }

    /// <summary>
    /// A rest of four columns fills a fraction of a vector. If the depth is a whole number of vectors, it can lie in lanes instead, and each
    /// sum is added up across its lanes at the end.
    /// </summary>
    private static EquatableArray<Stripe> LastByDepth(EquatableArray<Stripe> columns, int depth, SimdTier tier)
    {
        Stripe last = columns[columns.Count - 1];
        return last.Lanes == 4 && tier.Lanes > 4 && depth % tier.Lanes == 0
            ? new EquatableArray<Stripe>([.. columns.Take(columns.Count - 1), last with { ByDepth = true }])
            : columns;
    }

    /// <summary>Rows of a tile of two vectors: sums, two vectors and a broadcast must fit the registers.</summary>
    private static int RowsBesideTwoVectors(SimdTier tier) => tier.Registers >= 32 ? 12 : 6;

    private static EquatableArray<int> TokenTiles(SimdTier tier, EquatableArray<Stripe> columns)
    {
        // A lone vector of queries has registers for twice as many tokens; a short block then takes half the tile.
        int rows = RowsBesideTwoVectors(tier);
        return new EquatableArray<int>(columns.Any(stripe => stripe.Vectors == 2) ? [rows, 4, 1] : [2 * rows, rows, 4, 1]);
    }

    /// <summary>Tokens of a tile of four columns with the depth in lanes: four sums each, beside the four vectors of queries and one of a key.</summary>
    private static int DepthTile(SimdTier tier) => tier.Registers >= 32 ? 6 : 2;

    /// <summary>As few tiles as registers allow, of sizes that differ by at most one: no tile is left nearly empty.</summary>
    internal static EquatableArray<int> BalancedTiles(int columns, SimdTier tier)
    {
        int most = (tier.RegisterBudget - 3) / 2;
        int tiles = (columns + most - 1) / most;
        return new EquatableArray<int>(Enumerable.Range(0, tiles).Select(i => (columns / tiles) + (i < columns % tiles ? 1 : 0)));
    }

    /// <summary>Tokens of a block: as many as the score budget holds, between 96 and 144, whole tiles of 12 and 24.</summary>
    private static int BlockTokens(int scoreStride) => Math.Max(96, Math.Min(144, ScoreBudget / scoreStride / 48 * 48));

    /// <summary>Outputs that product tiles write for so many: whole pairs of the widest vectors.</summary>
    private static int WholeProducts(int outputs) => (outputs + ProductOutputs - 1) / ProductOutputs * ProductOutputs;

    /// <summary>Whole cache lines, and an odd number of them, so that what stands at one place of successive rows falls into different sets of the cache.</summary>
    internal static int OddCacheLines(int floats)
    {
        int lines = (floats + CacheLineFloats - 1) / CacheLineFloats;
        return (lines % 2 == 0 ? lines + 1 : lines) * CacheLineFloats;
    }
}
