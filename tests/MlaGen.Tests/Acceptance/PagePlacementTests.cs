using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Acceptance;

/// <summary>A11: the same text on pages in order, in reverse, in random order and shared with others: the same bits.</summary>
[Trait("Suite", "Acceptance")]
public sealed class PagePlacementTests
{
    private const int PageTokens = 16;
    private const int Pages = 24;

    /// <summary>Over more than a block, the last page partly filled before the text and after it.</summary>
    private const int Cached = 150;
    private const int Tokens = 7;
    private const int PagesOfText = (Cached + Tokens + PageTokens - 1) / PageTokens;

    public static TheoryData<CacheFormat, MlaForm> Cases => TestLayer.FormatsWith(MlaForm.Absorbed, MlaForm.Decompressed);

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_order_of_pages_changes_no_bit(CacheFormat format, MlaForm form)
    {
        var text = new Continuation(TestLayer.Get(format), "pages", Cached, Tokens);
        float[] expected = text.Whole(new RunOptions { Form = form });
        int[] inOrder = [.. Enumerable.Range(0, PagesOfText)];
        int[] random = [.. inOrder];
        new Random(7).Shuffle(random);
        foreach (int[] order in (int[][])[inOrder, [.. inOrder.Reverse()], random, [.. random.Select(page => (2 * page) + 1)]])
        {
            using AttentionRun run = Open(text.Layer, form);
            Arrange(run, order);
            LatentSequence sequence = text.Start(run);
            float[] output = run.Step(new Chunk(sequence, text.Prompt))[0];
            Assert.Equal(order, sequence.Pages.ToArray());
            Compare.AssertSameBits($"pages {string.Join(' ', order)}", output, expected);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Pages_that_others_hold_too_change_no_bit(CacheFormat format, MlaForm form)
    {
        var text = new Continuation(TestLayer.Get(format), "pages", Cached, Tokens);
        float[] expected = text.Whole(new RunOptions { Form = form });
        Prompt other = Prompt.Random("others", Tokens, text.Prompt.Width, start: Cached);
        using AttentionRun run = Open(text.Layer, form);
        LatentSequence source = text.Start(run);
        LatentSequence fork = source.Fork();
        LatentSequence forkOfFork = fork.Fork();
        Assert.Equal((10, 10), (run.Pool.UsedPages, run.Pool.SharedPages));

        // All three in one step: each copies the last page.
        float[][] outputs = run.Step(new Chunk(source, text.Prompt), new Chunk(fork, other), new Chunk(forkOfFork, text.Prompt));

        Assert.Equal(9, run.Pool.SharedPages);
        Compare.AssertSameBits("the source", outputs[0], expected);
        Compare.AssertSameBits("a fork of a fork", outputs[2], expected);
        fork.Truncate(Cached);
        Compare.AssertSameBits("a fork that went another way first", run.Feed(fork, text.Prompt), expected);
    }

    private static AttentionRun Open(TestLayer layer, MlaForm form) => layer.Open(new RunOptions { Form = form, PageTokens = PageTokens, MaxTokens = Pages * PageTokens });

    /// <summary>Has the free pages come in this order: the one that came back last goes out first.</summary>
    private static void Arrange(AttentionRun run, int[] order)
    {
        Dictionary<int, LatentSequence> holders = [];
        for (int i = 0; i < Pages; i++)
        {
            LatentSequence holder = run.CreateSequence();
            Assert.True(holder.TryReserve(1));
            holders.Add(holder.Pages[0], holder);
        }

        foreach (int page in order.Reverse())
        {
            holders[page].Dispose();
        }
    }
}
