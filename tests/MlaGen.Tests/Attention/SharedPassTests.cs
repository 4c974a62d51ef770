using MlaGen.Runtime;
using MlaGen.Tests.Acceptance;
using MlaGen.Tests.Caching;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary>Query tokens of one sequence that go through its blocks together: each has the bits that it has alone, and a block is decoded once for all of them.</summary>
public sealed class SharedPassTests
{
    private const int Queries = 11;

    /// <summary>Every format at each precision that has cores for it, on a part of a block, on one block for some queries and two for others, and on many.</summary>
    public static TheoryData<string, CacheFormat, int> Contexts
    {
        get
        {
            TheoryData<string, CacheFormat, int> data = [];
            foreach (LatentShape shape in _shapes)
            {
                // At precision high rows of other formats are attended to as at the highest.
                foreach (CacheFormat format in shape.Precision == MlaPrecision.High ? [CacheFormat.BFloat16] : TestLayer.Formats)
                {
                    foreach (int tokens in (int[])[19, 150, 293, 1500])
                    {
                        data.Add(shape.ToString(), format, tokens);
                    }
                }
            }

            return data;
        }
    }

    private static readonly LatentShape[] _shapes =
    [
        new(16),
        new(16, 512, 64, CacheFormat.BFloat16, MlaPrecision.Medium),
        new(20, 96, 8, CacheFormat.Float32, MlaPrecision.Medium),
        new(16, 512, 64, CacheFormat.BFloat16, MlaPrecision.High),
    ];

    [Theory]
    [MemberData(nameof(Contexts))]
    public void A_query_has_the_bits_that_it_has_alone(string name, CacheFormat format, int tokens)
    {
        LatentShape shape = _shapes.Single(shape => shape.ToString() == name);
        TestLayer layer = shape.TestLayer;
        OracleSpec spec = layer.Spec;
        int width = spec.Heads * spec.RowWidth;
        float[] rows = AttendLatentTests.Rows(spec, "shared pass", tokens);
        float[] queries = AttendLatentTests.Queries(spec, "shared pass", Queries);
        List<float> expected = [];

        // Rows of the class's own format are read where they lie; others are gathered from short pages.
        int page = format == shape.Format ? 0 : 16;
        using (AttentionRun alone = layer.Open(new RunOptions { Format = format, Threads = 1, PageTokens = page }))
        {
            for (int query = 0; query < Queries; query++)
            {
                using LatentSequence seen = alone.CreateSequence(rows.AsSpan(0, (tokens - Queries + query + 1) * spec.RowWidth), spec.RowWidth);
                expected.AddRange(AttendLatentTests.Attend(alone, spec, [(seen, queries[(query * width)..((query + 1) * width)])]).Output);
            }
        }

        int latents = spec.Heads * spec.KvLoraRank;
        foreach (RunOptions options in (RunOptions[])[new() { Threads = 1, PageTokens = page }, new() { Threads = 2, PageTokens = page }, new() { Threads = 5, PageTokens = 19 }])
        {
            using AttentionRun run = layer.Open(options with { Format = format });
            using LatentSequence sequence = run.CreateSequence(rows, spec.RowWidth);
            using LatentSequence other = run.CreateSequence(rows.AsSpan(spec.RowWidth), spec.RowWidth);
            Compare.AssertSameBits($"together, {options}", AttendLatentTests.Attend(run, spec, [(sequence, queries)]).Output, expected.ToArray());

            // The last ones again, beside another sequence that has as many blocks.
            float[] found = AttendLatentTests.Attend(run, spec, [(other, queries[..(2 * width)]), (sequence, queries[^(2 * width)..])]).Output;
            Compare.AssertSameBits($"beside another sequence, {options}", found.AsSpan()[^(2 * latents)..], [.. expected[^(2 * latents)..]]);
        }
    }

    /// <summary>
    /// The core marks the rows that it is handed: without the mark they were decoded again. The queries see 22 to 32 keys in blocks of four: three of them 6 blocks,
    /// four 7, and four 8; or, not causal, all of them 8.
    /// </summary>
    [Theory]
    [InlineData(true, 1, 8, 1, (3 * 6) + (4 * 7) + (4 * 8))]
    [InlineData(true, 4, 8, 1, 6 + 7 + 8)]
    [InlineData(false, 4, 8, 1, 3 * 8)]
    [InlineData(false, 16, 8, 1, 8)]
    [InlineData(false, 16, 8, 2, 8)]
    public void A_block_is_decoded_once_for_all_queries_that_go_through_it_together(bool isCausal, int mostQueries, int mostParts, int threads, int expected)
        => Assert.Equal(expected, Decoded(isCausal, mostQueries, mostParts, threads));

    /// <summary>Rows in one part each cannot be split, so that they are brought together less.</summary>
    [Theory]
    [InlineData(1, 8)]
    [InlineData(2, Queries * 8)]
    public void There_is_work_for_all_threads(int threads, int expected) => Assert.Equal(expected, Decoded(isCausal: false, mostQueries: 16, mostParts: 1, threads));

    private static int Decoded(bool isCausal, int mostQueries, int mostParts, int threads)
    {
        MarkedLayer.Prepare(mostQueries, mostParts);
        MlaShape shape = MarkedLayer.Shape;
        using MlaExecutor executor = new(threads);
        using LatentCache<MarkedLayer> cache = new(layers: 1, maxTokens: 32, new LatentCacheOptions { Format = CacheFormat.Float16 });
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<MarkedLayer> batch = cache.CreateBatch(executor);
        batch.Add(sequence, 32);
        MlaLayer.AppendLatent(batch, 0, new float[32 * shape.CacheRowElements]);
        batch.Commit();
        batch.AddQueries(sequence, Queries, isCausal);
        MlaLayer.AttendLatent(batch, 0, new float[Queries * shape.Heads * shape.CacheRowElements], new float[Queries * shape.Heads * shape.KvLoraRank], new float[Queries * shape.Heads]);
        return MarkedLayer.Decoded;
    }

    /// <summary>A layer whose core does nothing but mark rows.</summary>
    private sealed class MarkedLayer : CacheOnly<MarkedLayer>, IMlaAttention<MarkedLayer>
    {
        private static int s_decoded;

        public static int Decoded => s_decoded;

        public static MlaDefinition Definition { get; private set; } = null!;

        public static void Prepare(int mostQueries, int mostParts)
        {
            s_decoded = 0;
            Definition = new TestDefinition(TinyAttention.Shape) { BlockTokens = 4, MostQueries = mostQueries, MostParts = mostParts, AbsorbedCore = static (target, operand, layout) => new MarkingCore(target, operand, layout) }.Build();
        }

        private sealed class MarkingCore(CoreTarget target, RowOperand operand, AbsorbedLayout layout) : AbsorbedCore(target, operand, layout)
        {
            private const byte Mark = 0x5A;

            public override void Attend(ref AbsorbedBlock block)
            {
                if (block.Rows != Mark)
                {
                    Interlocked.Increment(ref s_decoded);
                    Assert.NotEqual(RowSharing.Again, block.Sharing);
                }

                block.Rows = Mark;
            }
        }
    }
}
