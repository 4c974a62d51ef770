using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Serving;

/// <summary>Many continuations of one long text, which they share.</summary>
public sealed class StoryForkTests
{
    private const int Tokens = 4096;

    /// <summary>The text ends within a page, eleven tokens before its end.</summary>
    private const int PageTokens = 37;

    [Theory]
    [InlineData(CacheFormat.Float32, 1000)]
    [InlineData(CacheFormat.BFloat16, 50)]
    [InlineData(CacheFormat.Float16, 50)]
    [InlineData(CacheFormat.Float8, 50)]
    [InlineData(CacheFormat.Int8, 1000)]
    public void A_fork_costs_two_pages_at_most_and_decodes_to_the_bits_of_a_copy(CacheFormat format, int forkCount)
    {
        const int Together = 100;
        Prompt prompt = Story.Prompt(Story.Text(seed: 1, Tokens));
        using AttentionRun run = Story.Layer(format).Open(new RunOptions { PageTokens = PageTokens, MaxTokens = Tokens + ((2 * forkCount) + 1) * PageTokens });
        using AttentionRun copyRun = Story.Layer(format).Open(new RunOptions());
        LatentSequence source = Prefill(run, prompt);
        LatentSequence copy = Prefill(copyRun, prompt);
        int pages = run.Pool.UsedPages;

        LatentSequence[] forks = [.. Enumerable.Range(0, forkCount).Select(_ => source.Fork())];
        Assert.Equal((pages, pages), (run.Pool.UsedPages, run.Pool.SharedPages));

        // No two go the same way.
        Prompt next = Prompt.Random("ways", forkCount, prompt.Width);
        for (int first = 0; first < forkCount; first += Together)
        {
            Chunk[] step = [.. Enumerable.Range(first, Math.Min(Together, forkCount - first)).Select(i => new Chunk(forks[i], next.Slice(i, 1) with { Positions = [Tokens] }))];
            float[][] outputs = run.Step(step);
            for (int i = 0; i < step.Length; i++)
            {
                Compare.AssertSameBits($"fork {first + i}", outputs[i], Try(copyRun, copy, step[i].Prompt));
            }
        }

        // The copy of the last page, and none of the source's is a page of any other.
        Assert.Equal((pages + forkCount, pages - 1), (run.Pool.UsedPages, run.Pool.SharedPages));

        // Eleven more tokens, of which the last begins a second page.
        Prompt more = Story.Prompt(Story.Text(seed: 2, 11), start: Tokens + 1);
        foreach (int i in (int[])[0, forkCount - 1])
        {
            float[] output = run.Feed(forks[i], more, chunk: 4);
            copyRun.Feed(copy, next.Slice(i, 1) with { Positions = [Tokens] });
            Compare.AssertSameBits($"fork {i}, further on", output, copyRun.Feed(copy, more));
            copy.Truncate(Tokens);
        }

        Assert.Equal(pages + forkCount + 2, run.Pool.UsedPages);
        Array.ForEach(forks, fork => fork.Dispose());
        Assert.Equal((pages, 0, (long)Tokens), (run.Pool.UsedPages, run.Pool.SharedPages, run.Pool.Tokens));
    }

    /// <summary>Rows do not depend on the form: the one that is quick for a prompt.</summary>
    private static LatentSequence Prefill(AttentionRun run, Prompt prompt)
    {
        LatentSequence sequence = run.CreateSequence();
        run.Batch.Form = MlaForm.Decompressed;
        run.Feed(sequence, prompt);
        run.Batch.Form = MlaForm.Absorbed;
        return sequence;
    }

    /// <summary>What a step would give, which is then rolled back.</summary>
    private static float[] Try(AttentionRun run, LatentSequence sequence, Prompt prompt)
    {
        float[] output = AttentionRun.Poisoned(prompt.Hidden.Length);
        run.Batch.Add(sequence, prompt.Tokens, prompt.Positions);
        run.Forward(prompt.Hidden, output);
        run.Batch.Rollback();
        return output;
    }
}
