using MlaGen.Tests.Golden;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Sparse;

// Dimensions that no published model has, each class with what the others lack.

/// <summary>A generated class that knows what formulas must know of it.</summary>
public interface IUnseenLayer<TSelf> : IMlaAttention<TSelf>
    where TSelf : class, IUnseenLayer<TSelf>
{
    static abstract UnseenLayer Formulas { get; }
}

/// <summary>What formulas must know of a layer, and its weights.</summary>
public sealed class UnseenLayer
{
    internal UnseenLayer(OracleSpec spec, Func<OracleSpec, IndexOracle> indexer, int poolTokens = 0)
    {
        Spec = spec;
        Indexer = indexer(spec);
        PoolTokens = poolTokens;
    }

    internal OracleSpec Spec { get; }

    internal IndexOracle Indexer { get; }

    /// <summary>0 where keys are not pooled.</summary>
    internal int PoolTokens { get; }

    /// <summary>Counter-random weights by their names in a checkpoint, without the layer's prefix.</summary>
    internal Dictionary<string, WeightTensor> Weights(string name)
    {
        Dictionary<string, WeightTensor> weights = RandomLayer.Weights(Spec, name);
        Matrix("wq_b.weight", Indexer.Heads * Indexer.HeadDim, Spec.QLoraRank);
        Matrix("wk.weight", Indexer.HeadDim, Spec.HiddenSize);
        Matrix("weights_proj.weight", Indexer.Heads, Spec.HiddenSize);
        weights.Add("indexer.k_norm.weight", new([Indexer.HeadDim], CounterRandom.Norm($"{name}/k_norm.weight", Indexer.HeadDim)));
        weights.Add("indexer.k_norm.bias", new([Indexer.HeadDim], CounterRandom.Bias($"{name}/k_norm.bias", Indexer.HeadDim)));
        if (PoolTokens > 0)
        {
            Matrix("index_kpool_compress_gate", Indexer.HeadDim, Spec.HiddenSize);
            weights.Add("indexer.index_kpool_compress_ape", new([PoolTokens, Indexer.HeadDim], CounterRandom.Tensor($"{name}/ape", PoolTokens * Indexer.HeadDim, 2)));
        }

        return weights;

        void Matrix(string tensor, int rows, int columns) => weights.Add($"indexer.{tensor}", new([rows, columns], CounterRandom.Matrix($"{name}/{tensor}", rows, columns)));
    }
}

/// <summary>The rotary part first and in halves, very few tokens selected.</summary>
[MlaAttention(
    HiddenSize = 56, Heads = 7, QLoraRank = 40, KvLoraRank = 96, QkNopeHeadDim = 21, QkRopeHeadDim = 32, VHeadDim = 13,
    IndexTopK = 5, IndexHeads = 21, IndexHeadDim = 48)]
public sealed partial class UnseenSparseAttention : IUnseenLayer<UnseenSparseAttention>
{
    public static UnseenLayer Formulas { get; } = new(
        new() { HiddenSize = 56, Heads = 7, QLoraRank = 40, KvLoraRank = 96, QkNopeHeadDim = 21, QkRopeHeadDim = 32, VHeadDim = 13 },
        static spec => new(spec, IndexTopK, IndexHeads, IndexHeadDim, RopeLayout.HalfSplit, RotatesLast: false, NormEpsilon: 1e-6));
}

/// <summary>One index head, whose scores are often 0, and one token that it selects; a value wider than the latent; a gate an element, and sinks.</summary>
[MlaAttention(
    HiddenSize = 44, Heads = 3, QLoraRank = 20, KvLoraRank = 72, QkNopeHeadDim = 9, QkRopeHeadDim = 16, VHeadDim = 100, RopeLayout = RopeLayout.HalfSplit,
    OutputGate = OutputGate.ElementWise, AttentionSinks = true, IndexTopK = 1, IndexHeads = 1, IndexHeadDim = 32)]
public sealed partial class OneIndexHeadAttention : IUnseenLayer<OneIndexHeadAttention>
{
    public static UnseenLayer Formulas { get; } = new(
        new() { HiddenSize = 44, Heads = 3, QLoraRank = 20, KvLoraRank = 72, QkNopeHeadDim = 9, QkRopeHeadDim = 16, VHeadDim = 100, Rope = new() { Layout = RopeLayout.HalfSplit }, Gate = OutputGate.ElementWise, HasSinks = true },
        static spec => new(spec, IndexTopK, IndexHeads, IndexHeadDim, RopeLayout.HalfSplit, RotatesLast: false, NormEpsilon: 1e-6));
}

/// <summary>More tokens to select than there are; three wide index heads; 33 heads; a gate a head, and sinks.</summary>
[MlaAttention(
    HiddenSize = 60, Heads = 33, QLoraRank = 24, KvLoraRank = 40, QkNopeHeadDim = 40, QkRopeHeadDim = 6, VHeadDim = 24,
    OutputGate = OutputGate.HeadWise, AttentionSinks = true, IndexTopK = 1000, IndexHeads = 3, IndexHeadDim = 200)]
public sealed partial class WideIndexHeadsAttention : IUnseenLayer<WideIndexHeadsAttention>
{
    public static UnseenLayer Formulas { get; } = new(
        new() { HiddenSize = 60, Heads = 33, QLoraRank = 24, KvLoraRank = 40, QkNopeHeadDim = 40, QkRopeHeadDim = 6, VHeadDim = 24, Gate = OutputGate.HeadWise, HasSinks = true },
        static spec => new(spec, IndexTopK, IndexHeads, IndexHeadDim, RopeLayout.HalfSplit, RotatesLast: false, NormEpsilon: 1e-6));
}

/// <summary>65 index heads, rotated at their end and in pairs that lie beside each other; a gate through the query projection, and sinks; YaRN.</summary>
[MlaAttention(
    HiddenSize = 52, Heads = 5, QLoraRank = 28, KvLoraRank = 130, QkNopeHeadDim = 16, QkRopeHeadDim = 8, VHeadDim = 40, MaxPositionEmbeddings = 8192,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 40, OriginalMaxPositionEmbeddings = 32, Mscale = 1, MscaleAllDim = 1,
    OutputGate = OutputGate.Query, AttentionSinks = true, IndexTopK = 17, IndexHeads = 65, IndexHeadDim = 40, IndexRopeLayout = RopeLayout.Interleaved, IndexRopeLast = true, IndexNormEpsilon = 1e-2)]
public sealed partial class ManyIndexHeadsAttention : IUnseenLayer<ManyIndexHeadsAttention>
{
    public static UnseenLayer Formulas { get; } = new(
        new() { HiddenSize = 52, Heads = 5, QLoraRank = 28, KvLoraRank = 130, QkNopeHeadDim = 16, QkRopeHeadDim = 8, VHeadDim = 40, Rope = new() { Scaling = RopeScaling.Yarn, Factor = 40, OriginalMaxPosition = 32, MscaleNumerator = 1, MscaleAllDim = 1 }, Gate = OutputGate.Query, HasSinks = true },
        static spec => new(spec, IndexTopK, IndexHeads, IndexHeadDim, RopeLayout.Interleaved, RotatesLast: true, NormEpsilon: 1e-2));
}

/// <summary>Pools of three, nothing rotated, a gate an element, and sinks.</summary>
[MlaAttention(
    HiddenSize = 48, Heads = 9, QLoraRank = 36, KvLoraRank = 64, QkNopeHeadDim = 30, QkRopeHeadDim = 0, VHeadDim = 20,
    OutputGate = OutputGate.ElementWise, AttentionSinks = true, IndexTopK = 12, IndexHeads = 3, IndexHeadDim = 33, IndexPoolTokens = 3)]
public sealed partial class RopelessPoolAttention : IUnseenLayer<RopelessPoolAttention>
{
    public static UnseenLayer Formulas { get; } = new(
        new() { HiddenSize = 48, Heads = 9, QLoraRank = 36, KvLoraRank = 64, QkNopeHeadDim = 30, QkRopeHeadDim = 0, VHeadDim = 20, Gate = OutputGate.ElementWise, HasSinks = true },
        static spec => new(spec, IndexTopK, IndexHeads, IndexHeadDim, RopeLayout.None, RotatesLast: false, NormEpsilon: 1e-6),
        IndexPoolTokens);
}

/// <summary>Pools of seven, of which one is selected, a rotary part in all of the index key, a gate a head.</summary>
[MlaAttention(
    HiddenSize = 40, Heads = 17, QLoraRank = 16, KvLoraRank = 48, QkNopeHeadDim = 12, QkRopeHeadDim = 32, VHeadDim = 8,
    OutputGate = OutputGate.HeadWise, IndexTopK = 7, IndexHeads = 17, IndexHeadDim = 32, IndexPoolTokens = 7)]
public sealed partial class RotatedPoolAttention : IUnseenLayer<RotatedPoolAttention>
{
    public static UnseenLayer Formulas { get; } = new(
        new() { HiddenSize = 40, Heads = 17, QLoraRank = 16, KvLoraRank = 48, QkNopeHeadDim = 12, QkRopeHeadDim = 32, VHeadDim = 8, Gate = OutputGate.HeadWise },
        static spec => new(spec, IndexTopK, IndexHeads, IndexHeadDim, RopeLayout.HalfSplit, RotatesLast: false, NormEpsilon: 1e-6),
        IndexPoolTokens);
}

/// <summary>A model's own configuration says all of it.</summary>
[MlaAttention("unseen-hy4")]
public sealed partial class UnseenHy4Attention : IUnseenLayer<UnseenHy4Attention>
{
    public static UnseenLayer Formulas { get; } = new(
        new() { HiddenSize = 36, Heads = 7, QLoraRank = 30, KvLoraRank = 96, QkNopeHeadDim = 18, QkRopeHeadDim = 12, VHeadDim = 22, Rope = new() { Layout = RopeLayout.HalfSplit, Theta = 1e7 }, Gate = OutputGate.ElementWise, GateName = "linear_gate", HasSinks = true },
        static spec => new(spec, IndexTopK, IndexHeads, IndexHeadDim, RopeLayout.HalfSplit, RotatesLast: true, NormEpsilon: 1e-5));
}
