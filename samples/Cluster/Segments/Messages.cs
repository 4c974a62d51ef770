namespace Cluster.Segments;

/// <summary>Numbers in a message; not changed any more once they are in one.</summary>
/// <param name="Values">The numbers.</param>
/// <param name="Format">How they travel; they are rounded to it already.</param>
internal readonly record struct Numbers(ReadOnlyMemory<float> Values, WireFormat Format);

/// <summary>What a story has to do with a segment in one step.</summary>
/// <param name="Story">Which story, counted from 0.</param>
/// <param name="Length">Its tokens in the segment before the step.</param>
/// <param name="Rows">Its new tokens, each of which asks the segment.</param>
/// <param name="Grows">Whether the segment takes these tokens in; otherwise they come after it, and see all of it.</param>
[GenerateSerializer]
[Immutable]
internal readonly record struct SegmentEntry([property: Id(0)] int Story, [property: Id(1)] int Length, [property: Id(2)] int Rows, [property: Id(3)] bool Grows);

/// <summary>One layer of one step, as one segment is asked for it: for all stories together.</summary>
[GenerateSerializer]
[Immutable]
internal sealed class SegmentRequest
{
    /// <summary>Numbers the tries to do a step, upwards: a message of an earlier one comes too late.</summary>
    [Id(0)]
    public required long Attempt { get; init; }

    /// <summary>The layer; they follow each other from 0.</summary>
    [Id(1)]
    public required int Layer { get; init; }

    /// <summary>Who takes part; with layer 0 alone, the others go on with it.</summary>
    [Id(2)]
    public SegmentEntry[]? Entries { get; init; }

    /// <summary>Absorbed queries <c>[rows, Heads, KvLoraRank + QkRopeHeadDim]</c>, in the order of the entries.</summary>
    [Id(3)]
    public required Numbers Queries { get; init; }

    /// <summary>Rows of the cache <c>[rows that grow, KvLoraRank + QkRopeHeadDim]</c>; none if the segment does not grow.</summary>
    [Id(4)]
    public required Numbers Rows { get; init; }
}

/// <summary>What a segment answers.</summary>
[GenerateSerializer]
[Immutable]
internal sealed class SegmentReply
{
    /// <summary>Why there is no result; <see langword="null"/> if there is one. The step is then tried anew from what the segments have.</summary>
    [Id(0)]
    public string? Refusal { get; init; }

    /// <summary>Weighted sums of latents <c>[rows, Heads, KvLoraRank]</c>.</summary>
    [Id(1)]
    public Numbers Output { get; init; }

    /// <summary>Logarithms of the softmax denominators <c>[rows, Heads]</c>.</summary>
    [Id(2)]
    public Numbers LogSumExp { get; init; }

    /// <summary>With the last layer, where something new was saved: tokens of each story that are in storage.</summary>
    [Id(3)]
    public int[]? Saved { get; init; }
}

/// <summary>What a segment has.</summary>
/// <param name="Lengths">Tokens of each story.</param>
/// <param name="Saved">Those of them that are in storage.</param>
[GenerateSerializer]
[Immutable]
internal sealed record SegmentState([property: Id(0)] int[] Lengths, [property: Id(1)] int[] Saved);

/// <summary>Where a segment lies, for those who watch.</summary>
/// <param name="Silo">Its silo.</param>
/// <param name="Bytes">Memory that its tokens take.</param>
/// <param name="Milliseconds">Time it has computed for since it is there.</param>
/// <param name="Calls">Calls it has answered.</param>
/// <param name="Problem">What went wrong when it was last saved.</param>
[GenerateSerializer]
[Immutable]
internal sealed record SegmentPlace([property: Id(0)] string Silo, [property: Id(1)] long Bytes, [property: Id(2)] double Milliseconds, [property: Id(3)] long Calls, [property: Id(4)] string? Problem);
