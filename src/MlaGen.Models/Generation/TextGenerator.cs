using System.Collections.Immutable;
using System.Runtime.CompilerServices;

namespace MlaGen.Models;

/// <summary>
/// Generates text for any number of callers at once: requests join and leave between steps, and prompts go through the model in chunks beside those that
/// generate. A request's tokens depend on its prompt, its options and its seed alone.
/// </summary>
/// <remarks>
/// <para>Thread-safe. Steps run on a thread of the generator's own.</para>
/// <para>A request takes part once the cache has room for all that it may become, in the order of asking, so that none is ever thrown out for another.</para>
/// </remarks>
public sealed class TextGenerator : IDisposable
{
    private readonly LanguageModel _model;
    private readonly TextGeneratorOptions _options;
    private readonly ModelCache _cache;
    private readonly StepRunner _steps;
    private readonly Thread _thread;
    private readonly object _lock = new();
    private readonly Queue<GenerationRequest> _waiting = [];
    private readonly List<GenerationRequest> _active = [];
    private bool _disposed;

    /// <summary>Makes a generator, and its cache.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">Makes text of tokens; <see langword="null"/> where tokens are all that is wanted.</param>
    /// <param name="options">Limits; <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentOutOfRangeException">A limit is out of its range.</exception>
    public TextGenerator(LanguageModel model, ITextTokenizer? tokenizer = null, TextGeneratorOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        Tokenizer = tokenizer;
        _options = options ?? new TextGeneratorOptions();
        _options.Validate();
        _cache = model.CreateCache(_options.CacheTokens, _options.Cache);
        _cache.OnFull = _cache.Prefixes.Evict;
        _steps = new StepRunner(model, _cache, _options);
        _thread = new Thread(Run) { IsBackground = true, Name = "MlaGen text generator" };
        _thread.Start();
    }

    /// <summary>The model.</summary>
    public LanguageModel Model => _model;

    /// <summary>What makes text of tokens.</summary>
    public ITextTokenizer? Tokenizer { get; }

    /// <summary>Requests that take part in steps, and those that wait, at this moment.</summary>
    public (int Active, int Waiting) Requests
    {
        get
        {
            lock (_lock)
            {
                return (_active.Count, _waiting.Count);
            }
        }
    }

    /// <summary>Pages of the cache that are in use at this moment, those of shared prefixes included.</summary>
    public int UsedPages => _cache.UsedPages;

    /// <summary>Pages that only shared prefixes hold.</summary>
    public int PrefixPages => _cache.Prefixes.Pages;

    /// <summary>Candidates of <see cref="TextGeneratorOptions.DraftTokens"/> so far, and those of them that became text.</summary>
    public (long Proposed, long Accepted) Drafts => _steps.Drafts;

    /// <summary>Generates tokens until the text ends. Giving up the enumeration, or cancelling, ends the request.</summary>
    /// <param name="prompt">Tokens that the text begins with; at least one.</param>
    /// <param name="options">What is wanted; <see langword="null"/> for the defaults.</param>
    /// <param name="cancellationToken">Ends the request.</param>
    /// <exception cref="ArgumentException">The prompt is empty, too long for the model or the cache, or has a token that there is not.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="GeneratorBusyException">Too many requests wait.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The generator is disposed, or was while the text was generated.</exception>
    public IAsyncEnumerable<GeneratedToken> GenerateAsync(ReadOnlyMemory<int> prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new GenerationOptions();
        options.Validate();
        if (Tokenizer is null && options.StopTexts.Length > 0)
        {
            throw new ArgumentException("StopTexts need a tokenizer, and the generator has none.", nameof(options));
        }

        // The last token is told and not fed: there may be one more than there are positions.
        int positions = (int)Math.Min(_model.Shape.MaxPositionEmbeddings, Math.Min(_cache.MaxTokens, int.MaxValue - 1L));
        if (prompt.Length == 0 || prompt.Length > positions)
        {
            throw new ArgumentException(FormattableString.Invariant($"Expected a prompt whose length is from 1 to {positions}; found {prompt.Length}."), nameof(prompt));
        }

        foreach (int token in prompt.Span)
        {
            if ((uint)token >= (uint)_model.Config.VocabularySize)
            {
                throw new ArgumentException(FormattableString.Invariant($"Expected tokens from 0 to {_model.Config.VocabularySize - 1}; found {token}."), nameof(prompt));
            }
        }

        return Generate(prompt.ToArray(), options, Math.Min(options.MaxTokens, positions + 1 - prompt.Length), cancellationToken, CancellationToken.None);
    }

    /// <summary>
    /// Keeps in a file what the cache knows of the beginning of a text, computed for prompts that began so: pages of it, as <see cref="TextGeneratorOptions.SharePrefixes"/> shares them.
    /// </summary>
    /// <param name="path">The file; one that is there is replaced as a whole.</param>
    /// <param name="tokens">The text.</param>
    /// <returns>Tokens that are kept; 0 where nothing is known, and no file is written.</returns>
    /// <exception cref="IOException">The file cannot be written, or one of the model's not be read.</exception>
    /// <exception cref="UnauthorizedAccessException">Permission is missing.</exception>
    /// <exception cref="ObjectDisposedException">The generator is disposed.</exception>
    public int SavePrefix(string path, ReadOnlySpan<int> tokens) => PrefixFile.Save(path, _cache, Fingerprint(), tokens);

    /// <summary>Takes what a file of <see cref="SavePrefix"/> keeps: prompts that begin so start from it, and generate what they would without.</summary>
    /// <param name="path">The file.</param>
    /// <returns>Tokens that are known now.</returns>
    /// <exception cref="CacheFileException">The file is damaged, or was saved with a cache of another kind.</exception>
    /// <exception cref="InvalidDataException">It was saved with another model, or with weights in another format, or is no such file.</exception>
    /// <exception cref="LatentCacheFullException">It holds more than the cache has room for.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">Permission is missing.</exception>
    /// <exception cref="ObjectDisposedException">The generator is disposed.</exception>
    public int LoadPrefix(string path) => PrefixFile.Load(path, _cache, Fingerprint(), _model.Config.VocabularySize);

    /// <summary>Ends all requests and gives all memory back.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            Monitor.PulseAll(_lock);
        }

        _steps.Cancel();
        _thread.Join();
        _steps.Dispose();
        _cache.Dispose();
    }

    /// <summary>Of all that latents depend on beside the tokens.</summary>
    private long Fingerprint() => _model.Fingerprint() + (long)_model.Weights;

    private async IAsyncEnumerable<GeneratedToken> Generate(
        int[] prompt, GenerationOptions options, int room, CancellationToken asked, [EnumeratorCancellation] CancellationToken enumerated)
    {
        using CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(asked, enumerated);
        GenerationRequest request = new(prompt, options, options.StopTokens ?? _model.Config.EndTokens, room, Tokenizer, ended.Token);
        Enqueue(request);
        try
        {
            while (await request.Output.WaitToReadAsync(ended.Token).ConfigureAwait(false))
            {
                while (request.Output.TryRead(out GeneratedToken? token))
                {
                    yield return token;
                }
            }
        }
        finally
        {
            // Whoever stops reading is as good as cancelled.
            await ended.CancelAsync().ConfigureAwait(false);
            lock (_lock)
            {
                Monitor.PulseAll(_lock);
            }
        }
    }

    private void Enqueue(GenerationRequest request)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_waiting.Count >= _options.MaxWaiting)
            {
                throw new GeneratorBusyException(_waiting.Count);
            }

            _waiting.Enqueue(request);
            Monitor.PulseAll(_lock);
        }
    }

    private void Run()
    {
        while (NextStep() is { } step)
        {
            _steps.Run(step);
        }

        ObjectDisposedException problem = new(nameof(TextGenerator));
        foreach (GenerationRequest request in _active.Concat(_waiting))
        {
            request.End(problem);
        }
    }

    /// <summary>Waits for something to do; nothing once disposed.</summary>
    private List<GenerationRequest>? NextStep()
    {
        lock (_lock)
        {
            while (!_disposed)
            {
                _active.RemoveAll(static request => HasLeft(request));
                Admit();
                if (_active.Count > 0)
                {
                    return [.. _active];
                }

                Monitor.Wait(_lock);
            }

            return null;
        }
    }

    private static bool HasLeft(GenerationRequest request)
    {
        if (!request.HasEnded && request.Cancellation.IsCancellationRequested)
        {
            request.End(new OperationCanceledException(request.Cancellation));
        }

        return request.HasEnded;
    }

    /// <summary>Lets those in whose turn it is, as long as there is room for all that they may become.</summary>
    private void Admit()
    {
        while (_waiting.TryPeek(out GenerationRequest? request))
        {
            if (!HasLeft(request))
            {
                if (_active.Count >= _options.MaxActive || !_steps.TryStart(request))
                {
                    return;
                }

                _active.Add(request);
            }

            _waiting.Dequeue();
        }
    }
}
