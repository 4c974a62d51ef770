namespace MlaGen.Models.Tests.Golden;

/// <summary>Models whose attention is carried out by someone else.</summary>
public class OwnAttentionTests
{
    private const string Name = "deepseek-v3";
    private const int Parts = 3;

    public static TheoryData<int> Chunks => [1, 5, int.MaxValue];

    /// <summary>Whatever carries attention out by the layer's own parts gets the scores of a batch, bit for bit.</summary>
    [Theory]
    [MemberData(nameof(Chunks))]
    public void A_step_of_the_callers_has_the_bits_of_a_batch(int chunk)
    {
        using OwnRun own = new(cut: false);
        Assert.Equal(Expected(chunk), own.Feed(chunk));
    }

    /// <summary>The same context, cut into caches whose outputs are merged.</summary>
    [Theory]
    [MemberData(nameof(Chunks))]
    public void A_context_in_parts_has_the_scores_of_one_piece_but_for_rounding(int chunk)
    {
        using OwnRun own = new(cut: true);
        Assert.InRange(GoldenModel.RelativeError(own.Feed(chunk), GoldenModel.Read(Name).Logits.AsSpan()[^own.Vocabulary..]), 0, 2e-5);
    }

    [Fact]
    public void What_does_not_fit_a_step_is_refused_before_a_layer_is_run()
    {
        LanguageModel<DeepSeekV3Attention> model = Model();
        float[] logits = new float[model.Config.VocabularySize];
        Counting step = new(2);

        Assert.Contains("as many tokens as the step has rows, 2; found 1", Assert.Throws<ArgumentException>(() => model.Forward(step, [1], [0], logits)).Message, StringComparison.Ordinal);
        Assert.Equal("tokens", Assert.Throws<ArgumentException>(() => model.Forward(step, [1, model.Config.VocabularySize], [0], logits)).ParamName);
        Assert.Equal("wanted", Assert.Throws<ArgumentException>(() => model.Forward(step, [1, 2], [2], logits)).ParamName);
        Assert.Equal("logits", Assert.Throws<ArgumentException>(() => model.Forward(step, [1, 2], [0, 1], logits)).ParamName);
        Assert.Equal("step", Assert.Throws<ArgumentNullException>(() => model.Forward((IAttentionStep<DeepSeekV3Attention>)null!, [1], [0], logits)).ParamName);
        Assert.Throws<OperationCanceledException>(() => model.Forward(step, [1, 2], [0], logits, cancellationToken: new CancellationToken(canceled: true)));
        Assert.Empty(step.Layers);

        model.Forward(step, [1, 2], [0], logits);
        Assert.Equal(Enumerable.Range(0, model.Config.AttentionLayers), step.Layers);
    }

    private static LanguageModel<DeepSeekV3Attention> Model() => (LanguageModel<DeepSeekV3Attention>)LanguageModel.Load(TinyModels.PathOf(Name), [AttentionClass.Of<DeepSeekV3Attention>()]);

    /// <summary>A batch's scores after the prompt, in the form that has parts.</summary>
    private static float[] Expected(int chunk)
    {
        LanguageModel model = Model();
        int[] prompt = GoldenModel.Read(Name).Prompt;
        using ModelCache cache = model.CreateCache(prompt.Length, new LatentCacheOptions { Format = CacheFormat.Float32 });
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch batch = cache.CreateBatch();
        batch.Form = MlaForm.Absorbed;
        float[] logits = new float[model.Config.VocabularySize];
        for (int start = 0; start < prompt.Length; start += Math.Min(chunk, prompt.Length - start))
        {
            int count = Math.Min(chunk, prompt.Length - start);
            batch.Add(sequence, count);
            model.Forward(batch, prompt.AsSpan(start, count), [count - 1], logits);
            batch.Commit();
        }

        return logits;
    }

    /// <summary>Does nothing but count.</summary>
    private sealed class Counting(int rows) : IAttentionStep<DeepSeekV3Attention>
    {
        public List<int> Layers { get; } = [];

        public int Rows => rows;

        public void Attend(DeepSeekV3Attention attention, ReadOnlySpan<float> hidden, Span<float> output)
        {
            Layers.Add(attention.Layer);
            output.Clear();
        }
    }

    /// <summary>The prompt of the golden file through projections, own caches and a merge.</summary>
    private sealed class OwnRun : IDisposable
    {
        private readonly LanguageModel<DeepSeekV3Attention> _model = Model();
        private readonly int[] _prompt = GoldenModel.Read(Name).Prompt;
        private readonly LatentCache<DeepSeekV3Attention> _cache;
        private readonly LatentSequence[] _parts;
        private readonly MlaBatch<DeepSeekV3Attention> _batch;
        private readonly MlaBatch<DeepSeekV3Attention> _positions;
        private readonly int _partTokens;

        public OwnRun(bool cut)
        {
            int parts = cut ? Parts : 1;
            _partTokens = (_prompt.Length + parts - 1) / parts;
            _cache = new LatentCache<DeepSeekV3Attention>(_model.Config.AttentionLayers, 4 * _prompt.Length, new LatentCacheOptions { Format = CacheFormat.Float32, PageTokens = 1 });
            _parts = [.. Enumerable.Range(0, parts + 1).Select(_ => _cache.CreateSequence())];
            _batch = _cache.CreateBatch();
            _positions = _cache.CreateBatch();
        }

        public int Vocabulary => _model.Config.VocabularySize;

        /// <summary>Feeds the prompt, and returns the scores after its last token.</summary>
        public float[] Feed(int chunk)
        {
            float[] logits = new float[Vocabulary];
            int count;
            for (int start = 0; start < _prompt.Length; start += count)
            {
                count = Math.Min(Math.Min(chunk, _prompt.Length - start), _partTokens - (start % _partTokens));
                _positions.Add(_parts[^1], count, [.. Enumerable.Range(start, count)]);
                _model.Forward(new Step(this, start / _partTokens, count), _prompt.AsSpan(start, count), [count - 1], logits);
                _positions.Rollback();
            }

            return logits;
        }

        public void Dispose()
        {
            _positions.Dispose();
            _batch.Dispose();
            _cache.Dispose();
        }

        /// <summary>Rows that all go into one part, and see the earlier parts whole.</summary>
        private sealed class Step(OwnRun run, int last, int rows) : IAttentionStep<DeepSeekV3Attention>
        {
            private readonly List<float[]> _written = [];

            public int Rows => rows;

            public void Attend(DeepSeekV3Attention attention, ReadOnlySpan<float> hidden, Span<float> output)
            {
                MlaShape shape = DeepSeekV3Attention.Shape;
                float[] queries = new float[rows * shape.Heads * shape.CacheRowElements];
                float[] latents = new float[rows * shape.CacheRowElements];
                attention.ProjectLatent(run._positions, hidden, queries, latents);
                float[] merged = new float[rows * shape.Heads * shape.KvLoraRank];
                float[] logSumExp = new float[rows * shape.Heads];
                Array.Fill(logSumExp, float.NegativeInfinity);
                for (int part = 0; part <= last; part++)
                {
                    float[] found = new float[merged.Length];
                    float[] foundLogSumExp = new float[logSumExp.Length];
                    Attend(part, attention.Layer, queries, latents, found, foundLogSumExp);
                    LogSumExp.Merge(merged, logSumExp, found, foundLogSumExp);
                }

                attention.ProjectOutput(run._positions, merged, output);
            }

            /// <summary>A batch holds one layer at a time here: rows of earlier layers are written again, so that the last one commits them all.</summary>
            private void Attend(int part, int layer, float[] queries, float[] latents, float[] output, float[] logSumExp)
            {
                if (part < last)
                {
                    run._batch.AddQueries(run._parts[part], rows, causal: false);
                    DeepSeekV3Attention.AttendLatent(run._batch, layer, queries, output, logSumExp);
                    run._batch.Rollback();
                    return;
                }

                _written.Add(latents);
                run._batch.Add(run._parts[part], rows);
                for (int written = 0; written <= layer; written++)
                {
                    DeepSeekV3Attention.AppendLatent(run._batch, written, _written[written]);
                }

                DeepSeekV3Attention.AttendLatent(run._batch, layer, queries, output, logSumExp);
                if (layer + 1 == run._model.Config.AttentionLayers)
                {
                    run._batch.Commit();
                }
                else
                {
                    run._batch.Rollback();
                }
            }
        }
    }
}
