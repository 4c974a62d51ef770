using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Acceptance;

/// <summary>A7: a prompt in chunks of one token, of a page, of a page and a token, and beyond its end.</summary>
[Trait("Suite", "Acceptance")]
public sealed class ChunkedPrefillTests
{
    private const int PageTokens = 8;
    private const int Tokens = 26;

    /// <summary>Short of the end of a block and not at the beginning of a page, so that chunks begin and end at either.</summary>
    private const int Cached = 125;

    private static readonly int[] _chunks = [1, PageTokens, PageTokens + 1, Tokens + PageTokens];

    public static TheoryData<CacheFormat, MlaForm> PinnedForms => TestLayer.FormatsWith(MlaForm.Absorbed, MlaForm.Decompressed);

    public static TheoryData<CacheFormat> Formats => [.. TestLayer.Formats];

    [Theory]
    [MemberData(nameof(PinnedForms))]
    public void With_the_form_pinned_chunks_have_the_bits_of_the_whole(CacheFormat format, MlaForm form)
    {
        var text = new Continuation(TestLayer.Get(format), "chunks", Cached, Tokens);
        var options = new RunOptions { Form = form, PageTokens = PageTokens };
        float[] expected = text.Whole(options);
        using AttentionRun run = text.Layer.Open(options);
        foreach (int chunk in _chunks)
        {
            using LatentSequence sequence = text.Start(run);
            Compare.AssertSameBits($"chunks of {chunk}", run.Feed(sequence, text.Prompt, chunk), expected);
        }
    }

    /// <summary>Which form is taken may then depend on the chunk: first ones are large against what is cached, later ones and single tokens are not.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void With_the_form_left_open_chunks_stay_within_the_tolerance(CacheFormat format)
    {
        foreach (int cached in (int[])[0, Cached])
        {
            var text = new Continuation(TestLayer.Get(format), "open chunks", cached, Tokens);
            using AttentionRun run = text.Layer.Open(new RunOptions { Form = MlaForm.Auto, PageTokens = PageTokens });
            foreach (int chunk in _chunks)
            {
                using LatentSequence sequence = text.Start(run);
                text.AssertOracle($"chunks of {chunk} behind {cached}", run.Feed(sequence, text.Prompt, chunk), sequence);
            }
        }
    }
}
