namespace MlaGen.Benchmarks;

[MlaAttention(HiddenSize = 7168, Heads = 128, QLoraRank = 1536, MaxPositionEmbeddings = 163840,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 40, OriginalMaxPositionEmbeddings = 4096, Mscale = 1, MscaleAllDim = 1)]
internal sealed partial class DeepSeekV3Attention;
