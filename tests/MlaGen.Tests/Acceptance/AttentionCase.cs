using MlaGen.Tests.Golden;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Acceptance;

/// <summary>What stands in the cached rows and the queries of a case.</summary>
internal enum Content
{
    /// <summary>Random rows of variance one, scores that deviate by about 3.</summary>
    Random,

    /// <summary>One token's row is zero.</summary>
    ZeroToken,

    /// <summary>One element of one token is a thousand times the others.</summary>
    Outlier,

    /// <summary>Every row is zero.</summary>
    AllZero,

    /// <summary>Every token has the same row.</summary>
    EqualKeys,

    /// <summary>Scores near 10,000 and -10,000.</summary>
    LargeScores,

    /// <summary>Values that fp16 does not reach.</summary>
    BeyondHalf,

    /// <summary>Values below the least normal float.</summary>
    Denormal,
}

/// <summary>One call of attention on latents over sequences that are in the cache already but for their new tokens.</summary>
/// <param name="Grid">The grid of the suite that it belongs to.</param>
/// <param name="Shape">The generated class.</param>
/// <param name="PageTokens">Tokens a page holds.</param>
/// <param name="Sequences">Keys of each sequence, new ones included, and its queries; of those a sequence with fewer keys than queries appends none.</param>
/// <param name="Content">What stands in rows and queries.</param>
internal sealed record AttentionCase(string Grid, LatentShape Shape, int PageTokens, IReadOnlyList<(int Keys, int Queries)> Sequences, Content Content = Content.Random)
{
    /// <summary>Sequences up to which each is printed.</summary>
    private const int FewSequences = 8;

    /// <summary>Operations of the core, <c>2·H·(2R+d)</c> for each key that a query sees.</summary>
    public long Flops => Shape.FlopsPerKey * Sequences.Sum(sequence => VisibleKeys(sequence.Keys, sequence.Queries));

    /// <summary>Rows of sequence <paramref name="index"/>.</summary>
    public float[] Rows(int index)
    {
        int width = Shape.Latent + Shape.Rope;
        int keys = Sequences[index].Keys;
        float[] rows = CounterRandom.Hidden($"{Grid} {index}/rows", keys, width);
        Span<float> someRow = keys == 0 ? [] : rows.AsSpan(keys / 2 * width, width);
        switch (Content)
        {
            case Content.ZeroToken:
                someRow.Clear();
                break;
            case Content.Outlier when keys > 0:
                someRow[Shape.Latent / 2] = 1000;
                break;
            case Content.AllZero:
                Array.Clear(rows);
                break;
            case Content.EqualKeys:
                rows = [.. Enumerable.Repeat(rows[..(keys == 0 ? 0 : width)], keys).SelectMany(row => row)];
                break;
            case Content.BeyondHalf:
                Scale(rows, 1e6f);
                break;
            case Content.Denormal:
                Scale(rows, 1e-40f);
                break;
        }

        return rows;
    }

    /// <summary>Queries of sequence <paramref name="index"/>, absorbed and unscaled.</summary>
    public float[] Queries(int index)
    {
        int width = Shape.Latent + Shape.Rope;
        float[] queries = CounterRandom.Hidden($"{Grid} {index}/queries", Sequences[index].Queries, Shape.Heads * width);
        double deviation = Content switch
        {
            Content.LargeScores => 3000,
            Content.BeyondHalf => 3e-6,
            _ => 3,
        };
        Scale(queries, (float)(deviation / (Math.Sqrt(width) * Shape.TestLayer.Spec.SoftmaxScale)));
        return queries;
    }

    /// <summary>How far an output may be from the oracle's, whose largest score is given.</summary>
    public Tolerance OutputTolerance(double maxScore) => Content switch
    {
        Content.BeyondHalf => (Tolerance.Float32 with { Absolute = 1e6 * Tolerance.Float32.Absolute }).ForScores(maxScore),

        // A denormal has few digits: as near as their spacing allows.
        Content.Denormal => new Tolerance(1e-2, 64 * float.Epsilon, 1e-4),
        _ => Tolerance.Of(Shape.Precision).ForScores(maxScore),
    };

    public override string ToString() => $"{Grid}: {string.Join(", ", Groups())}, {Shape}, pages of {PageTokens}{(Content == Content.Random ? "" : $", {Content}")}";

    private IEnumerable<string> Groups()
    {
        (int, int, int Count)[] groups = [.. Sequences.CountBy(sequence => sequence).Select(group => (group.Key.Keys, group.Key.Queries, group.Value))];
        return groups.Length > FewSequences
            ? [$"{Sequences.Count} × {Sequences.Max(sequence => sequence.Queries)} over {Sequences.Min(sequence => sequence.Keys)}..{Sequences.Max(sequence => sequence.Keys)}"]
            : groups.Select(group => $"{group.Count} × {group.Item2} over {group.Item1}");
    }

    private static long VisibleKeys(int keys, int queries)
    {
        long seeing = Math.Min(keys, queries);
        return (seeing * keys) - (seeing * (seeing - 1) / 2);
    }

    private static void Scale(float[] values, float factor)
    {
        for (int i = 0; i < values.Length; i++)
        {
            values[i] *= factor;
        }
    }
}
