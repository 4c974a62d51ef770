using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Threading.Channels;

namespace MlaGen.Models;

/// <summary>A request on its way: its tokens so far, what the cache has of them, and where new ones go.</summary>
internal sealed class GenerationRequest
{
    // Candidates that it asks for.
    private const int LeastAppetite = 1;
    private const int MostAppetite = 64;

    private readonly GenerationOptions _options;
    private readonly ImmutableArray<int> _stops;
    private readonly Sampler _sampler;
    private readonly TextAssembler? _text;
    private readonly List<int> _tokens;
    private readonly List<int> _path = [];
    private readonly Channel<GeneratedToken> _output = Channel.CreateUnbounded<GeneratedToken>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });

    private int _appetite = MostAppetite;

    public GenerationRequest(ReadOnlySpan<int> prompt, GenerationOptions options, ImmutableArray<int> stops, int room, ITextTokenizer? tokenizer, CancellationToken cancellation)
    {
        _options = options;
        _stops = stops;
        _tokens = [.. prompt];
        _sampler = new Sampler(options.Sampling);
        _sampler.Accept(prompt);
        _text = tokenizer is null ? null : new TextAssembler(tokenizer, options.StopTexts);
        PromptLength = prompt.Length;
        MostTokens = prompt.Length + room;
        Cancellation = cancellation;
    }

    public int PromptLength { get; }

    /// <summary>Tokens that it has in the end, at most.</summary>
    public int MostTokens { get; }

    public CancellationToken Cancellation { get; }

    public ChannelReader<GeneratedToken> Output => _output.Reader;

    /// <summary>What the cache has of it, once it takes part.</summary>
    public LatentSequence? Sequence { get; set; }

    /// <summary>Its tokens that are not in the cache yet.</summary>
    public ReadOnlySpan<int> Pending => CollectionsMarshal.AsSpan(_tokens)[Sequence!.Length..];

    public ReadOnlySpan<int> Tokens => CollectionsMarshal.AsSpan(_tokens);

    public bool IsInPrompt => Sequence!.Length < PromptLength;

    /// <summary>What the next step computes of it, once it is past its prompt.</summary>
    public DraftTree Draft { get; } = new();

    /// <summary>Whether its last token is chosen.</summary>
    public bool IsComplete { get; private set; }

    public bool HasEnded { get; private set; }

    /// <summary>Proposes candidates for its next tokens.</summary>
    /// <param name="most">Candidates at most.</param>
    public void Propose(int most)
    {
        // The last token is never fed: behind what is pending there is room for all others.
        int room = MostTokens - 1 - _tokens.Count;
        Draft.Propose(Tokens, Math.Min(Math.Min(most, _appetite), room));
    }

    /// <summary>Chooses the next tokens, for as long as what is chosen is a candidate.</summary>
    /// <param name="logits">The scores after each token of <see cref="Draft"/>.</param>
    /// <returns>Indices of the tokens of <see cref="Draft"/> that are the text's: the last one, and the candidates that were chosen.</returns>
    public ReadOnlySpan<int> Follow(ReadOnlySpan<float> logits)
    {
        int vocabulary = logits.Length / Draft.Tokens.Length;
        _path.Clear();
        for (int node = 0; node != DraftTree.None;)
        {
            _path.Add(node);
            Choose(logits.Slice(node * vocabulary, vocabulary));
            node = IsComplete ? DraftTree.None : Draft.Child(node, _tokens[^1]);
        }

        // Candidates cost time, also those in vain: as many are asked for as were of use lately, and some more.
        _appetite = _path.Count > 1 || Draft.Tokens.Length == 1 ? Math.Max(_appetite, Math.Min(MostAppetite, 2 * _path.Count)) : Math.Max(LeastAppetite, _appetite / 2);
        return CollectionsMarshal.AsSpan(_path);
    }

    /// <summary>Chooses the next token.</summary>
    public void Choose(ReadOnlySpan<float> logits)
    {
        int token = _sampler.Choose(logits);
        _tokens.Add(token);
        bool stopped = _stops.Contains(token);
        string text = "";
        if (_text is not null && !stopped)
        {
            (text, stopped) = _text.Add(token);
        }

        FinishReason finish = stopped ? FinishReason.Stop : _tokens.Count >= MostTokens ? FinishReason.Length : FinishReason.None;
        if (finish != FinishReason.None)
        {
            text += _text?.Complete();
        }

        (float? LogProb, ImmutableArray<TokenLogProb> Likeliest) told = _options.LogProbs is { } count ? LogProbabilities.Of(logits, token, count) : (null, []);
        _output.Writer.TryWrite(new GeneratedToken(token, text, finish, told.LogProb, told.Likeliest));
        IsComplete = finish != FinishReason.None;
    }

    /// <summary>Ends it and gives its pages back.</summary>
    public void End(Exception? problem)
    {
        HasEnded = true;
        Sequence?.Dispose();
        _output.Writer.TryComplete(problem);
    }
}
