namespace MlaGen.Tests.Sparse;

// The layers that transformers computed, one class a file, as a user would declare them from the model's configuration.

/// <summary>A generated class that knows its file.</summary>
public interface ISparseAttention<TSelf> : IMlaAttention<TSelf>
    where TSelf : class, ISparseAttention<TSelf>
{
    static abstract string CaseName { get; }
}

[MlaAttention(
    HiddenSize = 512, Heads = 32, QLoraRank = 512, MaxPositionEmbeddings = 163840,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 40, OriginalMaxPositionEmbeddings = 4096, Mscale = 1, MscaleAllDim = 1,
    IndexTopK = 16, IndexHeads = 64)]
public sealed partial class V32Attention : ISparseAttention<V32Attention>
{
    public static string CaseName => "deepseek-v3.2";
}

[MlaAttention(
    HiddenSize = 512, Heads = 32, QLoraRank = 512, MaxPositionEmbeddings = 163840,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 40, OriginalMaxPositionEmbeddings = 4096, Mscale = 1, MscaleAllDim = 1,
    IndexTopK = 64, IndexHeads = 64)]
public sealed partial class V32LongAttention : ISparseAttention<V32LongAttention>
{
    public static string CaseName => "v32-long";
}

[MlaAttention(
    HiddenSize = 512, Heads = 32, QLoraRank = 512, MaxPositionEmbeddings = 163840,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 40, OriginalMaxPositionEmbeddings = 4096, Mscale = 1, MscaleAllDim = 1,
    IndexTopK = 64, IndexHeads = 64)]
public sealed partial class V32DenseAttention : ISparseAttention<V32DenseAttention>
{
    public static string CaseName => "v32-dense";
}

[MlaAttention(
    HiddenSize = 512, Heads = 64, QLoraRank = 768, QkNopeHeadDim = 192, VHeadDim = 256, RopeTheta = 1e6,
    IndexTopK = 48, IndexHeads = 32, IndexRopeLayout = RopeLayout.Interleaved, IndexPattern = "FFFSSSFS")]
public sealed partial class Glm52Attention : ISparseAttention<Glm52Attention>
{
    public static string CaseName => "glm5-shared-2";
}

[MlaAttention(
    HiddenSize = 384, Heads = 32, QLoraRank = 192, KvLoraRank = 128, QkNopeHeadDim = 64, QkRopeHeadDim = 32, VHeadDim = 64,
    OutputGate = OutputGate.Query, IndexTopK = 40, IndexHeads = 16)]
public sealed partial class AxK2Attention : ISparseAttention<AxK2Attention>
{
    public static string CaseName => "axk2-gated";
}

[MlaAttention(
    HiddenSize = 448, Heads = 24, QLoraRank = 256, QkNopeHeadDim = 192, VHeadDim = 256, RopeLayout = RopeLayout.HalfSplit,
    OutputGate = OutputGate.ElementWise, OutputGateName = "linear_gate", AttentionSinks = true,
    IndexTopK = 32, IndexHeads = 16, IndexRopeLast = true, IndexPattern = "FFSSSF")]
public sealed partial class Hy4Attention : ISparseAttention<Hy4Attention>
{
    public static string CaseName => "hy4-sinks";
}

[MlaAttention(
    HiddenSize = 384, Heads = 16, QLoraRank = 256, QkNopeHeadDim = 256, QkRopeHeadDim = 0, VHeadDim = 256, LatentNormEpsilon = 1e-5,
    IndexTopK = 32, IndexHeads = 32, IndexPoolTokens = 4, IndexPattern = "FFFFSFFF")]
public sealed partial class Glm53Attention : ISparseAttention<Glm53Attention>
{
    public static string CaseName => "glm53-kpool";
}
