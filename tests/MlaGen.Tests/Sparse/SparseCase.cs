using System.Globalization;
using System.Text.Json;
using MlaGen.Tests.Golden;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Sparse;

/// <summary>A stack of sparse attention layers that transformers computed: <c>x_{l+1} = x_l + attention_l(x_l)</c>.</summary>
internal sealed class SparseCase
{
    private readonly GoldenFile _file;

    private SparseCase(string name)
    {
        Name = name;
        _file = GoldenFile.Read(Path.Combine("Sparse", name));
        IReadOnlyDictionary<string, string> metadata = _file.Metadata;
        Family = metadata["family"];
        Tokens = Number("tokens");
        Keep = Number("keep");
        Config = JsonSerializer.Deserialize<JsonElement>(metadata["config"]);
        Positions = [.. Enumerable.Range(Number("start"), Tokens)];
        Hidden = CounterRandom.Hidden($"{name}/hidden_states", Tokens, HiddenSize);
        Layers = metadata.TryGetValue("layers", out string? layers) ? JsonSerializer.Deserialize<int[]>(layers)! : [0];
        IsStacked = layers is not null;
    }

    public string Name { get; }

    public string Family { get; }

    public JsonElement Config { get; }

    public int Tokens { get; }

    /// <summary>Of how many last tokens the file holds results.</summary>
    public int Keep { get; }

    public int[] Positions { get; }

    /// <summary><c>[Tokens, HiddenSize]</c>.</summary>
    public float[] Hidden { get; }

    /// <summary>Layers of the model that are in the file.</summary>
    public int[] Layers { get; }

    public int HiddenSize => Config.GetProperty("hidden_size").GetInt32();

    public int TopK => Config.GetProperty("index_topk").GetInt32();

    private bool IsStacked { get; }

    public static SparseCase Load(string name) => new(name);

    /// <summary>The weights of a layer by their names in a checkpoint, without the layer's prefix.</summary>
    public Dictionary<string, WeightTensor> Weights(int layer)
    {
        var shapes = JsonSerializer.Deserialize<Dictionary<string, int[]>>(_file.Metadata["parameter_shapes"])!;
        var gains = JsonSerializer.Deserialize<Dictionary<string, double>>(_file.Metadata["gain"])!;
        string prefix = IsStacked ? $"layers.{layer}." : string.Empty;
        var weights = new Dictionary<string, WeightTensor>();
        foreach ((string name, int[] shape) in shapes.Where(entry => entry.Key.StartsWith(prefix, StringComparison.Ordinal)))
        {
            string tensor = name[prefix.Length..];
            string seed = $"{Name}/{name}";
            weights.Add(Published(tensor), new WeightTensor(shape, shape switch
            {
                [int rows, int columns] when tensor.EndsWith("_ape", StringComparison.Ordinal) => CounterRandom.Tensor(seed, rows * columns, 2),
                [int rows, int columns] => CounterRandom.Matrix(seed, rows, columns, gains.GetValueOrDefault(tensor, 1)),
                [int length] when tensor.EndsWith("norm.weight", StringComparison.Ordinal) => CounterRandom.Norm(seed, length),
                [int length] => CounterRandom.Bias(seed, length),
                _ => throw new InvalidDataException($"{name} has {shape.Length} dimensions."),
            }));
        }

        return weights;
    }

    public float[] Output(int layer) => Tensor(layer, "output")!;

    public float[] Latent(int layer) => Tensor(layer, "latent")!;

    /// <summary>Null where nothing is rotated.</summary>
    public float[]? KRope(int layer) => Tensor(layer, "k_rope");

    /// <summary>The tokens that each of the last rows attends to, in ascending order; null in a layer that shares another's.</summary>
    public int[][]? Selected(int layer)
    {
        int[]? all = _file.FindIntegers(IsStacked ? $"layers.{layer}.selected" : "topk");
        return all is null ? null : [.. all.Chunk(all.Length / (IsStacked ? Keep : Tokens)).TakeLast(Keep).Select(static row => row.Where(static token => token >= 0).Order().ToArray())];
    }

    private float[]? Tensor(int layer, string name) => _file.Find(IsStacked ? $"layers.{layer}.{name}" : name);

    /// <summary>transformers' names of parameters in those of published checkpoints.</summary>
    private string Published(string tensor) => (Family, tensor) switch
    {
        ("axk2", "q_gate_proj.weight") => "q_b_proj.weight",
        ("hy_v4", "gate_proj.weight") => "linear_gate.weight",
        ("hy_v4", "sinks") => "learnable_sink_param",
        _ => tensor,
    };

    private int Number(string key) => int.Parse(_file.Metadata[key], CultureInfo.InvariantCulture);
}
