using System.Text;

namespace MlaGen.Models;

/// <summary>A whole model: token ids in, a score for each possible next token out. What stands around its attention is known by its family, the attention is a generated class.</summary>
/// <remarks>
/// <para>Holds weights only, which never change: one model may serve any number of batches at a time, on different threads.</para>
/// <para>A row's scores have the same bits alone and among others, and on any number of threads, within a <see cref="SimdTier"/>.</para>
/// </remarks>
public abstract class LanguageModel
{
    private readonly Decoder _decoder;

    private protected LanguageModel(string directory, ModelConfig config, ModelOptions options, Func<ICheckpoint, string, int, IAttention> attention)
    {
        Directory = directory;
        Config = config;
        Weights = options.Weights;
        using Checkpoint checkpoint = Checkpoint.Open(directory);
        WeightLoading loading = new(
            (tensors, prefix, layer) =>
            {
                IAttention loaded = attention(tensors, prefix, layer);
                options.Progress?.Report(new LoadProgress(layer + 1, config.AttentionLayers));
                return loaded;
            },
            (tensors, name, inFeatures, outFeatures, bias) => Linear.Load(tensors, name, inFeatures, outFeatures, bias, options.Weights));
        using PackedWeights? kept = options.KeepWeights ? PackedWeights.Open(KeptPath(directory, options.Weights), checkpoint, options.Weights) : null;
        ICheckpoint weights = (ICheckpoint?)kept ?? checkpoint;
        (string model, string root) = Prefixes(checkpoint);
        _decoder = config.Family.Load(new WeightSource(weights, model, loading), new WeightSource(weights, root, loading));
        kept?.Commit();
    }

    /// <summary>Where it was loaded from.</summary>
    public string Directory { get; }

    /// <summary>What its <c>config.json</c> says.</summary>
    public ModelConfig Config { get; }

    /// <summary>How it keeps the weights that <see cref="ModelOptions.Weights"/> is about.</summary>
    public WeightFormat Weights { get; }

    /// <summary>The dimensions of its attention. Positions run below its <see cref="MlaShape.MaxPositionEmbeddings"/>.</summary>
    public abstract MlaShape Shape { get; }

    /// <summary>A number that another model has not: of the directory's configuration, tokenizer and weights. Of files beyond 64 MiB, parts of 64 KiB count that lie evenly spread.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public long Fingerprint() => ModelFingerprint.Of(Directory);

    /// <summary>Loads a model with the first class that its <c>config.json</c> fits.</summary>
    /// <param name="directory">The model's directory: <c>config.json</c> and safetensors files as Hugging Face publishes them.</param>
    /// <param name="classes">Generated classes to choose from.</param>
    /// <param name="options">How to load it; <see langword="null"/> for weights as they are stored.</param>
    /// <exception cref="ModelConfigException">
    /// <c>config.json</c> is malformed, of no known family, or fits none of the classes: the message then says which dimensions differ, and which two lines would add a class.
    /// </exception>
    /// <exception cref="CheckpointException">A tensor is missing, or has another shape or type.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static LanguageModel Load(string directory, IReadOnlyList<AttentionClass> classes, ModelOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(classes);
        ModelConfig config = ModelConfig.Read(directory);
        AttentionFit fit = new(config);
        StringBuilder differences = new();
        foreach (AttentionClass candidate in classes)
        {
            IReadOnlyList<string> found = candidate.Differences(fit);
            if (found.Count == 0)
            {
                return candidate.Load(directory, config, options ?? new ModelOptions());
            }

            differences.Append(differences.Length == 0 ? "" : "; ").Append($"{candidate.Name} does not: {string.Join(", ", found)}");
        }

        string name = SafeName(directory);
        throw new ModelConfigException(
            $"""
            fits no class that there is{(differences.Length == 0 ? "" : $" ({differences})")}. These two lines would add one, in the project and in its code:
                <MlaModelConfig Include="{name}/config.json" />
                [MlaAttention("{name}")] public sealed partial class {ClassName(name)};
            """,
            config.File);
    }

    /// <summary>The file that <see cref="ModelOptions.KeepWeights"/> keeps packed weights in.</summary>
    /// <param name="directory">The model's directory.</param>
    /// <param name="weights">How weights are kept in memory.</param>
    public static string KeptPath(string directory, WeightFormat weights) => Path.Combine(directory, $"mlagen.{weights.ToString().ToLowerInvariant()}.packed");

    /// <summary>Creates an empty cache.</summary>
    /// <param name="maxTokens">Tokens of all sequences together; rounded up to whole pages.</param>
    /// <param name="options">Format, page size and memory; <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is not positive, or asks for more pages than can be counted.</exception>
    public abstract ModelCache CreateCache(long maxTokens, LatentCacheOptions? options = null);

    /// <summary>Runs a step, which the caller then commits or rolls back.</summary>
    /// <param name="batch">A batch of a cache of this model, with the new tokens already added.</param>
    /// <param name="tokens">The new tokens, <c>[batch.Rows]</c>.</param>
    /// <param name="wanted">The rows whose scores are wanted.</param>
    /// <param name="logits">Receives them: <c>[wanted.Length, VocabularySize]</c>.</param>
    /// <exception cref="ArgumentException">The batch is another class's, a span has another length, or a token or row is none; nothing was changed.</exception>
    /// <exception cref="InvalidOperationException">The batch is empty.</exception>
    /// <exception cref="OperationCanceledException">Cancelled by <see cref="MlaBatch.CancellationToken"/>; the step can only be rolled back.</exception>
    public void Forward(MlaBatch batch, ReadOnlySpan<int> tokens, ReadOnlySpan<int> wanted, Span<float> logits)
    {
        ArgumentNullException.ThrowIfNull(batch);
        IAttentionStep step = StepOf(batch) ?? throw new ArgumentException("The batch is of another attention class than the model's.", nameof(batch));
        Forward(new Workers(batch.Executor, batch.Precision, batch.CancellationToken), step, tokens, wanted, logits);
    }

    private protected void Forward(Workers workers, IAttentionStep step, ReadOnlySpan<int> tokens, ReadOnlySpan<int> wanted, Span<float> logits)
    {
        int rows = step.Rows;
        if (tokens.Length != rows)
        {
            throw new ArgumentException(FormattableString.Invariant($"Expected as many tokens as the step has rows, {rows}; found {tokens.Length}."), nameof(tokens));
        }

        Check(tokens, Config.VocabularySize, nameof(tokens));
        Check(wanted, rows, nameof(wanted));
        if (logits.Length != (long)wanted.Length * Config.VocabularySize)
        {
            throw new ArgumentException(FormattableString.Invariant($"Expected [wanted.Length, VocabularySize] = [{wanted.Length}, {Config.VocabularySize}]; found {logits.Length}."), nameof(logits));
        }

        _decoder.Forward(workers, step, tokens, wanted, logits);
    }

    /// <summary>A batch as a step of this model, unless it is another class's.</summary>
    private protected abstract IAttentionStep? StepOf(MlaBatch batch);

    private static void Check(ReadOnlySpan<int> values, int end, string name)
    {
        foreach (int value in values)
        {
            if ((uint)value >= (uint)end)
            {
                throw new ArgumentException(FormattableString.Invariant($"Expected numbers from 0 to {end - 1}; found {value}."), name);
            }
        }
    }

    /// <summary>What names of the language model begin with: it may stand beside others.</summary>
    private static (string Model, string Root) Prefixes(Checkpoint checkpoint)
    {
        foreach ((string Model, string Root) prefixes in new[] { ("language_model.model.", "language_model."), ("model.language_model.", "") })
        {
            if (checkpoint.TryGetTensor($"{prefixes.Model}embed_tokens.weight", out _))
            {
                return prefixes;
            }
        }

        return ("model.", "");
    }

    /// <summary>The directory's name, of which nothing can end a string or a line.</summary>
    private static string SafeName(string directory)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory)));
        string safe = string.Concat(name.Where(static character => char.IsAsciiLetterOrDigit(character) || character is '-' or '_' or '.'));
        return safe.Length is > 0 and < 100 ? safe : "model";
    }

    private static string ClassName(string name)
    {
        string[] parts = name.Split('-', '_', '.');
        string joined = string.Concat(parts.Where(static part => part.Length > 0).Select(static part => char.ToUpperInvariant(part[0]) + part[1..]));
        return $"{(joined.Length == 0 || char.IsAsciiDigit(joined[0]) ? "Model" : "")}{joined}Attention";
    }
}

/// <summary>A model whose attention is <typeparamref name="T"/>.</summary>
/// <typeparam name="T">The generated class.</typeparam>
public sealed class LanguageModel<T> : LanguageModel
    where T : class, IMlaAttention<T>
{
    internal LanguageModel(string directory, ModelConfig config, ModelOptions options)
        : base(directory, config, options, Loader())
    {
    }

    /// <inheritdoc/>
    public override MlaShape Shape => T.Shape;

    /// <inheritdoc/>
    public override ModelCache CreateCache(long maxTokens, LatentCacheOptions? options = null) => new ModelCache<T>(new LatentCache<T>(Config.AttentionLayers, maxTokens, options));

    /// <summary>Runs a step whose attention is carried out by the caller; everything else is multiplied at <see cref="MlaPrecision.Highest"/>.</summary>
    /// <param name="step">Its attention. A step that fails on the way has been carried out up to some layer: undoing that is the caller's.</param>
    /// <param name="tokens">The new tokens, <c>[step.Rows]</c>.</param>
    /// <param name="wanted">The rows whose scores are wanted.</param>
    /// <param name="logits">Receives them: <c>[wanted.Length, VocabularySize]</c>.</param>
    /// <param name="executor">What everything but attention runs on; <see langword="null"/> for <see cref="MlaExecutor.Shared"/>.</param>
    /// <param name="cancellationToken">Ends the step early.</param>
    /// <exception cref="ArgumentException">A span has another length, or a token or row is none; no layer was run.</exception>
    /// <exception cref="OperationCanceledException">Cancelled by <paramref name="cancellationToken"/>.</exception>
    public void Forward(
        IAttentionStep<T> step, ReadOnlySpan<int> tokens, ReadOnlySpan<int> wanted, Span<float> logits, MlaExecutor? executor = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(step);
        Forward(new Workers(executor ?? MlaExecutor.Shared, MlaPrecision.Highest, cancellationToken), step, tokens, wanted, logits);
    }

    private protected override IAttentionStep? StepOf(MlaBatch batch) => batch is MlaBatch<T> mine ? new BatchStep<T>(mine) : null;

    private static Func<ICheckpoint, string, int, IAttention> Loader()
    {
        // The kernels are compiled while the weights are read; whoever calls one too early compiles it once more.
        Task.Run(static () => T.Warmup());
        return static (checkpoint, prefix, layer) => new Attention<T>(T.Load(checkpoint, prefix, layer));
    }
}
