namespace MlaGen.CheckedKernels;

// Dimensions that no other class has: kernels are emitted once a shape, and those to be read are these.

/// <summary>Eight heads: decoding has one vector of columns.</summary>
[MlaAttention(HiddenSize = 256, Heads = 8, QLoraRank = 128, KvLoraRank = 64, QkNopeHeadDim = 48, QkRopeHeadDim = 16, VHeadDim = 48)]
public sealed partial class CheckedStory;

/// <summary>Twenty heads: decoding has columns in lanes of several widths.</summary>
[MlaAttention(HiddenSize = 2048, Heads = 20, QLoraRank = 768, QkNopeHeadDim = 160, VHeadDim = 224)]
public sealed partial class CheckedGlm;

/// <summary>Arithmetic of the project's own, by which the guard sees that it is checked.</summary>
public static class CheckedSum
{
    public static int Of(int left, int right) => left + right;
}
