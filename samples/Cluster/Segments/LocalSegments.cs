using MlaGen;

namespace Cluster.Segments;

/// <summary>All segments in this process: what the ones that are spread are compared with.</summary>
/// <param name="options">What they have in common.</param>
/// <param name="executor">The threads that attention runs on.</param>
/// <param name="prepare">Fills a segment when it is first asked for.</param>
internal sealed class LocalSegments(SegmentOptions options, MlaExecutor executor, Action<int, ISegment>? prepare = null) : ISegments, IDisposable
{
    private readonly List<ISegment> _segments = [];

    public Task<SegmentReply> AttendAsync(int segment, SegmentRequest request) => Task.FromResult(Get(segment).Attend(request));

    public Task<SegmentState> BeginAsync(int segment, long attempt)
    {
        ISegment found = Get(segment);
        found.Begin(attempt);
        return Task.FromResult(new SegmentState(found.Lengths, new int[options.Stories]));
    }

    public Task<SegmentPlace> FindAsync(int segment) => Task.FromResult(new SegmentPlace("this process", Get(segment).Bytes, 0, 0, null));

    public void Dispose() => _segments.ForEach(static segment => segment.Dispose());

    private ISegment Get(int segment)
    {
        while (_segments.Count <= segment)
        {
            ISegment added = options.Create(executor);
            prepare?.Invoke(_segments.Count, added);
            _segments.Add(added);
        }

        return _segments[segment];
    }
}
