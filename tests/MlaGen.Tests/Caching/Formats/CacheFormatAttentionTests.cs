using MlaGen.Tests.Attention;
using MlaGen.Tests.Golden;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Caching.Formats;

/// <summary>Attention over each format, against the oracle on what the cache decodes to.</summary>
public sealed class CacheFormatAttentionTests
{
    public static TheoryData<CacheFormat> Formats => [.. TestLayer.Formats.Where(format => format != CacheFormat.Float32)];

    [Fact]
    public void Generated_classes_state_the_format_and_its_bytes()
    {
        Assert.Equal((CacheFormat.BFloat16, 156), (BFloat16Attention.Shape.CacheFormat, BFloat16Attention.Shape.CacheRowBytes));
        Assert.Equal((CacheFormat.Float16, 160), (Float16Attention.Shape.CacheFormat, Float16Attention.CacheRowBytes));
        Assert.Equal((CacheFormat.Float8, 240), (Float8Attention.Shape.CacheFormat, Float8Attention.CacheRowBytes));
        Assert.Equal((CacheFormat.Int8, 117), (Int8Attention.Shape.CacheFormat, Int8Attention.CacheRowBytes));
        Assert.Equal(CacheFormat.Float32, YarnAttention.Shape.CacheFormat);
    }

    /// <summary>Tokens of earlier steps and of the same one are read as they are stored, whatever the pages.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void Attention_reads_what_the_cache_stores(CacheFormat format)
    {
        TestLayer layer = TestLayer.Get(format);
        OracleSpec spec = layer.Spec;
        foreach ((int cached, int added, int pageTokens) in (ReadOnlySpan<(int, int, int)>)[(0, 1, 0), (33, 1, 0), (140, 5, 37), (514, 17, 16), (3000, 2, 0)])
        {
            float[] rows = AttendLatentTests.Rows(spec, "stored", cached + added);
            float[] queries = AttendLatentTests.Queries(spec, "stored", added);
            float[] output = AttentionRun.Poisoned(added * spec.Heads * spec.KvLoraRank);
            float[] logSumExp = AttentionRun.Poisoned(added * spec.Heads);
            using AttentionRun run = layer.Open(new RunOptions { PageTokens = pageTokens });
            LatentSequence sequence = run.CreateSequence(rows.AsSpan(0, cached * spec.RowWidth), spec.RowWidth);
            run.Batch.Add(sequence, added);
            run.AppendLatent(rows.AsSpan(cached * spec.RowWidth));
            run.AttendLatent(queries, output, logSumExp);
            run.Batch.Commit();

            float[] stored = AttentionRun.Rows(sequence, spec.RowWidth);
            float[] reference = [.. rows.Chunk(spec.RowWidth).SelectMany(row => ReferenceRow.Decode(format, ReferenceRow.Encode(format, row, spec.KvLoraRank), spec.KvLoraRank, spec.QkRopeHeadDim))];
            Compare.AssertSameBits("rows", stored, reference);
            LatentAttention expected = AbsorbedOracle.Attend(spec, OracleMath.Widen(queries), added, OracleMath.Widen(stored));
            Tolerance tolerance = Tolerance.Float32.ForScores(expected.MaxScore);
            Compare.AssertClose<float, double>($"output, {cached} + {added}", output, expected.Output, tolerance);
            Compare.AssertClose<float, double>($"log-sum-exp, {cached} + {added}", logSumExp, expected.LogSumExp, tolerance);
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void An_all_zero_cache_gives_exactly_zero(CacheFormat format)
    {
        TestLayer layer = TestLayer.Get(format);
        OracleSpec spec = layer.Spec;
        using AttentionRun run = layer.Open(new RunOptions());
        (float[] output, _) = AttendLatentTests.Attend(run, spec, [(run.CreateSequence(new float[77 * spec.RowWidth], spec.RowWidth), AttendLatentTests.Queries(spec, "zeros", 1))]);
        Assert.All(output, value => Assert.Equal(0, value));
    }

    /// <summary>A prompt at once is its tokens one by one, bit for bit: none is seen before it has gone through the cache.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void A_prompt_may_be_cut_anywhere(CacheFormat format)
    {
        TestLayer layer = TestLayer.Get(format);
        Prompt prompt = Prompt.Random("cut", 45, layer.Spec.HiddenSize);
        float[] whole = Feed(layer, prompt, 45, MlaForm.Absorbed, out float[] wholeRows);
        float[] single = Feed(layer, prompt, 1, MlaForm.Absorbed, out float[] singleRows);
        float[] decompressed = Feed(layer, prompt, 45, MlaForm.Decompressed, out float[] decompressedRows);

        Compare.AssertSameBits("outputs", single, whole);
        Compare.AssertSameBits("rows", singleRows, wholeRows);
        Compare.AssertSameBits("decompressed rows", decompressedRows, wholeRows);
        Compare.AssertClose<float, float>("decompressed outputs", decompressed, whole, new Tolerance(1e-5, 1e-5, 1e-4));
    }

    [Fact]
    public void A_step_that_overflows_fp16_names_the_token_and_rolls_back()
    {
        TestLayer layer = TestLayer.Get(CacheFormat.Float16);
        OracleSpec spec = layer.Spec;
        using AttentionRun run = layer.Open(new RunOptions { PageTokens = 16 });
        float[] rows = AttendLatentTests.Rows(spec, "overflow", 20);
        LatentSequence sequence = run.CreateSequence(rows, spec.RowWidth);
        float[] before = AttentionRun.Rows(sequence, spec.RowWidth);
        float[] more = AttendLatentTests.Rows(spec, "more", 3);
        more[(2 * spec.RowWidth) + 7] = 70000;

        run.Batch.Add(sequence, 3);
        OverflowException error = Assert.Throws<OverflowException>(() => run.AppendLatent(more));
        Assert.StartsWith("Element 7 of token 22's cached row is 70000, which a cache of Float16 cannot hold.", error.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => run.Batch.Commit());
        run.Batch.Rollback();

        Assert.Equal(20, sequence.Length);
        Compare.AssertSameBits("rows", AttentionRun.Rows(sequence, spec.RowWidth), before);
    }

    private static float[] Feed(TestLayer layer, Prompt prompt, int chunk, MlaForm form, out float[] rows)
    {
        using AttentionRun run = layer.Open(new RunOptions { Form = form });
        LatentSequence sequence = run.CreateSequence();
        float[] outputs = run.Feed(sequence, prompt, chunk);
        rows = AttentionRun.Rows(sequence, layer.Spec.RowWidth);
        return outputs;
    }
}
