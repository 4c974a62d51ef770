namespace MlaGen.CheckedKernels;

/// <summary>Eight heads: decoding has one vector of columns.</summary>
[MlaAttention(HiddenSize = 256, Heads = 8, QLoraRank = 128, KvLoraRank = 64, QkNopeHeadDim = 32, QkRopeHeadDim = 16, VHeadDim = 32)]
public sealed partial class CheckedStory;

/// <summary>Twenty heads: decoding has columns in lanes of several widths.</summary>
[MlaAttention(HiddenSize = 2048, Heads = 20, QLoraRank = 768, QkNopeHeadDim = 192, VHeadDim = 256)]
public sealed partial class CheckedGlm;

/// <summary>Arithmetic of the project's own, by which the guard sees that it is checked.</summary>
public static class CheckedSum
{
    public static int Of(int left, int right) => left + right;
}
