using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Serving;

/// <summary>A prompt whose beginning another one had already.</summary>
public sealed class PrefixReuseTests
{
    private const int PageTokens = 16;
    private const int Prefix = 500;
    private const int KnownTokens = Prefix / PageTokens * PageTokens;

    public static TheoryData<CacheFormat, MlaForm> Cases => TestLayer.FormatsWith(MlaForm.Absorbed, MlaForm.Decompressed);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Of_a_second_prompt_with_a_known_prefix_only_what_is_new_is_prefilled_to_the_same_bits(CacheFormat format, MlaForm form)
    {
        int[] prefix = Story.Text(seed: 1, Prefix);
        int[] first = [.. prefix, .. Story.Text(seed: 2, 21)];
        int[] second = [.. prefix, .. Story.Text(seed: 3, 33)];
        float[] expected = Alone(format, form, second, out float[] expectedRows);
        using AttentionRun run = Story.Layer(format).Open(new RunOptions { Form = form, PageTokens = PageTokens });
        using (LatentSequence sequence = run.CreateSequence())
        {
            run.Feed(sequence, Story.Prompt(first));
            run.Prefixes.Register(sequence, first);
        }

        // What knew the prefix is gone, and its pages are not.
        Assert.Equal(first.Length / PageTokens, run.Pool.UsedPages);
        for (int again = 0; again < 2; again++)
        {
            Assert.True(run.Prefixes.TryStart(second, out LatentSequence? started));
            Assert.Equal((KnownTokens, KnownTokens / PageTokens), (started.Length, run.Pool.SharedPages));
            int[] added = second[started.Length..];

            float[] output = run.Feed(started, Story.Prompt(added, start: started.Length));

            Compare.AssertSameBits("output", output, expected.AsSpan()[^output.Length..]);
            Compare.AssertSameBits("rows", AttentionRun.Rows(started, Story.Layer(format).Spec.RowWidth), expectedRows);
            started.Dispose();
        }
    }

    private static float[] Alone(CacheFormat format, MlaForm form, int[] text, out float[] rows)
    {
        using AttentionRun run = Story.Layer(format).Open(new RunOptions { Form = form });
        LatentSequence sequence = run.CreateSequence();
        float[] output = run.Feed(sequence, Story.Prompt(text));
        rows = AttentionRun.Rows(sequence, Story.Layer(format).Spec.RowWidth);
        return output;
    }
}
