using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Acceptance;

/// <summary>A14: what a row gives does not depend on its neighbours, on the number of threads, or on how often it is computed.</summary>
[Trait("Suite", "Acceptance")]
public sealed class RowInvarianceTests
{
    private const int MostThreads = 16;
    private const int Tokens = 3;

    public static TheoryData<CacheFormat, MlaForm> Cases => TestLayer.FormatsWith(MlaForm.Absorbed, MlaForm.Decompressed);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Any_number_of_threads_gives_the_same_bits_every_time(CacheFormat format, MlaForm form)
    {
        Continuation text = Text(format, form);
        float[] expected = text.Whole(new RunOptions { Form = form, Threads = 1 });
        for (int threads = 1; threads <= MostThreads; threads++)
        {
            using AttentionRun run = text.Layer.Open(new RunOptions { Form = form, Threads = threads, PageTokens = 16 });
            using LatentSequence sequence = text.Start(run);
            for (int repeat = 0; repeat < (threads == 2 ? 4 : 1); repeat++)
            {
                Compare.AssertSameBits($"{threads} threads, run {repeat}", run.Feed(sequence, text.Prompt), expected);
                sequence.Truncate(sequence.Length - Tokens);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Any_neighbours_leave_a_row_its_bits(CacheFormat format, MlaForm form)
    {
        Continuation text = Text(format, form);
        float[] expected = text.Whole(new RunOptions { Form = form });

        // Longer, shorter, new and many: as many as make the step go row by row, and as few as have rows split.
        foreach ((int Cached, int Tokens)[] neighbours in ((int, int)[][])[[(0, 1)], [(33, 2), (170, 1)], [.. Enumerable.Range(0, 12).Select(i => (11 * i, 1 + (i % 3)))]])
        {
            for (int place = 0; place <= neighbours.Length; place += Math.Max(1, neighbours.Length / 2))
            {
                using AttentionRun run = text.Layer.Open(new RunOptions { Form = form, PageTokens = 16 });
                List<Chunk> chunks = [.. neighbours.Select(size => Neighbour(run, text.Layer, size.Cached, size.Tokens))];
                chunks.Insert(place, new Chunk(text.Start(run), text.Prompt));
                Compare.AssertSameBits($"at {place} among {neighbours.Length} neighbours", run.Step([.. chunks])[place], expected);
            }
        }
    }

    private static Chunk Neighbour(AttentionRun run, TestLayer layer, int cached, int tokens)
    {
        var text = new Continuation(layer, $"neighbour of {cached}", cached, tokens);
        return new Chunk(text.Start(run), text.Prompt);
    }

    /// <summary>Over several blocks: enough for many threads where attention is cheap, enough for a few where every key is decompressed.</summary>
    private static Continuation Text(CacheFormat format, MlaForm form)
        => new(TestLayer.Get(format), "row", form == MlaForm.Absorbed ? 600 : 160, Tokens);
}
