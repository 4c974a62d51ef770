namespace Cluster.Segments;

/// <summary>A part of every story's context: latents of all layers, and attention to them. For one caller at a time.</summary>
internal interface ISegment : IDisposable
{
    /// <summary>Tokens of each story.</summary>
    int[] Lengths { get; }

    /// <summary>Bytes of memory in use.</summary>
    long Bytes { get; }

    /// <summary>Attends for one layer of a step. After the last one the new tokens are part of the segment.</summary>
    SegmentReply Attend(SegmentRequest request);

    /// <summary>Gives a step up that was begun, and refuses messages of attempts before this one.</summary>
    void Begin(long attempt);

    /// <summary>What the segment has at this moment, to be written to a file while it goes on.</summary>
    SegmentSnapshot Snapshot();

    /// <summary>Takes in what a snapshot has written.</summary>
    /// <exception cref="InvalidDataException">It is not that of such a segment.</exception>
    void Load(string path);
}

/// <summary>The state of a segment at one moment.</summary>
/// <param name="lengths">Tokens of each story.</param>
/// <param name="write">Writes it to a file, on any thread, and lets go of it.</param>
internal sealed class SegmentSnapshot(int[] lengths, Action<string> write)
{
    public int[] Lengths { get; } = lengths;

    public void Write(string path) => write(path);
}

/// <summary>The segments of a group of stories, wherever they lie.</summary>
internal interface ISegments
{
    /// <summary>Asks one segment for one layer.</summary>
    Task<SegmentReply> AttendAsync(int segment, SegmentRequest request);

    /// <summary>Begins a new attempt, and says what a segment has.</summary>
    Task<SegmentState> BeginAsync(int segment, long attempt);

    /// <summary>Says where a segment lies.</summary>
    Task<SegmentPlace> FindAsync(int segment);
}
