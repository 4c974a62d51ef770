using Cluster.Segments;

namespace Cluster.Grains;

/// <summary>A segment of a group of stories: its number, and the name of the group.</summary>
internal interface ISegmentGrain : IGrainWithIntegerCompoundKey
{
    /// <summary>Attends for one layer of a step.</summary>
    ValueTask<SegmentReply> Attend(SegmentRequest request);

    /// <summary>Begins a new attempt, and says what the segment has.</summary>
    ValueTask<SegmentState> Begin(long attempt);

    /// <summary>Says where the segment lies.</summary>
    ValueTask<SegmentPlace> Find();
}
