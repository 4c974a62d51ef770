using System.Diagnostics;
using Cluster.Segments;
using MlaGen;
using MlaGen.Models;
using Samples;

namespace Cluster.Telling;

/// <summary>
/// Runs the model and tells stories, whose latents lie in segments. What a segment has lost is fed anew from the text: prompt, going on after a
/// failure and going on after a pause are all the same to it.
/// </summary>
internal sealed class Coordinator : IDisposable
{
    /// <summary>Between two attempts to reach a segment.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    private readonly LanguageModel<LongStoryAttention> _model;
    private readonly ISegments _segments;
    private readonly SegmentOptions _options;
    private readonly CoordinatorOptions _own;
    private readonly MlaExecutor _executor;
    private readonly LatentCache<LongStoryAttention> _positions;
    private readonly LatentSequence _rows;
    private readonly MlaBatch<LongStoryAttention> _batch;
    private readonly Dictionary<int, int[]> _saved = [];
    private long _attempt = DateTime.UtcNow.Ticks;
    private long _failing;

    /// <param name="model">The model.</param>
    /// <param name="segments">Where latents are kept.</param>
    /// <param name="options">What the segments have in common.</param>
    /// <param name="own">What concerns the coordinator alone.</param>
    /// <param name="executor">The threads that the model runs on.</param>
    public Coordinator(LanguageModel<LongStoryAttention> model, ISegments segments, SegmentOptions options, CoordinatorOptions own, MlaExecutor executor)
    {
        _model = model;
        _segments = segments;
        _options = options;
        _own = own;
        _executor = executor;

        // Keeps no row: it says positions to the projections, and every step is rolled back.
        _positions = new LatentCache<LongStoryAttention>(1, (long)options.Stories * own.Chunk, new LatentCacheOptions { Name = "positions" });
        _rows = _positions.CreateSequence();
        _batch = _positions.CreateBatch(executor);
    }

    /// <summary>Told of the scores that a token is chosen by: of which story, after how many tokens.</summary>
    public ScoresObserver? OnScores { get; init; }

    /// <summary>Told when a step has failed and is tried anew: why.</summary>
    public Action<string>? OnFailure { get; init; }

    /// <summary>Told after each step.</summary>
    public Action? OnStep { get; init; }

    /// <summary>Steps that were taken.</summary>
    public int Steps { get; private set; }

    /// <summary>Time that was spent on them, failed ones included.</summary>
    public TimeSpan Time { get; private set; }

    /// <summary>Tells all stories to their ends.</summary>
    /// <exception cref="UserException">A segment cannot be had any more.</exception>
    public void Tell(IReadOnlyList<ClusterStory> stories)
    {
        // Whatever segments have of these stories already is not fed again.
        Resume(stories);
        while (true)
        {
            Stretch[] stretches = [.. Stretches(stories)];
            if (stretches.Length == 0)
            {
                return;
            }

            long start = Stopwatch.GetTimestamp();
            try
            {
                Step(stories, stretches);
                _failing = 0;
                Steps++;
            }
            catch (SegmentException problem)
            {
                Fail(problem.Segment, problem);
                Resume(stories);
            }
            finally
            {
                _batch.Rollback();
                Time += Stopwatch.GetElapsedTime(start);
            }

            OnStep?.Invoke();
        }
    }

    public void Dispose()
    {
        _batch.Dispose();
        _positions.Dispose();
    }

    /// <summary>What is fed next: of each story that is not at its end what segments have not got, as far as it goes into one of them.</summary>
    private IEnumerable<Stretch> Stretches(IReadOnlyList<ClusterStory> stories)
    {
        for (int story = 0; story < stories.Count; story++)
        {
            if (stories[story].Remaining > 0)
            {
                int first = stories[story].Cached;
                int room = _options.Tokens - (first % _options.Tokens);
                yield return new Stretch(story, first, Math.Min(Math.Min(stories[story].Tokens.Length - first, room), _own.Chunk));
            }
        }
    }

    private void Step(IReadOnlyList<ClusterStory> stories, Stretch[] stretches)
    {
        int rows = stretches.Sum(static stretch => stretch.Count);
        int[] tokens = new int[rows];
        int[] positions = new int[rows];
        List<int> wanted = [];
        int row = 0;
        foreach (Stretch stretch in stretches)
        {
            ReadOnlySpan<int> text = stories[stretch.Story].Tokens;
            for (int i = 0; i < stretch.Count; i++, row++)
            {
                (tokens[row], positions[row]) = (text[stretch.First + i], stretch.First + i);
            }

            if (stretch.First + stretch.Count == text.Length)
            {
                wanted.Add(row - 1);
            }
        }

        float[] scores = new float[wanted.Count * _model.Config.VocabularySize];
        _batch.Add(_rows, rows, positions);
        SegmentedStep<LongStoryAttention> step = new(_segments, _options, _batch, stretches, _attempt, (segment, saved) => _saved[segment] = saved);
        _model.Forward(step, tokens, [.. wanted], scores, _executor);
        Take(stories, stretches, scores);
    }

    private void Take(IReadOnlyList<ClusterStory> stories, Stretch[] stretches, ReadOnlySpan<float> scores)
    {
        foreach (Stretch stretch in stretches)
        {
            ClusterStory story = stories[stretch.Story];
            story.Cached = stretch.First + stretch.Count;
            if (story.Cached == story.Tokens.Length)
            {
                OnScores?.Invoke(stretch.Story, story.Cached, scores[.._model.Config.VocabularySize]);
                story.Continue(scores[.._model.Config.VocabularySize]);
                scores = scores[_model.Config.VocabularySize..];
            }
        }
    }

    /// <summary>Begins a new attempt, from what the segments have; until they can all be reached, or for so long as is waited for them.</summary>
    private void Resume(IReadOnlyList<ClusterStory> stories)
    {
        while (true)
        {
            _attempt++;
            int segments = stories.Max(story => (story.Tokens.Length - 1) / _options.Tokens) + 1;
            int asked = 0;
            try
            {
                SegmentState[] states = new SegmentState[segments];
                for (; asked < segments; asked++)
                {
                    states[asked] = _segments.BeginAsync(asked, _attempt).GetAwaiter().GetResult();
                    CheckStorage(asked, states[asked]);
                }

                for (int story = 0; story < stories.Count; story++)
                {
                    stories[story].Cached = Cached(states, story, stories[story].Tokens.Length);
                }

                return;
            }
            catch (Exception problem) when (problem is not UserException)
            {
                Fail(asked, problem);
            }
        }
    }

    /// <summary>The tokens of a story up to the first that a segment lacks; at most all but the last, whose scores are wanted.</summary>
    private int Cached(SegmentState[] states, int story, int tokens)
    {
        int cached = 0;
        foreach (SegmentState state in states)
        {
            cached += Math.Min(state.Lengths[story], _options.Tokens);
            if (state.Lengths[story] < _options.Tokens)
            {
                break;
            }
        }

        return Math.Min(cached, tokens - 1);
    }

    /// <summary>A segment that has less than it had saved was lost twice: on its silo and in storage.</summary>
    private void CheckStorage(int segment, SegmentState state)
    {
        if (_saved.TryGetValue(segment, out int[]? saved) && saved.Zip(state.Saved).Any(static pair => pair.Second < pair.First))
        {
            throw new UserException(
                $"{Name(segment)} was saved in {_options.Directory} with {Counted.Of(saved.Max(), "token")}; its silo is gone, and its file has {state.Saved.Max()}. The text is kept: --resume {_options.Directory} computes it anew");
        }
    }

    private string Name(int segment) => $"segment {segment} (tokens {segment * _options.Tokens} to {((segment + 1) * _options.Tokens) - 1})";

    /// <summary>Waits before another attempt.</summary>
    private void Fail(int segment, Exception problem)
    {
        OnFailure?.Invoke($"{Name(segment)}: {problem.Message}");
        if (_failing == 0)
        {
            _failing = Stopwatch.GetTimestamp();
        }
        else if (Stopwatch.GetElapsedTime(_failing) > _own.Patience)
        {
            string advice = _options.Directory is null ? string.Empty : $" The text is kept: --resume {_options.Directory} goes on";
            throw new UserException($"{Name(segment)} could not be had for {_own.Patience.TotalSeconds:F0} s: {problem.Message.TrimEnd('.')}.{advice}");
        }

        Thread.Sleep(Pause);
    }
}

/// <summary>Takes the scores after so many tokens of a story.</summary>
internal delegate void ScoresObserver(int story, int tokens, ReadOnlySpan<float> scores);

/// <summary>What concerns the coordinator alone.</summary>
/// <param name="Chunk">Tokens of a story that are fed in one step at most.</param>
/// <param name="Patience">How long a step is tried anew.</param>
internal sealed record CoordinatorOptions(int Chunk, TimeSpan Patience);
