using MlaGen;
using Samples;

namespace Cluster.Segments;

/// <summary>A segment in the memory of this process.</summary>
/// <typeparam name="TAttention">Whose latents these are.</typeparam>
internal sealed class Segment<TAttention> : ISegment
    where TAttention : class, IMlaAttention<TAttention>
{
    private const int None = -1;

    /// <summary>Version of the numbers beside saved stories.</summary>
    private const int Version = 1;

    private readonly SegmentOptions _options;
    private readonly LatentCache<TAttention> _cache;
    private readonly LatentSequence[] _stories;
    private readonly MlaBatch<TAttention> _batch;
    private SegmentEntry[] _entries = [];
    private long _attempt = long.MinValue;
    private int _nextLayer = None;

    public Segment(SegmentOptions options, MlaExecutor executor)
    {
        _options = options;
        int pageTokens = CacheLayout.Of<TAttention>(options.Format).PageTokens;

        // One page more for a story whose last page is being saved, and so is copied before it grows.
        long pages = ((options.Tokens - 1) / pageTokens) + 2;
        _cache = new LatentCache<TAttention>(options.Layers, options.Stories * pages * pageTokens, new LatentCacheOptions { Format = options.Format, Name = "segment" });
        _stories = [.. Enumerable.Range(0, options.Stories).Select(_ => _cache.CreateSequence())];
        _batch = _cache.CreateBatch(executor);
    }

    public int[] Lengths => [.. _stories.Select(static story => story.Length)];

    public long Bytes => (long)_cache.UsedPages * _cache.PageTokens * _cache.Layers * _cache.Layout.RowBytes;

    /// <summary>What is saved beside each story: a segment of another kind is told by it.</summary>
    public static int[] Numbers(int tokens, int stories) => [Version, tokens, stories];

    public void Begin(long attempt)
    {
        _attempt = Math.Max(_attempt, attempt);
        Abandon();
    }

    public SegmentReply Attend(SegmentRequest request)
    {
        if (request.Attempt < _attempt)
        {
            return Refuse($"attempt {request.Attempt} comes after attempt {_attempt} has begun");
        }

        if (request.Layer == 0)
        {
            Begin(request.Attempt);
            if (Open(request.Entries ?? throw new ArgumentException("Layer 0 says who takes part; found nobody.")) is { } problem)
            {
                return Refuse(problem);
            }
        }
        else if (request.Attempt != _attempt || request.Layer != _nextLayer)
        {
            return Refuse($"layer {request.Layer} of attempt {request.Attempt} comes where {(_nextLayer == None ? "layer 0" : $"layer {_nextLayer} of attempt {_attempt}")} is expected");
        }

        try
        {
            SegmentReply reply = Run(request);
            _nextLayer++;
            if (_nextLayer == _options.Layers)
            {
                _batch.Commit();
                _nextLayer = None;
            }

            return reply;
        }
        catch
        {
            // Of a step that failed on the way nothing may be left.
            Abandon();
            throw;
        }
    }

    public SegmentSnapshot Snapshot()
    {
        LatentSequence[] copies = [.. _stories.Select(static story => story.Fork())];
        return new SegmentSnapshot([.. copies.Select(static copy => copy.Length)], path =>
        {
            try
            {
                int[] numbers = Numbers(_options.Tokens, _options.Stories);
                _cache.Save(path, [.. copies.Select(copy => new SavedSequence(copy, numbers))]);
            }
            finally
            {
                Array.ForEach(copies, static copy => copy.Dispose());
            }
        });
    }

    public void Load(string path)
    {
        SavedSequence[] saved = _cache.Load(path);
        ReadOnlySpan<int> expected = Numbers(_options.Tokens, _options.Stories);
        if (saved.Length != _stories.Length || saved.Any(story => story.Sequence.Length > _options.Tokens) || !saved[0].Tokens.Span.SequenceEqual(expected))
        {
            Array.ForEach(saved, static story => story.Sequence.Dispose());
            throw new InvalidDataException($"{path} is no segment of {Counted.Of(_options.Tokens, "token")} of {Counted.Of(_options.Stories, "story", "stories")}");
        }

        for (int story = 0; story < saved.Length; story++)
        {
            _stories[story].Dispose();
            _stories[story] = saved[story].Sequence;
        }
    }

    public void Dispose()
    {
        _batch.Dispose();
        _cache.Dispose();
    }

    private static SegmentReply Refuse(string problem) => new() { Refusal = problem };

    private void Abandon()
    {
        _batch.Rollback();
        _nextLayer = None;
    }

    /// <summary>Begins a step: tokens beyond what the coordinator knows of belong to one that it has given up.</summary>
    /// <returns>What is missing; <see langword="null"/> if nothing is.</returns>
    private string? Open(SegmentEntry[] entries)
    {
        foreach (SegmentEntry entry in entries)
        {
            Check(entry);
            if (_stories[entry.Story].Length < entry.Length)
            {
                return $"story {entry.Story} has {Counted.Of(_stories[entry.Story].Length, "token")} here, not {entry.Length}";
            }
        }

        foreach (SegmentEntry entry in entries)
        {
            LatentSequence story = _stories[entry.Story];
            if (story.Length > entry.Length)
            {
                story.Truncate(entry.Length);
            }

            if (entry.Grows)
            {
                _batch.Add(story, entry.Rows);
            }
            else
            {
                _batch.AddQueries(story, entry.Rows, causal: false);
            }
        }

        _entries = entries;
        _nextLayer = 0;
        return null;
    }

    private void Check(SegmentEntry entry)
    {
        if ((uint)entry.Story >= (uint)_stories.Length)
        {
            throw new ArgumentException($"Stories are numbered from 0 to {_stories.Length - 1}; found {entry.Story}.");
        }

        long room = _options.Tokens - (long)entry.Length;
        if (entry.Length < 0 || entry.Rows < 1 || room < (entry.Grows ? entry.Rows : 0))
        {
            throw new ArgumentException($"A segment has room for {Counted.Of(_options.Tokens, "token")}; found {entry.Rows} new ones after {entry.Length}.");
        }
    }

    private SegmentReply Run(SegmentRequest request)
    {
        MlaShape shape = TAttention.Shape;
        int rows = _batch.Rows;
        if (!request.Rows.Values.IsEmpty)
        {
            TAttention.AppendLatent(_batch, request.Layer, Spread(request.Rows.Values.Span));
        }

        // Not pooled: when a message has been written, nobody says.
        float[] output = GC.AllocateUninitializedArray<float>(rows * shape.Heads * shape.KvLoraRank);
        float[] logSumExp = GC.AllocateUninitializedArray<float>(rows * shape.Heads);
        TAttention.AttendLatent(_batch, request.Layer, request.Queries.Values.Span, output, logSumExp);
        WireFormat wire = request.Queries.Format;
        wire.Round(output);
        return new SegmentReply { Output = new Numbers(output, wire), LogSumExp = new Numbers(logSumExp, WireFormat.Float32) };
    }

    /// <summary>Rows of those entries that grow, at their places among all.</summary>
    private float[] Spread(ReadOnlySpan<float> rows)
    {
        int width = TAttention.Shape.CacheRowElements;
        float[] all = new float[_batch.Rows * width];
        int place = 0;
        foreach (SegmentEntry entry in _entries)
        {
            int length = entry.Rows * width;
            if (entry.Grows)
            {
                rows[..length].CopyTo(all.AsSpan(place, length));
                rows = rows[length..];
            }

            place += length;
        }

        return all;
    }
}
