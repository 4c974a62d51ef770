using MlaGen;
using MlaGen.Models;
using Samples;

namespace Cluster.Segments;

/// <summary>Tokens of a story that are fed in one step; all of them go into one segment.</summary>
/// <param name="Story">Which story.</param>
/// <param name="First">The first of them, counted in the story.</param>
/// <param name="Count">How many.</param>
internal readonly record struct Stretch(int Story, int First, int Count);

/// <summary>
/// The attention of one step over segments: queries go out to all of them at once, partial outputs are merged in the order of the segments,
/// whichever comes back first. The thread that runs the model waits for them; it belongs to the model alone.
/// </summary>
internal sealed class SegmentedStep<TAttention> : IAttentionStep<TAttention>
    where TAttention : class, IMlaAttention<TAttention>
{
    private readonly ISegments _segments;
    private readonly SegmentOptions _options;
    private readonly MlaBatch<TAttention> _batch;
    private readonly Stretch[] _stretches;
    private readonly long _attempt;
    private readonly Action<int, int[]> _onSaved;

    /// <param name="segments">The segments.</param>
    /// <param name="options">What they have in common.</param>
    /// <param name="batch">Holds as many new tokens as the stretches together, at their positions.</param>
    /// <param name="stretches">What is fed.</param>
    /// <param name="attempt">Numbers the attempts.</param>
    /// <param name="onSaved">Told of what segments have saved.</param>
    public SegmentedStep(ISegments segments, SegmentOptions options, MlaBatch<TAttention> batch, Stretch[] stretches, long attempt, Action<int, int[]> onSaved)
    {
        _segments = segments;
        _options = options;
        _batch = batch;
        _stretches = stretches;
        _attempt = attempt;
        _onSaved = onSaved;
    }

    public int Rows => _batch.Rows;

    private int SegmentCount => _stretches.Max(SegmentOf) + 1;

    public void Attend(TAttention attention, ReadOnlySpan<float> hidden, Span<float> output)
    {
        MlaShape shape = TAttention.Shape;

        // Not pooled: a message that nobody waits for any more may still be being written.
        float[] queries = GC.AllocateUninitializedArray<float>(Rows * shape.Heads * shape.CacheRowElements);
        float[] rows = GC.AllocateUninitializedArray<float>(Rows * shape.CacheRowElements);
        attention.ProjectLatent(_batch, hidden, queries, rows);
        _options.Wire.Round(queries);
        float[] merged = Attend(attention.Layer, queries, rows);
        attention.ProjectOutput(_batch, merged, output);
    }

    /// <summary>The core alone, for one layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="queries">Absorbed queries <c>[Rows, Heads, KvLoraRank + QkRopeHeadDim]</c>.</param>
    /// <param name="rows">Rows of the cache <c>[Rows, KvLoraRank + QkRopeHeadDim]</c>.</param>
    /// <returns>Weighted sums of latents <c>[Rows, Heads, KvLoraRank]</c>.</returns>
    public float[] Attend(int layer, float[] queries, float[] rows)
    {
        Task<SegmentReply>[] calls = [.. Enumerable.Range(0, SegmentCount).Select(segment => _segments.AttendAsync(segment, Request(segment, layer, queries, rows)))];
        MlaShape shape = TAttention.Shape;
        float[] merged = new float[Rows * shape.Heads * shape.KvLoraRank];
        float[] logSumExp = new float[Rows * shape.Heads];
        Array.Fill(logSumExp, float.NegativeInfinity);
        for (int segment = 0; segment < calls.Length; segment++)
        {
            Merge(segment, Result(segment, calls), merged, logSumExp);
        }

        return merged;
    }

    private static SegmentReply Result(int segment, Task<SegmentReply>[] calls)
    {
        try
        {
            SegmentReply reply = calls[segment].GetAwaiter().GetResult();
            return reply.Refusal is null ? reply : throw new SegmentException(segment, reply.Refusal);
        }
        catch (Exception problem) when (problem is not SegmentException)
        {
            throw new SegmentException(segment, problem);
        }
    }

    private int SegmentOf(Stretch stretch) => stretch.First / _options.Tokens;

    private bool TakesPart(Stretch stretch, int segment) => SegmentOf(stretch) >= segment;

    private SegmentRequest Request(int segment, int layer, float[] queries, float[] rows)
    {
        MlaShape shape = TAttention.Shape;
        return new SegmentRequest
        {
            Attempt = _attempt,
            Layer = layer,
            Entries = layer == 0 ? [.. _stretches.Where(stretch => TakesPart(stretch, segment)).Select(stretch => Entry(stretch, segment))] : null,
            Queries = new Numbers(Select(queries, shape.Heads * shape.CacheRowElements, stretch => TakesPart(stretch, segment)), _options.Wire),
            Rows = new Numbers(Select(rows, shape.CacheRowElements, stretch => SegmentOf(stretch) == segment), WireFormat.Float32),
        };
    }

    private SegmentEntry Entry(Stretch stretch, int segment)
    {
        bool grows = SegmentOf(stretch) == segment;
        return new SegmentEntry(stretch.Story, grows ? stretch.First % _options.Tokens : _options.Tokens, stretch.Count, grows);
    }

    /// <summary>What belongs to some of the stretches: the memory itself where that is all.</summary>
    private ReadOnlyMemory<float> Select(float[] values, int width, Func<Stretch, bool> wanted)
    {
        if (_stretches.All(wanted))
        {
            return values;
        }

        float[] selected = GC.AllocateUninitializedArray<float>(_stretches.Where(wanted).Sum(static stretch => stretch.Count) * width);
        int place = 0;
        int row = 0;
        foreach (Stretch stretch in _stretches)
        {
            if (wanted(stretch))
            {
                values.AsSpan(row * width, stretch.Count * width).CopyTo(selected.AsSpan(place));
                place += stretch.Count * width;
            }

            row += stretch.Count;
        }

        return selected;
    }

    private void Merge(int segment, SegmentReply reply, Span<float> merged, Span<float> logSumExp)
    {
        MlaShape shape = TAttention.Shape;
        int width = shape.Heads * shape.KvLoraRank;
        ReadOnlySpan<float> parts = reply.Output.Values.Span;
        ReadOnlySpan<float> partLogSumExp = reply.LogSumExp.Values.Span;
        int rows = _stretches.Where(stretch => TakesPart(stretch, segment)).Sum(static stretch => stretch.Count);
        if (parts.Length != rows * width || partLogSumExp.Length != rows * shape.Heads)
        {
            throw new SegmentException(segment, $"{Counted.Of(rows * width, "sum")} and {Counted.Of(rows * shape.Heads, "logarithm")} are expected, {parts.Length} and {partLogSumExp.Length} found");
        }

        int row = 0;
        foreach (Stretch stretch in _stretches)
        {
            if (TakesPart(stretch, segment))
            {
                int sums = stretch.Count * width;
                int columns = stretch.Count * shape.Heads;
                LogSumExp.Merge(merged.Slice(row * width, sums), logSumExp.Slice(row * shape.Heads, columns), parts[..sums], partLogSumExp[..columns]);
                parts = parts[sums..];
                partLogSumExp = partLogSumExp[columns..];
            }

            row += stretch.Count;
        }

        if (reply.Saved is { } saved)
        {
            _onSaved(segment, saved);
        }
    }
}

/// <summary>A segment has not done its part of a step.</summary>
internal sealed class SegmentException : Exception
{
    public SegmentException(int segment, string problem)
        : base(problem) => Segment = segment;

    public SegmentException(int segment, Exception problem)
        : base(problem.Message, problem) => Segment = segment;

    /// <summary>Which one.</summary>
    public int Segment { get; }
}
