using Cluster.Segments;

namespace Cluster.Grains;

/// <summary>Segments that are grains of a cluster.</summary>
/// <param name="grains">The cluster.</param>
/// <param name="stories">Name of the group of stories.</param>
internal sealed class GrainSegments(IGrainFactory grains, string stories) : ISegments
{
    private readonly List<ISegmentGrain> _grains = [];

    public Task<SegmentReply> AttendAsync(int segment, SegmentRequest request) => Get(segment).Attend(request).AsTask();

    public Task<SegmentState> BeginAsync(int segment, long attempt) => Get(segment).Begin(attempt).AsTask();

    public Task<SegmentPlace> FindAsync(int segment) => Get(segment).Find().AsTask();

    private ISegmentGrain Get(int segment)
    {
        while (_grains.Count <= segment)
        {
            _grains.Add(grains.GetGrain<ISegmentGrain>(_grains.Count, stories, grainClassNamePrefix: null));
        }

        return _grains[segment];
    }
}
