using MlaGen.Tests.Acceptance;
using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.MachineCode;

/// <summary>Attention at each precision against the oracle on the stored rows, whichever core this machine runs, and what must not change a bit.</summary>
public sealed class PrecisionTests
{
    private static readonly LatentShape[] _shapes =
    [
        .. from precision in (MlaPrecision[])[MlaPrecision.Medium, MlaPrecision.High]
           from shape in (LatentShape[])[new(8), new(16, 512, 64), new(20, 512, 64), new(40, 256, 32), new(128, 512, 64)]
           select shape with { Format = CacheFormat.BFloat16, Precision = precision },
        new(20, 96, 8, CacheFormat.Float32, MlaPrecision.Medium),
    ];

    private static readonly Dictionary<string, AttentionCase> _cases = Cases().ToDictionary(test => test.ToString());

    public static TheoryData<string> CaseNames => [.. _cases.Keys];

    public static TheoryData<string> Shapes => [.. _shapes.Select(shape => shape.ToString())];

    [Theory]
    [MemberData(nameof(CaseNames))]
    public void Attention_is_as_near_to_the_oracle_as_its_precision_says(string name) => CaseRun.AssertOracle(_cases[name]);

    [Theory]
    [MemberData(nameof(Shapes))]
    public void What_no_token_wrote_changes_no_bit(string name)
        => CaseRun.AssertSurroundingsDoNotMatter(new AttentionCase("surroundings", Shape(name), 16, [(70, 1), (301, 2), (1, 1)]));

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Threads_neighbours_pages_and_cuts_change_no_bit(string name)
    {
        TestLayer layer = Shape(name).TestLayer;
        var text = new Continuation(layer, "bits", 800, 5);
        float[] expected = text.Whole(new RunOptions { Threads = 1 });
        foreach (int threads in (int[])[1, 2, 5])
        {
            foreach (int pageTokens in (int[])[0, 16, 37])
            {
                using AttentionRun run = layer.Open(new RunOptions { Threads = threads, PageTokens = pageTokens });
                run.ShufflePages(seed: threads);
                using LatentSequence sequence = text.Start(run);
                using LatentSequence neighbour = text.Start(run);
                Compare.AssertSameBits($"{threads} threads, pages of {pageTokens}", run.Step(new Chunk(neighbour, text.Prompt.Slice(0, 2)), new Chunk(sequence, text.Prompt))[1], expected);
                sequence.Truncate(800);
                Compare.AssertSameBits($"{threads} threads, pages of {pageTokens}, cut", run.Feed(sequence, text.Prompt, chunk: 2), expected);
            }
        }
    }

    private static LatentShape Shape(string name) => _shapes.Single(shape => shape.ToString() == name);

    /// <summary>Lengths beside every tile and block.</summary>
    private static IEnumerable<AttentionCase> Cases() =>
        from shape in _shapes
        from lengths in (int[][])[[1, 2, 11, 12, 13], [23, 24, 31, 32, 33, 47, 49], [95, 97, 143, 145], [191, 193, 289, 600], [1100, 0, 4096]]
        from content in lengths[0] == 95 ? (Content[])[Content.Random, Content.ZeroToken, Content.AllZero, Content.EqualKeys] : [Content.Random]
        select new AttentionCase("precision", shape, 16, [.. lengths.Select(keys => (keys, 1 + (keys % 2)))], content);
}
