using MlaGen.Tests.Golden;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Sparse;

/// <summary>Dimensions of which none is round, the rotary part last, every third layer with an indexer.</summary>
[MlaAttention(
    HiddenSize = 40, Heads = 7, QLoraRank = 24, KvLoraRank = 96, QkNopeHeadDim = 21, QkRopeHeadDim = 6, VHeadDim = 13,
    IndexTopK = 13, IndexHeads = 21, IndexHeadDim = 48, IndexRopeLayout = RopeLayout.Interleaved, IndexRopeLast = true, IndexNormEpsilon = 1e-3, IndexPattern = "FSS")]
public sealed partial class OddSparseAttention;

/// <summary>The same dimensions, with pools of five tokens, of which a query selects four.</summary>
[MlaAttention(
    HiddenSize = 40, Heads = 7, QLoraRank = 24, KvLoraRank = 96, QkNopeHeadDim = 21, QkRopeHeadDim = 6, VHeadDim = 13,
    IndexTopK = 22, IndexHeads = 21, IndexHeadDim = 48, IndexPoolTokens = 5)]
public sealed partial class OddPoolAttention;

/// <summary>The same layer without its indexer.</summary>
[MlaAttention(HiddenSize = 40, Heads = 7, QLoraRank = 24, KvLoraRank = 96, QkNopeHeadDim = 21, QkRopeHeadDim = 6, VHeadDim = 13)]
public sealed partial class OddDenseAttention;

/// <summary>Random weights of the odd layers, and what is known of them.</summary>
internal static class SparseTestLayers
{
    public const int TopK = 13;
    public const int IndexHeads = 21;
    public const int IndexHeadDim = 48;
    public const double NormEpsilon = 1e-3;

    public static OracleSpec Spec { get; } = new()
    {
        HiddenSize = 40,
        Heads = 7,
        QLoraRank = 24,
        KvLoraRank = 96,
        QkNopeHeadDim = 21,
        QkRopeHeadDim = 6,
        VHeadDim = 13,
    };

    public static IndexOracle Oracle { get; } = new(Spec, TopK, IndexHeads, IndexHeadDim, RopeLayout.Interleaved, RotatesLast: true, NormEpsilon);

    /// <summary>Weights of a layer by their names in a checkpoint, without the layer's prefix.</summary>
    public static Dictionary<string, WeightTensor> Weights(string name, bool hasIndexer)
    {
        Dictionary<string, WeightTensor> weights = RandomLayer.Weights(Spec, name);
        if (hasIndexer)
        {
            weights.Add("indexer.wq_b.weight", new([IndexHeads * IndexHeadDim, Spec.QLoraRank], CounterRandom.Matrix($"{name}/wq_b", IndexHeads * IndexHeadDim, Spec.QLoraRank)));
            weights.Add("indexer.wk.weight", new([IndexHeadDim, Spec.HiddenSize], CounterRandom.Matrix($"{name}/wk", IndexHeadDim, Spec.HiddenSize)));
            weights.Add("indexer.k_norm.weight", new([IndexHeadDim], CounterRandom.Norm($"{name}/k_norm.weight", IndexHeadDim)));
            weights.Add("indexer.k_norm.bias", new([IndexHeadDim], CounterRandom.Bias($"{name}/k_norm.bias", IndexHeadDim)));
            weights.Add("indexer.weights_proj.weight", new([IndexHeads, Spec.HiddenSize], CounterRandom.Matrix($"{name}/weights_proj", IndexHeads, Spec.HiddenSize)));
        }

        return weights;
    }

    public static InMemoryCheckpoint Checkpoint(IReadOnlyDictionary<string, WeightTensor> weights, string prefix)
    {
        var checkpoint = new InMemoryCheckpoint();
        foreach ((string name, WeightTensor weight) in weights)
        {
            checkpoint.Add(prefix + name, [.. weight.Shape.Select(static size => (long)size)], weight.Values, TensorType.Float32);
        }

        return checkpoint;
    }

    public static string Prefix(int layer) => $"model.layers.{layer}.self_attn.";

    /// <summary>Layers of a model: the first with an indexer, the second without.</summary>
    public static OddSparseAttention[] Layers(Action<Dictionary<string, WeightTensor>>? change = null) => [.. Enumerable.Range(0, 2).Select(layer =>
    {
        Dictionary<string, WeightTensor> weights = Weights($"odd sparse {layer}", hasIndexer: layer == 0);
        change?.Invoke(weights);
        return OddSparseAttention.Load(Checkpoint(weights, Prefix(layer)), Prefix(layer), layer);
    })];

    /// <summary>The same layers, each without an indexer.</summary>
    public static OddDenseAttention[] DenseLayers() => [.. Enumerable.Range(0, 2).Select(static layer =>
        OddDenseAttention.Load(Checkpoint(Weights($"odd sparse {layer}", hasIndexer: false), Prefix(layer)), Prefix(layer), layer))];
}
