using MlaGen;
using Storyteller.Model;

namespace Storyteller;

/// <summary>One text on its way through the model: a sequence in the latent cache that grows by the tokens fed to it. For one thread at a time.</summary>
internal sealed class StorySession : IDisposable
{
    private readonly StoryModel _model;
    private readonly LatentSequence _sequence;
    private readonly MlaBatch<StoryAttention> _batch;
    private readonly int _chunk;
    private readonly float[] _next;

    /// <param name="model">The model.</param>
    /// <param name="cache">Where the text's latents are kept.</param>
    /// <param name="executor">The threads that attention runs on.</param>
    /// <param name="chunk">Tokens that go through the model at a time; 0 for all that are fed.</param>
    public StorySession(StoryModel model, LatentCache<StoryAttention> cache, MlaExecutor executor, int chunk)
    {
        _model = model;
        _sequence = cache.CreateSequence();
        _batch = cache.CreateBatch(executor);
        _chunk = chunk == 0 ? int.MaxValue : chunk;
        _next = new float[model.Config.VocabularySize];
    }

    /// <summary>Feeds tokens and returns the scores of the token after them, valid until the next call.</summary>
    public ReadOnlySpan<float> Feed(ReadOnlySpan<int> tokens)
    {
        Feed(tokens, [tokens.Length - 1], _next);
        return _next;
    }

    /// <summary>Feeds tokens.</summary>
    /// <param name="tokens">The tokens that follow what was fed before.</param>
    /// <param name="wanted">Ascending indices of the tokens after which scores are wanted.</param>
    /// <param name="logits">Receives them: <c>[wanted.Length, VocabularySize]</c>.</param>
    public void Feed(ReadOnlySpan<int> tokens, ReadOnlySpan<int> wanted, Span<float> logits)
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

            _batch.Add(_sequence, count);
            _model.Forward(_batch, tokens.Slice(start, count), wanted[..here], start, logits[..(here * vocabulary)]);
            wanted = wanted[here..];
            logits = logits[(here * vocabulary)..];
        }
    }

    public void Dispose()
    {
        _batch.Dispose();
        _sequence.Dispose();
    }
}
