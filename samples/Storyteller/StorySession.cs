using System.Numerics.Tensors;
using MlaGen;
using MlaGen.Models;
using Storyteller.Model;

namespace Storyteller;

/// <summary>Texts on their way through the model: sequences in a latent cache that grow by the tokens fed to them. For one thread at a time.</summary>
internal sealed class StorySession : IDisposable
{
    private readonly LanguageModel _model;
    private readonly MlaBatch<StoryAttention> _batch;
    private readonly int _chunk;
    private int[] _tokens = [];
    private int[] _rows = [];
    private float[] _logits = [];

    /// <param name="model">The model.</param>
    /// <param name="executor">The threads that attention runs on.</param>
    /// <param name="texts">Texts that there is room for at a time, of as many tokens as the model has positions.</param>
    /// <param name="format">How the cache keeps a token.</param>
    /// <param name="precision">How exactly attention multiplies.</param>
    /// <param name="chunk">Tokens of a prompt that go through the model at a time; 0 for all that are fed.</param>
    public StorySession(LanguageModel model, MlaExecutor executor, int texts, CacheFormat format, MlaPrecision precision, int chunk)
    {
        _model = model;
        MlaShape shape = StoryAttention.Shape;
        int pageTokens = CacheLayout.Of<StoryAttention>().PageTokens;
        int pages = ((shape.MaxPositionEmbeddings - 1) / pageTokens) + 1;
        Cache = new LatentCache<StoryAttention>(model.Config.AttentionLayers, (long)texts * pages * pageTokens, new LatentCacheOptions { Format = format, Precision = precision });
        _batch = Cache.CreateBatch(executor);
        _chunk = chunk == 0 ? int.MaxValue : chunk;
    }

    /// <summary>Where the texts' latents are kept.</summary>
    public LatentCache<StoryAttention> Cache { get; }

    /// <summary>How attention is carried out. Pinned, the scores after a token do not depend on how the tokens before it were fed, to the last bit.</summary>
    public MlaForm Form
    {
        get => _batch.Form;
        set => _batch.Form = value;
    }

    /// <summary>Starts a text from what it has in common with one of those that are there, so that only the rest has to be fed.</summary>
    /// <param name="tokens">The text; at least its last token is left to be fed, whose scores are wanted.</param>
    /// <param name="others">Texts of this session.</param>
    public LatentSequence Start(ReadOnlySpan<int> tokens, IReadOnlyList<Telling> others)
    {
        Telling? nearest = null;
        int shared = 0;
        foreach (Telling other in others)
        {
            int common = Math.Min(tokens[..^1].CommonPrefixLength(other.Tokens), other.Sequence.Length);
            if (common > shared)
            {
                (nearest, shared) = (other, common);
            }
        }

        if (nearest is null)
        {
            return Cache.CreateSequence();
        }

        LatentSequence sequence = nearest.Sequence.Fork();
        sequence.Truncate(shared);
        return sequence;
    }

    /// <summary>Feeds tokens and returns the scores of the token after them, valid until the next call.</summary>
    public ReadOnlySpan<float> Feed(LatentSequence sequence, ReadOnlySpan<int> tokens)
    {
        EnsureCapacity(1);
        Span<float> scores = _logits.AsSpan(0, _model.Config.VocabularySize);
        Feed(sequence, tokens, [tokens.Length - 1], scores);
        return scores;
    }

    /// <summary>Feeds tokens.</summary>
    /// <param name="sequence">The text.</param>
    /// <param name="tokens">The tokens that follow what was fed before.</param>
    /// <param name="wanted">Ascending indices of the tokens after which scores are wanted.</param>
    /// <param name="logits">Receives them: <c>[wanted.Length, VocabularySize]</c>.</param>
    public void Feed(LatentSequence sequence, ReadOnlySpan<int> tokens, ReadOnlySpan<int> wanted, Span<float> logits)
    {
        int vocabulary = _model.Config.VocabularySize;
        for (int start = 0; start < tokens.Length; start += Math.Min(_chunk, tokens.Length - start))
        {
            int count = Math.Min(_chunk, tokens.Length - start);
            int here = 0;
            while (here < wanted.Length && wanted[here] < start + count)
            {
                here++;
            }

            _batch.Add(sequence, count);
            int[] rows = [.. wanted[..here]];
            TensorPrimitives.Subtract(rows, start, rows);
            _model.Forward(_batch, tokens.Slice(start, count), rows, logits[..(here * vocabulary)]);
            _batch.Commit();
            wanted = wanted[here..];
            logits = logits[(here * vocabulary)..];
        }
    }

    /// <summary>Feeds the last token of each of several stories, in one step, and lets each choose the next.</summary>
    public void Continue(IReadOnlyList<Telling> stories)
    {
        EnsureCapacity(stories.Count);
        for (int i = 0; i < stories.Count; i++)
        {
            _batch.Add(stories[i].Sequence, 1);
            _tokens[i] = stories[i].Tokens[^1];
        }

        int vocabulary = _model.Config.VocabularySize;
        _model.Forward(_batch, _tokens.AsSpan(0, stories.Count), _rows.AsSpan(0, stories.Count), _logits.AsSpan(0, stories.Count * vocabulary));
        _batch.Commit();
        for (int i = 0; i < stories.Count; i++)
        {
            stories[i].Continue(_logits.AsSpan(i * vocabulary, vocabulary));
        }
    }

    public void Dispose()
    {
        _batch.Dispose();
        Cache.Dispose();
    }

    private void EnsureCapacity(int texts)
    {
        if (texts > _tokens.Length)
        {
            _tokens = new int[texts];
            _rows = [.. Enumerable.Range(0, texts)];
            _logits = new float[texts * _model.Config.VocabularySize];
        }
    }
}
