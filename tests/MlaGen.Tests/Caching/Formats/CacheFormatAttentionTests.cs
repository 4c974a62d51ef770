using MlaGen.Tests.Attention;
using MlaGen.Tests.Golden;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Caching.Formats;

/// <summary>Rows of each format within a cache, and layers over them. Attention over each format stands in the acceptance suite.</summary>
public sealed class CacheFormatAttentionTests
{
    public static TheoryData<CacheFormat> Formats => [.. TestLayer.Formats.Where(format => format != CacheFormat.Float32)];

    [Fact]
    public void A_class_states_its_format_and_a_cache_may_have_another()
    {
        AssertLayout<BFloat16Attention>(CacheFormat.BFloat16, 156);
        AssertLayout<Float16Attention>(CacheFormat.Float16, 160);
        AssertLayout<Float8Attention>(CacheFormat.Float8, 240);
        AssertLayout<Int8Attention>(CacheFormat.Int8, 117);
        AssertLayout<YarnAttention>(CacheFormat.Float32, 320);

        using LatentCache<YarnAttention> other = YarnAttention.CreateCache(1, 1, new LatentCacheOptions { Format = CacheFormat.Float16 });
        Assert.Equal((CacheFormat.Float16, 160), (other.Layout.Format, other.Layout.RowBytes));
        Assert.Equal(other.Bytes, YarnAttention.CacheBytes(1, 1, CacheFormat.Float16));
        Assert.Throws<ArgumentOutOfRangeException>(() => YarnAttention.CreateCache(1, 1, new LatentCacheOptions { Format = (CacheFormat)99 }));

        static void AssertLayout<T>(CacheFormat format, int rowBytes)
            where T : class, IMlaAttention<T>
        {
            var layout = CacheLayout.Of<T>();
            Assert.Equal((format, rowBytes), (layout.Format, layout.RowBytes));
        }
    }

    /// <summary>What the cache gives back is what the format makes of each row, whatever the pages.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void A_cache_holds_what_its_format_makes_of_a_row(CacheFormat format)
    {
        TestLayer layer = TestLayer.Get(format);
        OracleSpec spec = layer.Spec;
        float[] rows = AttendLatentTests.Rows(spec, "stored", 157);
        float[] reference = [.. rows.Chunk(spec.RowWidth).SelectMany(row => ReferenceRow.Decode(format, ReferenceRow.Encode(format, row, spec.KvLoraRank), spec.KvLoraRank, spec.QkRopeHeadDim))];
        foreach (int pageTokens in (int[])[0, 1, 37])
        {
            using AttentionRun run = layer.Open(new RunOptions { PageTokens = pageTokens });
            LatentSequence sequence = run.CreateSequence(rows.AsSpan(0, 140 * spec.RowWidth), spec.RowWidth);
            run.Append(sequence, rows.AsSpan(140 * spec.RowWidth), spec.RowWidth);
            Compare.AssertSameBits($"rows, pages of {pageTokens}", AttentionRun.Rows(sequence, spec.RowWidth), reference);
        }
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
