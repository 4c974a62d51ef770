using System.Runtime.InteropServices;

namespace MlaGen.Models;

/// <summary>Runs the steps of a generator.</summary>
internal sealed class StepRunner : IDisposable
{
    private readonly LanguageModel _model;
    private readonly ModelCache _cache;
    private readonly TextGeneratorOptions _options;
    private readonly MlaBatch _batch;
    private readonly CancellationTokenSource _cancelled = new();
    private readonly List<int> _tokens = [];
    private readonly List<int> _wanted = [];
    private float[] _logits = [];
    private int _turn;
    private bool _hasChosen;
    private long _proposed;
    private long _accepted;

    public StepRunner(LanguageModel model, ModelCache cache, TextGeneratorOptions options)
    {
        _model = model;
        _cache = cache;
        _options = options;
        _batch = cache.CreateBatch(options.Executor);
        _batch.CancellationToken = _cancelled.Token;
    }

    /// <summary>Candidates that were computed, and those that became text.</summary>
    public (long Proposed, long Accepted) Drafts => (Volatile.Read(ref _proposed), Volatile.Read(ref _accepted));

    public void Cancel() => _cancelled.Cancel();

    /// <summary>Lets a request take part, if there is room for all that it may become.</summary>
    public bool TryStart(GenerationRequest request)
    {
        LatentSequence sequence = Begin(request);

        // The last token is never fed.
        if (sequence.TryReserve(request.MostTokens - 1 - sequence.Length))
        {
            request.Sequence = sequence;
            return true;
        }

        sequence.Dispose();
        return false;
    }

    /// <summary>Takes every request a step further that has its turn, and ends those that cannot go on.</summary>
    public void Run(List<GenerationRequest> requests)
    {
        List<(GenerationRequest Request, int Tokens)> step = Choose(requests);
        try
        {
            Step(step);
        }
        catch (Exception problem)
        {
            _batch.Rollback();
            if (step.Count == 1 || _hasChosen || _cancelled.IsCancellationRequested)
            {
                step.ForEach(entry => entry.Request.End(problem));
                return;
            }

            // One of them is at fault: the others are not to suffer for it.
            foreach ((GenerationRequest request, _) in step.Where(static entry => !entry.Request.HasEnded))
            {
                Run([request]);
            }
        }
    }

    public void Dispose()
    {
        _batch.Dispose();
        _cancelled.Dispose();
    }

    /// <summary>What a prompt has in common with earlier ones, up to a multiple of the chunk: the rest is then cut as if there were nothing.</summary>
    private LatentSequence Begin(GenerationRequest request)
    {
        if (_options.SharePrefixes && _cache.Prefixes.TryStart(request.Tokens, out LatentSequence? sequence))
        {
            sequence.Truncate(sequence.Length / _options.PromptChunk * _options.PromptChunk);
            return sequence;
        }

        return _cache.CreateSequence();
    }

    /// <summary>Everybody who generates, and chunks of prompts, whose turns go round.</summary>
    private List<(GenerationRequest Request, int Tokens)> Choose(List<GenerationRequest> requests)
    {
        List<(GenerationRequest, int)> step = [];
        List<GenerationRequest> prompts = [.. requests.Where(static request => request.IsInPrompt)];
        int candidates = MostCandidates(requests, prompts.Count);
        foreach (GenerationRequest request in requests.Where(static request => !request.IsInPrompt))
        {
            request.Propose(candidates);
            step.Add((request, request.Draft.Tokens.Length));
        }

        int left = _options.PromptTokensPerStep;
        for (int i = 0; i < prompts.Count; i++)
        {
            GenerationRequest request = prompts[(int)((uint)(_turn + i) % (uint)prompts.Count)];
            int chunk = Math.Min(request.Pending.Length, _options.PromptChunk - (request.Sequence!.Length % _options.PromptChunk));
            if (i > 0 && chunk > left)
            {
                break;
            }

            left -= chunk;
            step.Add((request, chunk));
        }

        _turn++;
        return step;
    }

    /// <summary>
    /// Candidates that each request may propose. Attention's form may depend on a step's rows, and decides about the last bits: candidates are for steps
    /// that can be pinned to the form that a token alone has, which it has from the third token of a text on.
    /// </summary>
    private int MostCandidates(List<GenerationRequest> requests, int prompts)
    {
        bool canPin = _options.DraftTokens > 0 && prompts == 0 && requests.TrueForAll(static request => request.Sequence!.Length >= 2);
        _batch.Form = canPin ? MlaForm.Absorbed : MlaForm.Auto;
        return canPin ? _options.DraftTokens / requests.Count : 0;
    }

    private void Step(List<(GenerationRequest Request, int Tokens)> step)
    {
        _hasChosen = false;
        _tokens.Clear();
        _wanted.Clear();
        foreach ((GenerationRequest request, int count) in step)
        {
            Add(request, count);
        }

        int vocabulary = _model.Config.VocabularySize;
        if (_logits.Length < (long)_wanted.Count * vocabulary)
        {
            _logits = new float[checked(_wanted.Count * vocabulary)];
        }

        _model.Forward(
            _batch, CollectionsMarshal.AsSpan(_tokens), CollectionsMarshal.AsSpan(_wanted), _logits.AsSpan(0, _wanted.Count * vocabulary));
        _hasChosen = true;
        ReadOnlySpan<float> logits = _logits;
        foreach ((GenerationRequest request, int count) in step)
        {
            Choose(request, count, vocabulary, ref logits);
        }

        _batch.Commit();
        foreach ((GenerationRequest request, _) in step)
        {
            Register(request);
            if (request.IsComplete)
            {
                request.End(null);
            }
        }
    }

    /// <summary>Adds a chunk of a prompt, or a tree of candidates; the scores after its last token, or after each of the tree, are wanted.</summary>
    private void Add(GenerationRequest request, int count)
    {
        if (request.IsInPrompt)
        {
            _batch.Add(request.Sequence!, count);
            _tokens.AddRange(request.Pending[..count]);
            if (count == request.Pending.Length)
            {
                _wanted.Add(_tokens.Count - 1);
            }

            return;
        }

        _batch.Add(request.Sequence!, count, parents: request.Draft.Parents);
        _wanted.AddRange(Enumerable.Range(_tokens.Count, count));
        _tokens.AddRange(request.Draft.Tokens);
    }

    /// <summary>Lets a request choose from the scores that it wanted, and takes them off.</summary>
    private void Choose(GenerationRequest request, int count, int vocabulary, ref ReadOnlySpan<float> logits)
    {
        if (!request.IsInPrompt)
        {
            ReadOnlySpan<int> path = request.Follow(logits[..(count * vocabulary)]);
            _batch.Accept(request.Sequence!, path);
            Volatile.Write(ref _proposed, _proposed + count - 1);
            Volatile.Write(ref _accepted, _accepted + path.Length - 1);
            logits = logits[(count * vocabulary)..];
        }
        else if (count == request.Pending.Length)
        {
            request.Choose(logits[..vocabulary]);
            logits = logits[vocabulary..];
        }
    }

    /// <summary>Whole chunks of prompts are what others may start from: computed as they would compute them.</summary>
    private void Register(GenerationRequest request)
    {
        int length = request.Sequence!.Length;
        if (_options.SharePrefixes && length <= request.PromptLength && length % _options.PromptChunk == 0)
        {
            _cache.Prefixes.Register(request.Sequence, request.Tokens[..length]);
        }
    }
}
