using MlaGen.Tests.Acceptance;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary>A tree of candidate tokens, verified in one step, against each of its paths run alone.</summary>
public sealed class TreeTests
{
    private const int Candidates = 16;

    /// <summary>Two roots, branches of several lengths, and siblings between a token and its child.</summary>
    private static readonly int[] _parents = [-1, 0, 0, 1, -1, 4, 2, 3, 7, 5, 5, 8, 10, 11, 6, 13];

    public static TheoryData<string, int> LayersAndPrefixes
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (string name in (string[])["yarn", "odd", "one head"])
            {
                foreach (int prefix in (int[])[0, 5, 185, 700])
                {
                    data.Add(name, prefix);
                }
            }

            return data;
        }
    }

    public static TheoryData<CacheFormat> Formats => [.. TestLayer.Formats];

    [Theory]
    [MemberData(nameof(LayersAndPrefixes))]
    public void A_tree_in_one_step_has_the_bits_of_its_paths_alone(string name, int prefix) => AssertTree(TestLayer.Get(name), name, prefix, pageTokens: 64);

    /// <summary>The same where rows are decoded first; the path runs over the end of a block and of pages.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void A_tree_has_the_bits_of_its_paths_on_every_cache_format(CacheFormat format) => AssertTree(TestLayer.Get(format), "format", prefix: 141, pageTokens: 16);

    /// <summary>The same where cores keep what they made of a block's rows for the next query.</summary>
    [Theory]
    [InlineData(MlaPrecision.Medium, 141)]
    [InlineData(MlaPrecision.Medium, 285)]
    [InlineData(MlaPrecision.High, 285)]
    public void A_tree_has_the_bits_of_its_paths_at_every_precision(MlaPrecision precision, int prefix)
        => AssertTree(new LatentShape(16, 512, 64, CacheFormat.BFloat16, precision).TestLayer, "precision", prefix, pageTokens: 0);

    [Fact]
    public void After_a_path_was_accepted_the_text_goes_on_as_if_it_had_been_the_only_one()
    {
        TestLayer layer = TestLayer.Get("yarn");
        Prompt prompt = Prompt.Random("accept", 100 + Candidates, layer.Spec.HiddenSize);
        Prompt next = Prompt.Random("next", 3, prompt.Width, start: 106);
        var options = new RunOptions { PageTokens = 16 };
        int[] path = Path(13);

        using AttentionRun alone = layer.Open(options);
        LatentSequence sequence = alone.CreateSequence();
        alone.Feed(sequence, Select(prompt, 100, path));
        float[] expected = alone.Feed(sequence, next with { Positions = [.. Enumerable.Range(100 + path.Length, 3)] });

        using AttentionRun run = layer.Open(options);
        RunTree(run, prompt, 100, path, out LatentSequence accepted);
        Assert.Equal(100 + path.Length, accepted.Length);
        float[] found = run.Feed(accepted, next with { Positions = [.. Enumerable.Range(100 + path.Length, 3)] });
        Compare.AssertSameBits("after the path", found, expected);
    }

    [Fact]
    public void A_tree_is_not_decompressed()
    {
        TestLayer layer = TestLayer.Get("yarn");
        using AttentionRun run = layer.Open(new RunOptions { Form = MlaForm.Decompressed });
        run.Batch.Add(run.CreateSequence(), 3, parents: [-1, 0, 0]);
        float[] hidden = new float[3 * layer.Spec.HiddenSize];
        var exception = Assert.Throws<InvalidOperationException>(() => run.Forward(hidden, hidden));
        Assert.Contains("Decompressed", exception.Message, StringComparison.Ordinal);
    }

    private static void AssertTree(TestLayer layer, string name, int prefix, int pageTokens)
    {
        Prompt prompt = Prompt.Random(name, prefix + Candidates, layer.Spec.HiddenSize);
        var options = new RunOptions { Form = MlaForm.Absorbed, PageTokens = pageTokens };
        float[] tree = RunTree(layer, options, prompt, prefix, accept: null, out _);

        for (int candidate = 0; candidate < Candidates; candidate++)
        {
            int[] path = Path(candidate);
            float[] alone = RunPath(layer, options, prompt, prefix, path);
            Compare.AssertSameBits($"candidate {candidate}", tree.AsSpan(candidate * prompt.Width, prompt.Width), alone.AsSpan()[^prompt.Width..]);
        }
    }

    private static int[] Path(int candidate)
    {
        var path = new Stack<int>();
        for (int token = candidate; token >= 0; token = _parents[token])
        {
            path.Push(token);
        }

        return [.. path];
    }

    private static float[] RunTree(TestLayer layer, RunOptions options, Prompt prompt, int prefix, int[]? accept, out LatentSequence sequence)
    {
        using AttentionRun run = layer.Open(options);
        return RunTree(run, prompt, prefix, accept, out sequence);
    }

    private static float[] RunTree(AttentionRun run, Prompt prompt, int prefix, int[]? accept, out LatentSequence sequence)
    {
        sequence = run.CreateSequence();
        if (prefix > 0)
        {
            run.Feed(sequence, prompt.Slice(0, prefix));
        }

        run.Batch.Add(sequence, Candidates, parents: _parents);
        float[] output = new float[Candidates * prompt.Width];
        run.Forward(prompt.Hidden.AsSpan(prefix * prompt.Width), output);
        if (accept is null)
        {
            run.Batch.Rollback();
        }
        else
        {
            run.Batch.Accept(sequence, accept);
            run.Batch.Commit();
        }

        return output;
    }

    private static float[] RunPath(TestLayer layer, RunOptions options, Prompt prompt, int prefix, int[] path)
    {
        using AttentionRun run = layer.Open(options);
        return run.Feed(run.CreateSequence(), Select(prompt, prefix, path));
    }

    /// <summary>The prefix and a path behind it, at the positions that follow each other.</summary>
    private static Prompt Select(Prompt prompt, int prefix, int[] path) => new(
        [.. prompt.Hidden[..(prefix * prompt.Width)], .. path.SelectMany(token => prompt.Slice(prefix + token, 1).Hidden)],
        [.. Enumerable.Range(0, prefix + path.Length)]);
}
