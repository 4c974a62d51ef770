using System.Diagnostics;
using System.Globalization;
using Cluster.Segments;
using MlaGen;

namespace Cluster.Grains;

/// <summary>
/// Keeps a segment in the memory of its silo, and saves it: whenever it is full, and before that at intervals. Activated elsewhere, it begins with
/// what was saved; the coordinator feeds what came after it anew.
/// </summary>
[SegmentPlacement]
internal sealed class SegmentGrain(SegmentOptions options, MlaExecutor executor, ILocalSiloDetails silo) : Grain, ISegmentGrain
{
    private ISegment _segment = null!;
    private int[] _saved = [];
    private int[]? _newlySaved;
    private Task _saving = Task.CompletedTask;
    private string? _problem;
    private long _ticks;
    private long _calls;

    /// <summary>The file of a segment.</summary>
    public static string FileOf(string directory, string stories, long segment) => Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"{stories}-{segment}.mlacache"));

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _segment = options.Create(executor);
        _saved = _segment.Lengths;
        if (options.Directory is { } directory)
        {
            if (!Directory.Exists(directory))
            {
                throw new IOException($"the storage {directory} is not there");
            }

            string path = FileOf(directory, Key(out long segment), segment);
            if (File.Exists(path))
            {
                _segment.Load(path);
                _saved = _segment.Lengths;
            }
        }

        return Task.CompletedTask;
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        await _saving;
        _segment?.Dispose();
    }

    public ValueTask<SegmentReply> Attend(SegmentRequest request)
    {
        long start = Stopwatch.GetTimestamp();
        SegmentReply reply = _segment.Attend(request);
        if (request.Layer == options.Layers - 1 && reply.Refusal is null)
        {
            SaveIfDue();
            if (_newlySaved is { } saved)
            {
                reply = new SegmentReply { Output = reply.Output, LogSumExp = reply.LogSumExp, Saved = saved };
                _newlySaved = null;
            }
        }

        _ticks += Stopwatch.GetTimestamp() - start;
        _calls++;
        return ValueTask.FromResult(reply);
    }

    public ValueTask<SegmentState> Begin(long attempt)
    {
        _segment.Begin(attempt);
        return ValueTask.FromResult(new SegmentState(_segment.Lengths, _saved));
    }

    public ValueTask<SegmentPlace> Find() => ValueTask.FromResult(new SegmentPlace(silo.Name, _segment.Bytes, _ticks * 1000.0 / Stopwatch.Frequency, _calls, _problem));

    private void SaveIfDue()
    {
        if (options.Directory is not null && _saving.IsCompleted && _segment.Lengths.Zip(_saved).Any(pair =>
            pair.First - pair.Second >= options.SaveInterval || (pair.First == options.Tokens && pair.Second < options.Tokens)))
        {
            _saving = SaveAsync(options.Directory);
        }
    }

    /// <summary>Writes what the segment has now, on another thread, while it answers and grows.</summary>
    private async Task SaveAsync(string directory)
    {
        SegmentSnapshot snapshot = _segment.Snapshot();
        string path = FileOf(directory, Key(out long segment), segment);
        try
        {
            await Task.Run(() => snapshot.Write(path));
            _saved = _newlySaved = snapshot.Lengths;
            _problem = null;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // The segment is whole in memory: the next interval tries again, and whoever watches is told.
            _problem = problem.Message;
        }
    }

    private string Key(out long segment)
    {
        segment = this.GetPrimaryKeyLong(out string? stories);
        return stories!;
    }
}
