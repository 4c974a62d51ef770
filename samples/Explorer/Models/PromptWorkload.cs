using MlaGen;

namespace Explorer.Models;

/// <summary>Prompts that a layer takes in steps.</summary>
internal abstract class PromptWorkload : IDisposable
{
    /// <summary>Begins both prompts.</summary>
    public abstract void Begin();

    /// <summary>Takes the next tokens of a prompt.</summary>
    /// <param name="prompt">Which: one after the other, its tokens have nothing in common (0), or each is much like the one before (1).</param>
    /// <param name="tokens">How many.</param>
    public abstract void Step(int prompt, int tokens);

    public abstract void Dispose();
}

/// <summary>The same, of one generated class on a hidden state of 16: the projections around the attention all but vanish.</summary>
/// <typeparam name="T">The generated class.</typeparam>
/// <param name="layer">The layer.</param>
/// <param name="executor">What it runs on.</param>
/// <param name="mostTokens">Tokens of a prompt at most.</param>
internal sealed class PromptWorkload<T>(T layer, MlaExecutor executor, int mostTokens) : PromptWorkload
    where T : class, IMlaAttention<T>
{
    /// <summary>How much of a token is the one before it, where neighbours are alike.</summary>
    private const float Alike = 0.98f;

    private readonly LatentCache<T> _cache = new(layers: 1, 2L * (mostTokens + CacheLayout.Of<T>().PageTokens));
    private readonly LatentSequence[] _sequences = new LatentSequence[2];
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

        int first = _sequences[prompt].Length;
        _batch!.Add(_sequences[prompt], tokens);
        layer.Forward(_batch, _hidden[prompt].AsSpan(first * width, tokens * width), _output.AsSpan(0, tokens * width));
        _batch.Commit();
    }

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
