using MlaGen;

namespace Storyteller.Model;

/// <summary>The whole model (transformers' <c>DeepseekV3ForCausalLM</c>): token ids in, a score for each possible next token out.</summary>
/// <remarks>Holds weights only: one model may serve several batches at a time.</remarks>
/// <typeparam name="TAttention">Its attention.</typeparam>
internal sealed class StoryModel<TAttention>
    where TAttention : class, IMlaAttention<TAttention>
{
    private readonly float[] _embedding;
    private readonly DecoderLayer<TAttention>[] _layers;
    private readonly RmsNorm _norm;
    private readonly Linear _head;

    private StoryModel(ModelConfig config, float[] embedding, DecoderLayer<TAttention>[] layers, RmsNorm norm, Linear head)
    {
        Config = config;
        _embedding = embedding;
        _layers = layers;
        _norm = norm;
        _head = head;
    }

    public ModelConfig Config { get; }

    /// <summary>Loads <c>config.json</c> and the weights of a Hugging Face model directory.</summary>
    public static StoryModel<TAttention> Load(string directory)
    {
        ModelConfig config = ModelConfig.Load(Path.Combine(directory, "config.json"));
        using Checkpoint checkpoint = Checkpoint.Open(directory);
        float[] embedding = Tensors.Read(checkpoint, "model.embed_tokens.weight", config.VocabularySize, config.HiddenSize);
        DecoderLayer<TAttention>[] layers = new DecoderLayer<TAttention>[config.Layers];
        for (int layer = 0; layer < layers.Length; layer++)
        {
            layers[layer] = DecoderLayer<TAttention>.Load(checkpoint, config, layer);
        }

        return new StoryModel<TAttention>(
            config,
            embedding,
            layers,
            RmsNorm.Load(checkpoint, "model.norm.weight", config.HiddenSize, config.RmsNormEpsilon),
            Linear.Load(checkpoint, config.TiedEmbeddings ? "model.embed_tokens" : "lm_head", config.HiddenSize, config.VocabularySize));
    }

    /// <summary>Runs one step and commits it.</summary>
    /// <param name="batch">The sequences that grow, with their new tokens already added.</param>
    /// <param name="tokens">The new tokens, <c>[batch.Rows]</c>.</param>
    /// <param name="wanted">The rows whose scores are wanted, counted from <paramref name="firstRow"/>.</param>
    /// <param name="firstRow">The number that <paramref name="wanted"/> gives to the batch's first row.</param>
    /// <param name="logits">Receives them: <c>[wanted.Length, VocabularySize]</c>.</param>
    public void Forward(MlaBatch<TAttention> batch, ReadOnlySpan<int> tokens, ReadOnlySpan<int> wanted, int firstRow, Span<float> logits)
    {
        Forward(new BatchStep<TAttention>(batch), tokens, wanted, firstRow, logits);
        batch.Commit();
    }

    /// <summary>Runs one step, which its owner commits.</summary>
    /// <param name="step">The step.</param>
    /// <param name="tokens">The new tokens, <c>[step.Rows]</c>.</param>
    /// <param name="wanted">The rows whose scores are wanted, counted from <paramref name="firstRow"/>.</param>
    /// <param name="firstRow">The number that <paramref name="wanted"/> gives to the step's first row.</param>
    /// <param name="logits">Receives them: <c>[wanted.Length, VocabularySize]</c>.</param>
    public void Forward<TStep>(TStep step, ReadOnlySpan<int> tokens, ReadOnlySpan<int> wanted, int firstRow, Span<float> logits)
        where TStep : IAttentionStep<TAttention>
    {
        int width = Config.HiddenSize;
        using RentedFloats hiddenScratch = new(tokens.Length * width);
        Span<float> hidden = hiddenScratch.Span;
        for (int row = 0; row < tokens.Length; row++)
        {
            _embedding.AsSpan(tokens[row] * width, width).CopyTo(hidden.Slice(row * width, width));
        }

        foreach (DecoderLayer<TAttention> layer in _layers)
        {
            layer.Forward(step, hidden);
        }

        using RentedFloats last = new(wanted.Length * width);
        for (int i = 0; i < wanted.Length; i++)
        {
            _norm.Forward(hidden.Slice((wanted[i] - firstRow) * width, width), last.Span.Slice(i * width, width));
        }

        _head.Multiply(last.Span, logits, wanted.Length);
    }
}
