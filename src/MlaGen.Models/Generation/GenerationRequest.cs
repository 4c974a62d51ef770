using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Threading.Channels;

namespace MlaGen.Models;

/// <summary>A request on its way: its tokens so far, what the cache has of them, and where new ones go.</summary>
internal sealed class GenerationRequest
{
    private readonly GenerationOptions _options;
    private readonly ImmutableArray<int> _stops;
    private readonly Sampler _sampler;
    private readonly TextAssembler? _text;
    private readonly List<int> _tokens;
    private readonly Channel<GeneratedToken> _output = Channel.CreateUnbounded<GeneratedToken>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });

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

    public bool HasEnded { get; private set; }

    /// <summary>Chooses the next token.</summary>
    public void Continue(ReadOnlySpan<float> logits)
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
        if (finish != FinishReason.None)
        {
            End(null);
        }
    }

    /// <summary>Ends it and gives its pages back.</summary>
    public void End(Exception? problem)
    {
        HasEnded = true;
        Sequence?.Dispose();
        _output.Writer.TryComplete(problem);
    }
}
