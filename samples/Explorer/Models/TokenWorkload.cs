using Explorer.Measuring;
using MlaGen;
using MlaGen.Models;

namespace Explorer.Models;

/// <summary>One decoded token of a whole model; each run is a further one of a sequence.</summary>
internal sealed class TokenWorkload : Workload
{
    private const int MostTokens = 4096;

    private readonly LanguageModel _model;
    private readonly ModelCache _cache;
    private readonly MlaBatch _batch;
    private LatentSequence _sequence;
    private readonly float[] _logits;
    private readonly Random _random = new(1);

    /// <param name="model">The model.</param>
    /// <param name="weights">Bytes of the weights that a token needs.</param>
    /// <param name="executor">The threads.</param>
    public TokenWorkload(LanguageModel model, long weights, MlaExecutor executor)
    {
        _model = model;
        Bytes = weights;
        _cache = model.CreateCache(MostTokens);
        _batch = _cache.CreateBatch(executor);
        _sequence = _cache.CreateSequence();
        _logits = new float[model.Config.VocabularySize];
    }

    public override string Kernel => "token";

    public override long Operations => 0;

    public override long Bytes { get; }

    public override void Run()
    {
        if (_sequence.Length == MostTokens)
        {
            _sequence.Dispose();
            _sequence = _cache.CreateSequence();
        }

        _batch.Add(_sequence, 1);
        _model.Forward(_batch, [_random.Next(_logits.Length)], [0], _logits);
        _batch.Commit();
    }

    public override void Dispose()
    {
        _sequence.Dispose();
        _batch.Dispose();
        _cache.Dispose();
        base.Dispose();
    }
}
