using MlaGen.Tests.Attention;
using MlaGen.Tests.Caching;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Serving;

/// <summary>Many sequences at once, each written by one thread.</summary>
public sealed class ConcurrencyTests
{
    private const int PageTokens = 16;
    private const int Writers = 6;

    /// <summary>Of texts whose beginnings are known, more or fewer of them, the outputs of the last tokens.</summary>
    private const int Compared = 4;

    public static TheoryData<CacheFormat, MlaForm> Cases => TestLayer.FormatsWith(MlaForm.Absorbed, MlaForm.Decompressed);

    /// <summary>Each thread goes on with a fork of one text and starts texts from known prefixes, in a cache too small for all prefixes.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Threads_that_share_pages_get_the_bits_of_one_that_is_alone(CacheFormat format, MlaForm form)
    {
        int[] text = Story.Text(seed: 1, 150);
        float[][] expected = [.. Enumerable.Range(0, Writers).Select(writer => Alone(format, form, text, writer))];
        using AttentionRun run = Story.Layer(format).Open(new RunOptions { Form = form, PageTokens = PageTokens, MaxTokens = 48 * PageTokens });
        run.Pool.OnFull = run.Prefixes.Evict;
        LatentSequence source = run.CreateSequence();
        run.Feed(source, Story.Prompt(text));
        run.Prefixes.Register(source, text);
        for (int round = 0; round < 3; round++)
        {
            LatentSequence[] forks = [.. Enumerable.Range(0, Writers).Select(_ => source.Fork())];
            var exceptions = new Exception?[Writers];
            using var start = new Barrier(Writers);
            Thread[] threads = [.. Enumerable.Range(0, Writers).Select(writer => new Thread(() => exceptions[writer] = Record.Exception(() =>
            {
                start.SignalAndWait();
                using AttentionRun mine = run.OpenBeside(threads: 1 + (writer % 2));
                Compare.AssertSameBits($"round {round}, writer {writer}", Write(mine, text, forks[writer], writer), expected[writer]);
            })))];
            Array.ForEach(threads, thread => thread.Start());
            Array.ForEach(threads, thread => thread.Join());
            Assert.All(exceptions, exception => Assert.Null(exception));
        }

        source.Dispose();
        run.Prefixes.Clear();
        Assert.Equal((0, 0, 0L), (run.Pool.UsedPages, run.Pool.SharedPages, run.Pool.Tokens));
    }

    /// <summary>In the middle of a step, seen from the thread that computes it and from another one.</summary>
    [Fact]
    public void While_a_step_runs_everything_else_that_would_change_its_sequence_is_refused()
    {
        int[] text = Story.Text(seed: 1, 40);
        float[] expected = Alone(CacheFormat.Float32, MlaForm.Absorbed, text, writer: 0);
        var memory = new ObservedMemoryPool();
        using AttentionRun run = Story.Layer(CacheFormat.Float32).Open(new RunOptions { PageTokens = PageTokens, Threads = 1, Memory = memory });
        using AttentionRun other = run.OpenBeside(threads: 1);
        using LatentSequence sequence = run.CreateSequence();
        run.Feed(sequence, Story.Prompt(text));
        using LatentSequence free = sequence.Fork();
        Action[] changes =
        [
            () => sequence.Truncate(0), sequence.Dispose, () => sequence.Fork().Dispose(), () => sequence.TryReserve(1), () => other.Batch.Add(sequence, 1),
            () => other.Batch.AddQueries(sequence, 1), () => other.Prefixes.Register(sequence, text), () => other.Save("nowhere", new SavedSequence(sequence)),
        ];
        int refused = 0;
        int uses = 0;
        memory.OnUse = () =>
        {
            if (++uses != 40)
            {
                return;
            }

            var thread = new Thread(() => refused += changes.Count(change => Record.Exception(change) is InvalidOperationException));
            thread.Start();
            thread.Join();
            refused += changes.Count(change => Record.Exception(change) is InvalidOperationException);
            free.Truncate(0);
        };

        float[] output = Write(run, text, sequence, writer: 0);

        Assert.Equal((2 * changes.Length, 0), (refused, free.Length));
        Compare.AssertSameBits("output", output, expected);
    }

    private static float[] Alone(CacheFormat format, MlaForm form, int[] text, int writer)
    {
        using AttentionRun run = Story.Layer(format).Open(new RunOptions { Form = form, Threads = 1 });
        LatentSequence sequence = run.CreateSequence();
        run.Feed(sequence, Story.Prompt(text));
        return Write(run, text, sequence, writer);
    }

    /// <summary>Goes on with a text and disposes it, then tells others that begin in the same way.</summary>
    private static float[] Write(AttentionRun run, int[] text, LatentSequence sequence, int writer)
    {
        int[] next = Story.Text(seed: 10 + writer, 20);
        List<float> outputs = [.. run.Feed(sequence, Story.Prompt(next, start: text.Length), chunk: 1 + writer)];
        sequence.Dispose();
        for (int i = 0; i < 3; i++)
        {
            int[] other = [.. text[..Math.Min(text.Length, 40 + (20 * i))], .. next];
            if (!run.Prefixes.TryStart(other, out LatentSequence? started))
            {
                started = run.CreateSequence();
            }

            int known = started.Length;
            float[] output = run.Feed(started, Story.Prompt(other.AsSpan(known), start: known));
            outputs.AddRange(output[^(Compared * Float32Story.HiddenSize)..]);
            run.Prefixes.Register(started, other);
            started.Dispose();
        }

        return [.. outputs];
    }
}
