using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary>What must not change a bit of a row's result at a pinned form: threads, neighbours, pages, how a prompt was cut, and how often it ran.</summary>
public sealed class InvarianceTests
{
    /// <summary>Over several blocks of every tier, and no multiple of one.</summary>
    private const int Tokens = 333;

    public static TheoryData<string, MlaForm> LayersAndForms => ForwardTests.LayersAndPinnedForms;

    [Theory]
    [MemberData(nameof(LayersAndForms))]
    public void Threads(string name, MlaForm form)
    {
        float[] expected = Outputs(name, new RunOptions { Form = form, Threads = 1 });
        Compare.AssertSameBits("2 threads", Outputs(name, new RunOptions { Form = form, Threads = 2 }), expected);
        Compare.AssertSameBits("5 threads", Outputs(name, new RunOptions { Form = form, Threads = 5 }), expected);
        Compare.AssertSameBits("1 thread again", Outputs(name, new RunOptions { Form = form, Threads = 1 }), expected);
    }

    [Theory]
    [MemberData(nameof(LayersAndForms))]
    public void Page_sizes(string name, MlaForm form)
    {
        float[] expected = Outputs(name, new RunOptions { Form = form });
        foreach (int page in (int[])[1, 16, 37, 64, 1024])
        {
            Compare.AssertSameBits($"pages of {page}", Outputs(name, new RunOptions { Form = form, PageTokens = page }), expected);
        }
    }

    [Theory]
    [MemberData(nameof(LayersAndForms))]
    public void Chunks(string name, MlaForm form)
    {
        var options = new RunOptions { Form = form, PageTokens = 64 };
        float[] expected = Outputs(name, options);
        foreach (int chunk in (int[])[1, 7, 64, 65])
        {
            Compare.AssertSameBits($"chunks of {chunk}", Outputs(name, options, chunk), expected);
        }
    }

    [Theory]
    [MemberData(nameof(LayersAndForms))]
    public void Neighbours(string name, MlaForm form)
    {
        TestLayer layer = TestLayer.Get(name);
        Prompt prompt = Prompt.Random(name, Tokens, layer.Spec.HiddenSize);
        float[] expected = Outputs(name, new RunOptions { Form = form });

        using AttentionRun run = layer.Open(new RunOptions { Form = form, PageTokens = 16 });
        LatentSequence sequence = run.CreateSequence();
        LatentSequence[] neighbours = [.. Enumerable.Range(0, 5).Select(_ => run.CreateSequence())];
        var outputs = new List<float>();
        int start = 0;
        for (int step = 0; start < Tokens; step++)
        {
            int count = Math.Min(1 + (step * 29), Tokens - start);
            Chunk[] others = [.. neighbours.Select((neighbour, i) => new Chunk(neighbour, Prompt.Random($"{name} {i} {step}", 1 + (i * step * 3), prompt.Width)))];
            Chunk[] chunks = [.. others[..(step % 6)], new Chunk(sequence, prompt.Slice(start, count)), .. others[(step % 6)..]];
            outputs.AddRange(run.Step(chunks)[step % 6]);
            start += count;
        }

        Compare.AssertSameBits("among neighbours", outputs.ToArray(), expected);
    }

    /// <summary>More new tokens than share a decompressed tile.</summary>
    [Fact]
    public void Chunks_of_a_very_long_prompt()
    {
        TestLayer layer = TestLayer.Get("one head");
        Prompt prompt = Prompt.Random("long", 4200, layer.Spec.HiddenSize);
        using AttentionRun run = layer.Open(new RunOptions { Form = MlaForm.Decompressed });
        float[] expected = run.Feed(run.CreateSequence(), prompt);
        Compare.AssertSameBits("chunks of 999", run.Feed(run.CreateSequence(), prompt, chunk: 999), expected);
    }

    /// <summary>Pages that others used and gave back come in another order, and full of what others wrote.</summary>
    [Theory]
    [MemberData(nameof(LayersAndForms))]
    public void Page_placement(string name, MlaForm form)
    {
        TestLayer layer = TestLayer.Get(name);
        Prompt prompt = Prompt.Random(name, Tokens, layer.Spec.HiddenSize);
        float[] expected = Outputs(name, new RunOptions { Form = form });

        using AttentionRun run = layer.Open(new RunOptions { Form = form, PageTokens = 16, MaxTokens = 512 });
        LatentSequence[] earlier = [.. Enumerable.Range(0, 8).Select(_ => run.CreateSequence())];
        for (int i = 0; i < 16; i++)
        {
            run.Feed(earlier[i % 8], Prompt.Random($"{name} {i}", 16 + (i % 3), prompt.Width));
        }

        foreach (int i in (int[])[3, 0, 6, 7, 1, 5, 2, 4])
        {
            earlier[i].Dispose();
        }

        Compare.AssertSameBits("on used pages", run.Feed(run.CreateSequence(), prompt), expected);
    }

    [Theory]
    [MemberData(nameof(LayersAndForms))]
    public void Rolling_back_and_replaying(string name, MlaForm form)
    {
        TestLayer layer = TestLayer.Get(name);
        Prompt prompt = Prompt.Random(name, 24, layer.Spec.HiddenSize);
        using AttentionRun run = layer.Open(new RunOptions { Form = form, PageTokens = 16 });
        float[] expected = run.Feed(run.CreateSequence(), prompt);
        for (int i = 1; i < prompt.Tokens; i++)
        {
            LatentSequence sequence = run.CreateSequence();
            run.Feed(sequence, prompt.Slice(0, i));
            run.Batch.Add(sequence, 3);
            run.Forward(prompt.Hidden.AsSpan(0, 3 * prompt.Width), AttentionRun.Poisoned(3 * prompt.Width));
            run.Batch.Rollback();
            run.Feed(sequence, Prompt.Random($"{name} wrong", 5, prompt.Width));
            sequence.Truncate(i);

            float[] rest = run.Feed(sequence, prompt.Slice(i, prompt.Tokens - i), chunk: 1);

            Compare.AssertSameBits($"the tokens after {i}", rest, expected.AsSpan(i * prompt.Width));
            sequence.Dispose();
        }
    }

    /// <summary>Which form <c>Auto</c> takes may depend on how a prompt is cut; what comes out may so only within the tolerance.</summary>
    [Theory]
    [InlineData("yarn")]
    [InlineData("odd")]
    [InlineData("scaled")]
    public void Chunks_with_the_form_left_open_stay_within_the_tolerance(string name)
    {
        TestLayer layer = TestLayer.Get(name);
        Prompt prompt = Prompt.Random(name, Tokens, layer.Spec.HiddenSize);
        OracleResult expected = DecompressedOracle.Forward(layer.Spec, layer.Weights, prompt.Hidden, prompt.Positions);
        foreach (int chunk in (int[])[1, 7, 65, Tokens])
        {
            float[] output = Outputs(name, new RunOptions { Form = MlaForm.Auto }, chunk);
            Compare.AssertClose<float, double>($"chunks of {chunk}", output, expected.Output, Tolerance.Float32.ForScores(expected.MaxScore));
        }
    }

    private static float[] Outputs(string name, RunOptions options, int chunk = int.MaxValue)
    {
        TestLayer layer = TestLayer.Get(name);
        using AttentionRun run = layer.Open(options);
        return run.Feed(run.CreateSequence(), Prompt.Random(name, Tokens, layer.Spec.HiddenSize), chunk);
    }
}
