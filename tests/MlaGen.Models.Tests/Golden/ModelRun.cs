namespace MlaGen.Models.Tests.Golden;

/// <summary>Sequences on their way through a model.</summary>
internal sealed class ModelRun : IDisposable
{
    private const int MostTokens = 1024;

    private readonly LanguageModel _model;
    private readonly MlaExecutor _executor = new(2);
    private readonly ModelCache _cache;
    private readonly MlaBatch _batch;
    private readonly LatentSequence[] _sequences;

    public ModelRun(LanguageModel model, int sequences)
    {
        _model = model;
        _cache = model.CreateCache((long)MostTokens * sequences, new LatentCacheOptions { Format = CacheFormat.Float32, PageTokens = 16 });
        _batch = _cache.CreateBatch(_executor);
        _sequences = [.. Enumerable.Range(0, sequences).Select(_ => _cache.CreateSequence())];
    }

    /// <summary>Feeds tokens in chunks, and returns the scores after the last ones.</summary>
    public float[] Feed(int sequence, int[] tokens, int chunk, int scored)
    {
        List<float> scores = [];
        for (int start = 0; start < tokens.Length; start += Math.Min(chunk, tokens.Length - start))
        {
            int count = Math.Min(chunk, tokens.Length - start);
            int[] wanted = [.. Enumerable.Range(0, count).Where(row => start + row >= tokens.Length - scored)];
            float[] logits = new float[wanted.Length * _model.Config.VocabularySize];
            _batch.Add(_sequences[sequence], count);
            _model.Forward(_batch, tokens.AsSpan(start, count), wanted, logits);
            _batch.Commit();
            scores.AddRange(logits);
        }

        return [.. scores];
    }

    /// <summary>One step of several sequences, and the scores after the last token of each.</summary>
    public float[] Step((int Sequence, int[] Tokens)[] entries)
    {
        List<int> tokens = [];
        List<int> wanted = [];
        foreach ((int sequence, int[] added) in entries)
        {
            _batch.Add(_sequences[sequence], added.Length);
            tokens.AddRange(added);
            wanted.Add(tokens.Count - 1);
        }

        float[] logits = new float[wanted.Count * _model.Config.VocabularySize];
        _model.Forward(_batch, [.. tokens], [.. wanted], logits);
        _batch.Commit();
        return logits;
    }

    public void Dispose()
    {
        _batch.Dispose();
        _cache.Dispose();
        _executor.Dispose();
    }
}
