using MlaGen.Tests.Attention;
using MlaGen.Tests.Files;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Serving;

/// <summary>One thread of the soak: serves texts of its own in a cache that it shares, each checked against a run that is alone and against the oracle.</summary>
internal sealed class SoakWorker : IDisposable
{
    private const int MostTexts = 5;
    private const int MostTokens = 110;

    /// <summary>Beginnings that texts of all threads have in common.</summary>
    private static readonly int[][] _prompts = [.. Enumerable.Range(0, 3).Select(i => Story.Text(seed: 100 + i, 50))];

    private readonly TestLayer _layer;
    private readonly AttentionRun _run;
    private readonly AttentionRun _alone;
    private readonly Random _random;
    private readonly TemporaryDirectory _folder = new();
    private readonly List<(LatentSequence Sequence, List<int> Tokens)> _texts = [];

    public SoakWorker(AttentionRun shared, TestLayer layer, int seed)
    {
        _layer = layer;
        _run = shared.OpenBeside(threads: 2);
        _alone = layer.Open(new RunOptions { Threads = 1 });
        _random = new Random(seed);
    }

    public void Dispose()
    {
        _run.Dispose();
        _alone.Dispose();
        _texts.ForEach(text => text.Sequence.Dispose());
        _folder.Dispose();
    }

    /// <summary>Does one thing. Where the cache is full, even without the prefixes that nobody uses, a text is given up instead.</summary>
    public void Operate()
    {
        _run.Batch.Form = _random.Next(2) == 0 ? MlaForm.Absorbed : MlaForm.Decompressed;
        try
        {
            switch (_texts.Count == 0 ? 0 : _random.Next(12))
            {
                case 0:
                case 1:
                    Begin();
                    break;
                case 2:
                    Fork();
                    break;
                case 3:
                    Truncate();
                    break;
                case 4:
                    Draft();
                    break;
                case 5:
                    Tree();
                    break;
                case 6:
                    Cancel();
                    break;
                case 7:
                    SaveAndLoad();
                    break;
                default:
                    GoOn();
                    break;
            }
        }
        catch (LatentCacheFullException)
        {
            _run.Batch.Rollback();
            GiveUp(0);
        }

        while (_texts.Count > MostTexts)
        {
            GiveUp(_random.Next(_texts.Count));
        }
    }

    /// <summary>A new text, from the pages of its beginning if they are known.</summary>
    private void Begin()
    {
        int[] prompt = [.. _prompts[_random.Next(_prompts.Length)], .. Tokens(1 + _random.Next(20))];
        if (!_run.Prefixes.TryStart(prompt, out LatentSequence? sequence))
        {
            sequence = _run.CreateSequence();
        }

        var text = (sequence, new List<int>(prompt[..sequence.Length]));
        _texts.Add(text);
        Append([(text, prompt[sequence.Length..])]);
        _run.Prefixes.Register(sequence, prompt);
    }

    private void Fork()
    {
        (LatentSequence sequence, List<int> tokens) = Any();
        _texts.Add((sequence.Fork(), [.. tokens]));
    }

    private void Truncate()
    {
        (LatentSequence sequence, List<int> tokens) = Any();
        int length = _random.Next(tokens.Count + 1);
        sequence.Truncate(length);
        tokens.RemoveRange(length, tokens.Count - length);
    }

    /// <summary>Some of the texts in one step, a token or a few each.</summary>
    private void GoOn()
    {
        List<((LatentSequence, List<int>), int[])> parts = [];
        foreach ((LatentSequence Sequence, List<int> Tokens) text in _texts.ToArray())
        {
            if (text.Tokens.Count > MostTokens)
            {
                GiveUp(_texts.IndexOf(text));
            }
            else if (_random.Next(2) == 0)
            {
                parts.Add((text, Tokens(_random.Next(3) == 0 ? 1 + _random.Next(12) : 1)));
            }
        }

        if (parts.Count > 0)
        {
            Append(parts);
        }
    }

    /// <summary>A draft, of which the first tokens are kept.</summary>
    private void Draft()
    {
        (LatentSequence sequence, List<int> tokens) = Any();
        int[] draft = Tokens(1 + _random.Next(6));
        int accepted = _random.Next(draft.Length + 1);
        float[] output = Forward([(sequence, draft, default)]);
        _run.Batch.Accept(sequence, accepted);
        _run.Batch.Commit();
        tokens.AddRange(draft[..accepted]);
        Check(sequence, tokens, output.AsSpan(0, accepted * Float32Story.HiddenSize));
    }

    /// <summary>A tree, of which a path is kept.</summary>
    private void Tree()
    {
        (LatentSequence sequence, List<int> tokens) = Any();
        int[] candidates = Tokens(2 + _random.Next(8));
        int[] parents = [.. Enumerable.Range(0, candidates.Length).Select(i => _random.Next(-1, i))];
        List<int> path = [];
        for (int token = _random.Next(candidates.Length); token >= 0; token = parents[token])
        {
            path.Insert(0, token);
        }

        _run.Batch.Form = MlaForm.Absorbed;
        float[] output = Forward([(sequence, candidates, parents)]);
        _run.Batch.Accept(sequence, path.ToArray());
        _run.Batch.Commit();
        tokens.AddRange(path.Select(token => candidates[token]));
        Check(sequence, tokens, output.AsSpan(path[^1] * Float32Story.HiddenSize, Float32Story.HiddenSize));
    }

    /// <summary>A step that another thread cancels somewhere, or too late.</summary>
    private void Cancel()
    {
        (LatentSequence sequence, List<int> tokens) = Any();
        int[] added = Tokens(1 + _random.Next(20));
        using var source = new CancellationTokenSource();
        int delay = _random.Next(20_000);
        Task canceller = Task.Run(() =>
        {
            Thread.SpinWait(delay);
            source.Cancel();
        });
        try
        {
            _run.Batch.CancellationToken = source.Token;
            float[] output = Forward([(sequence, added, default)]);
            _run.Batch.Commit();
            tokens.AddRange(added);
            Check(sequence, tokens, output);
        }
        catch (OperationCanceledException)
        {
            Assert.Throws<InvalidOperationException>(_run.Batch.Commit);
            _run.Batch.Rollback();
            Check(sequence, tokens, []);
        }
        finally
        {
            _run.Batch.CancellationToken = CancellationToken.None;
            canceller.Wait();
        }
    }

    /// <summary>All texts into a file, and one that goes on from there in place of itself.</summary>
    private void SaveAndLoad()
    {
        string path = _folder.At("texts.cache");
        _run.Save(path, [.. _texts.Select(text => new SavedSequence(text.Sequence, text.Tokens.ToArray()))]);
        GiveUp(_texts.Count - 1);
        foreach (SavedSequence saved in _run.Load(path))
        {
            _texts.Add((saved.Sequence, [.. saved.Tokens.Span]));
            Check(saved.Sequence, _texts[^1].Tokens, []);
        }
    }

    private void Append(List<((LatentSequence Sequence, List<int> Tokens) Text, int[] Added)> parts)
    {
        float[] output = Forward([.. parts.Select(part => (part.Text.Sequence, part.Added, (int[]?)null))]);
        _run.Batch.Commit();
        parts.ForEach(part => part.Text.Tokens.AddRange(part.Added));
        int row = 0;
        foreach (((LatentSequence sequence, List<int> tokens), int[] added) in parts)
        {
            Check(sequence, tokens, output.AsSpan(row * Float32Story.HiddenSize, added.Length * Float32Story.HiddenSize));
            row += added.Length;
        }
    }

    /// <summary>Runs the layer over a step, which stays open.</summary>
    private float[] Forward(List<(LatentSequence Sequence, int[] Tokens, int[]? Parents)> parts)
    {
        parts.ForEach(part => _run.Batch.Add(part.Sequence, part.Tokens.Length, parents: part.Parents));
        float[] hidden = Story.Prompt([.. parts.SelectMany(part => part.Tokens)]).Hidden;
        _run.Forward(hidden, hidden);
        return hidden;
    }

    /// <summary>Now and then: the cached rows, and the outputs of the last tokens, are those of the text alone, and those are the oracle's.</summary>
    private void Check(LatentSequence sequence, List<int> tokens, ReadOnlySpan<float> lastOutputs)
    {
        Assert.Equal((tokens.Count, tokens.Count), (sequence.Length, sequence.NextPosition));
        if (tokens.Count == 0 || _random.Next(4) != 0)
        {
            return;
        }

        Prompt prompt = Story.Prompt(tokens.ToArray());
        using LatentSequence alone = _alone.CreateSequence();
        _alone.Batch.Form = _run.Batch.Form;
        float[] outputs = _alone.Feed(alone, prompt);
        float[] rows = AttentionRun.Rows(alone, _layer.Spec.RowWidth);
        Compare.AssertSameBits("rows", AttentionRun.Rows(sequence, _layer.Spec.RowWidth), rows);
        Compare.AssertSameBits("outputs", lastOutputs, outputs.AsSpan()[^lastOutputs.Length..]);
        if (_random.Next(4) == 0)
        {
            OracleResult expected = AbsorbedOracle.Forward(_layer.Spec, _layer.Weights, prompt.Hidden, prompt.Positions, rows);
            Compare.AssertClose<float, double>("outputs", outputs, expected.Output, Tolerance.Float32.ForScores(expected.MaxScore));
        }
    }

    private (LatentSequence Sequence, List<int> Tokens) Any() => _texts[_random.Next(_texts.Count)];

    private int[] Tokens(int count) => [.. Enumerable.Range(0, count).Select(_ => _random.Next(Story.Vocabulary))];

    private void GiveUp(int index)
    {
        _texts[index].Sequence.Dispose();
        _texts.RemoveAt(index);
    }
}
