using MlaGen;

namespace Explorer.Models;

/// <summary>Prompts that a layer takes in steps: in each, tokens are random; in the second one neighbours are alike.</summary>
internal abstract class PromptWorkload : IDisposable
{
    /// <summary>Begins all prompts anew.</summary>
    public abstract void Begin();

    /// <summary>Takes the next tokens of a prompt.</summary>
    /// <param name="prompt">Which.</param>
    /// <param name="tokens">How many.</param>
    public abstract void Step(int prompt, int tokens);

    /// <summary>How many tokens the last rows of the step attend to together; of a layer with an indexer.</summary>
    /// <param name="rows">How many rows.</param>
    public abstract int AttendedTogether(int rows);

    /// <summary>Ends the step.</summary>
    public abstract void Commit();

    public abstract void Dispose();
}

/// <summary>The same, of one generated class on a hidden state of 16: the projections around the attention all but vanish.</summary>
/// <typeparam name="T">The generated class.</typeparam>
/// <param name="layers">The layer of each prompt.</param>
/// <param name="executor">What it runs on.</param>
/// <param name="mostTokens">Tokens of a prompt at most.</param>
internal sealed class PromptWorkload<T>(T[] layers, MlaExecutor executor, int mostTokens) : PromptWorkload
    where T : class, IMlaAttention<T>
{
    /// <summary>How much of a token is the one before it, where neighbours are alike.</summary>
    private const float Alike = 0.9995f;

    private readonly LatentCache<T> _cache = new(layers: 1, layers.Length * ((long)mostTokens + CacheLayout.Of<T>().PageTokens));
    private readonly LatentSequence?[] _sequences = new LatentSequence?[layers.Length];
    private readonly float[][] _hidden = [RandomData.Floats(mostTokens * T.Shape.HiddenSize, seed: 3), Walk(mostTokens, T.Shape.HiddenSize)];
    private float[] _output = [];
    private MlaBatch<T>? _batch;

    public override void Begin()
    {
        _batch ??= _cache.CreateBatch(executor);
        for (int i = 0; i < _sequences.Length; i++)
        {
            _sequences[i]?.Dispose();
            _sequences[i] = _cache.CreateSequence();
        }
    }

    public override void Step(int prompt, int tokens)
    {
        int width = T.Shape.HiddenSize;
        if (_output.Length < tokens * width)
        {
            _output = new float[tokens * width];
        }

        LatentSequence sequence = _sequences[prompt]!;
        int first = sequence.Length;
        _batch!.Add(sequence, tokens);
        layers[prompt].Forward(_batch, _hidden[prompt].AsSpan(first * width, tokens * width), _output.AsSpan(0, tokens * width));
    }

    public override int AttendedTogether(int rows)
    {
        int[] tokens = new int[mostTokens];
        HashSet<int> together = [];
        for (int row = Math.Max(0, _batch!.Rows - rows); row < _batch.Rows; row++)
        {
            together.UnionWith(tokens.AsSpan(0, _batch.ReadSelection(row, tokens)).ToArray());
        }

        return together.Count;
    }

    public override void Commit() => _batch!.Commit();

    public override void Dispose()
    {
        _batch?.Dispose();
        foreach (LatentSequence? sequence in _sequences)
        {
            sequence?.Dispose();
        }

        _cache.Dispose();
    }

    /// <summary>Each row mostly the one before, the rest anew, at the same variance.</summary>
    private static float[] Walk(int rows, int width)
    {
        float[] values = RandomData.Floats(rows * width, seed: 4);
        float fresh = MathF.Sqrt(1 - (Alike * Alike));
        for (int i = width; i < values.Length; i++)
        {
            values[i] = (Alike * values[i - width]) + (fresh * values[i]);
        }

        return values;
    }
}
