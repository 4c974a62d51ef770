using MlaGen.Tests.Attention;
using MlaGen.Tests.Files;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Serving;

/// <summary>Texts that are saved, loaded into another cache, and go on there.</summary>
public sealed class SavedSequenceTests : IDisposable
{
    private const int PageTokens = 16;

    private readonly TemporaryDirectory _folder = new();

    public static TheoryData<CacheFormat> Formats => [.. TestLayer.Formats];

    private string File => _folder.At("story.cache");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_loaded_text_goes_on_to_the_same_bits_on_other_pages(CacheFormat format)
    {
        int width = Story.Layer(format).Spec.RowWidth;
        int[] text = Story.Text(seed: 1, 170);
        int[] notes = Story.Text(seed: 4, 9);
        Prompt here = Story.Prompt(Story.Text(seed: 2, 12), start: text.Length);
        Prompt there = Story.Prompt(Story.Text(seed: 3, 12), start: text.Length);

        using AttentionRun run = Open(format);
        LatentSequence sequence = run.CreateSequence();
        run.Feed(sequence, Story.Prompt(text));
        LatentSequence fork = sequence.Fork();
        run.Feed(fork, there.Slice(0, 4));
        int[] pages = sequence.Pages.ToArray();
        run.Save(File, new SavedSequence(sequence, notes), new SavedSequence(fork));
        float[] rows = AttentionRun.Rows(fork, width);
        float[] expected = run.Feed(sequence, here, chunk: 1);
        float[] expectedFork = run.Feed(fork, there.Slice(4, 8), chunk: 1);

        using AttentionRun other = Open(format);
        other.ShufflePages(seed: 5);
        SavedSequence[] loaded = other.Load(File);
        Assert.NotEqual(pages, loaded[0].Sequence.Pages.ToArray());
        Assert.Equal((12, 10), (other.Pool.UsedPages, other.Pool.SharedPages));
        Assert.Equal(notes, loaded[0].Tokens.ToArray());
        Compare.AssertSameBits("rows", AttentionRun.Rows(loaded[1].Sequence, width), rows);
        float[][] first = other.Step(new Chunk(loaded[1].Sequence, there.Slice(4, 8)), new Chunk(loaded[0].Sequence, here));
        Compare.AssertSameBits("the text", first[1], expected);
        Compare.AssertSameBits("its fork", first[0], expectedFork);
    }

    private static AttentionRun Open(CacheFormat format) => Story.Layer(format).Open(new RunOptions { PageTokens = PageTokens, MaxTokens = 30 * PageTokens });
}
