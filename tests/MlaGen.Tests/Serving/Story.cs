using MlaGen.Tests.Attention;
using MlaGen.Tests.Golden;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Serving;

/// <summary>The story model's layer with random weights, and texts as token ids, each of which has an embedding of its own.</summary>
internal static class Story
{
    /// <summary>Different tokens.</summary>
    public const int Vocabulary = 61;

    private static readonly OracleRope _rope = new() { Scaling = RopeScaling.Yarn, Factor = 4, OriginalMaxPosition = 256, MscaleNumerator = 1, MscaleAllDim = 1 };

    private static readonly Dictionary<CacheFormat, Lazy<TestLayer>> _layers = new()
    {
        [CacheFormat.Float32] = Make<Float32Story>(),
        [CacheFormat.BFloat16] = Make<BFloat16Story>(),
        [CacheFormat.Float16] = Make<Float16Story>(),
        [CacheFormat.Float8] = Make<Float8Story>(),
        [CacheFormat.Int8] = Make<Int8Story>(),
    };

    private static readonly float[] _embeddings = CounterRandom.Hidden("story/embeddings", Vocabulary, Float32Story.HiddenSize);

    /// <summary>The layer on a cache format; its weights are the same on each.</summary>
    public static TestLayer Layer(CacheFormat format) => _layers[format].Value;

    /// <summary>Token ids of a text.</summary>
    public static int[] Text(int seed, int tokens)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, tokens).Select(_ => random.Next(Vocabulary))];
    }

    /// <summary>The hidden states of tokens at the positions from <paramref name="start"/> on.</summary>
    public static Prompt Prompt(ReadOnlySpan<int> tokens, int start = 0)
    {
        const int Width = Float32Story.HiddenSize;
        float[] hidden = new float[tokens.Length * Width];
        for (int i = 0; i < tokens.Length; i++)
        {
            _embeddings.AsSpan(tokens[i] * Width, Width).CopyTo(hidden.AsSpan(i * Width));
        }

        return new Prompt(hidden, [.. Enumerable.Range(start, tokens.Length)]);
    }

    private static Lazy<TestLayer> Make<TAttention>()
        where TAttention : class, IMlaAttention<TAttention>
        => TestLayer.Make<TAttention>("story", spec => spec with { Rope = _rope });
}
