using System.Globalization;
using System.Text.Json;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Golden;

/// <summary>One layer that transformers computed: weights and inputs rebuilt, outputs read.</summary>
internal sealed class GoldenCase
{
    private readonly GoldenFile _file;
    private readonly Dictionary<string, WeightTensor> _weights = [];

    private GoldenCase(string name)
    {
        _file = GoldenFile.Read(name);
        Name = name;
        Family = _file.Metadata["family"];
        Tokens = Number("tokens");
        Keep = Number("keep");
        Positions = [.. Enumerable.Range(Number("start"), Tokens)];
        PublishedScale = double.Parse(_file.Metadata["scaling"], CultureInfo.InvariantCulture);
        Spec = GoldenConfig.Parse(Family, _file.Metadata["config"]);
        Hidden = CounterRandom.Hidden($"{name}/hidden_states", Tokens, Spec.HiddenSize);
        RebuildWeights();
        Weights = OracleWeights.From(_weights);
        KRope = Family == "deepseek_v2" ? FirstsThenSeconds(_file.Tensor("k_rope"), Spec.QkRopeHeadDim) : _file.Tensor("k_rope");
    }

    /// <summary>Every file of <c>Golden/Data</c>.</summary>
    public static string[] Names { get; } =
    [
        "bias-halfsplit", "deepseek-v2-lite", "deepseek-v3", "deepseek-v3-late", "glm-4.7-flash", "kimi-k2", "kimi-linear", "longcat-flash",
        "minicpm3", "mistral-4", "tiny",
    ];

    public string Name { get; }

    /// <summary>The <c>model_type</c>.</summary>
    public string Family { get; }

    public OracleSpec Spec { get; }

    /// <summary>The softmax scale that transformers used.</summary>
    public double PublishedScale { get; }

    public int Tokens { get; }

    /// <summary>Of how many last tokens the file holds results.</summary>
    public int Keep { get; }

    public int[] Positions { get; }

    /// <summary><c>[Tokens, HiddenSize]</c>.</summary>
    public float[] Hidden { get; }

    public OracleWeights Weights { get; }

    /// <summary>The same weights by their names in a checkpoint, without the layer's prefix.</summary>
    public IReadOnlyDictionary<string, WeightTensor> WeightsByName => _weights;

    /// <summary><c>[Keep, HiddenSize]</c>.</summary>
    public float[] Output => _file.Tensor("output");

    /// <summary><c>[Keep, KvLoraRank]</c>.</summary>
    public float[] Latent => _file.Tensor("latent");

    /// <summary><c>[Keep, QkRopeHeadDim]</c>, the first elements of all pairs, then the second ones, whatever the family caches.</summary>
    public float[] KRope { get; }

    /// <summary><c>[heads · v]</c> of the last token.</summary>
    public float[] AttentionLast => _file.Tensor("attn_last");

    public static GoldenCase Load(string name) => new(name);

    private static float[] FirstsThenSeconds(float[] rows, int width)
    {
        var result = new float[rows.Length];
        for (int i = 0; i < rows.Length; i++)
        {
            (int row, int element) = Math.DivRem(i, width);
            result[(row * width) + (element % 2 * (width / 2)) + (element / 2)] = rows[i];
        }

        return result;
    }

    private void RebuildWeights()
    {
        var shapes = JsonSerializer.Deserialize<Dictionary<string, int[]>>(_file.Metadata["parameter_shapes"])!;
        var gains = JsonSerializer.Deserialize<Dictionary<string, double>>(_file.Metadata["gain"])!;
        foreach ((string tensor, int[] shape) in shapes)
        {
            string seed = $"{Name}/{tensor}";
            _weights.Add(tensor, new WeightTensor(shape, shape switch
            {
                [int rows, int columns] => CounterRandom.Matrix(seed, rows, columns, gains.GetValueOrDefault(tensor, 1)),
                [int length] when tensor.EndsWith("layernorm.weight", StringComparison.Ordinal) => CounterRandom.Norm(seed, length),
                [int length] => CounterRandom.Bias(seed, length),
                _ => throw new InvalidDataException($"{tensor} has {shape.Length} dimensions."),
            }));
        }
    }

    private int Number(string key) => int.Parse(_file.Metadata[key], CultureInfo.InvariantCulture);
}
