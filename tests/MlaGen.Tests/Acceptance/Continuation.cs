using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Acceptance;

/// <summary>A context that is cached already, and the tokens of a text that goes on behind it: a few rows of attention over many keys.</summary>
internal sealed class Continuation(TestLayer layer, string name, int cached, int tokens)
{
    private readonly float[] _context = AttendLatentTests.Rows(layer.Spec, name, cached);

    public TestLayer Layer => layer;

    public Prompt Prompt { get; } = Prompt.Random(name, tokens, layer.Spec.HiddenSize, start: cached);

    /// <summary>A sequence that has the context and nothing else.</summary>
    public LatentSequence Start(AttentionRun run) => run.CreateSequence(_context, layer.Spec.RowWidth);

    /// <summary>Everything in one step in a cache of its own.</summary>
    public float[] Whole(RunOptions options)
    {
        using AttentionRun run = layer.Open(options);
        return run.Step(new Chunk(Start(run), Prompt))[0];
    }

    /// <summary>Expects of a sequence to which the whole text was added the oracle's outputs, on the rows as the cache holds them.</summary>
    public void AssertOracle(string what, float[] output, LatentSequence sequence)
    {
        OracleResult expected = AbsorbedOracle.Forward(layer.Spec, layer.Weights, Prompt.Hidden, Prompt.Positions, AttentionRun.Rows(sequence, layer.Spec.RowWidth));
        Compare.AssertClose<float, double>(what, output, expected.Output, Tolerance.Float32.ForScores(expected.MaxScore));
    }
}
