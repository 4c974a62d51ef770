namespace MlaGen.Generator.Validation;

/// <summary>The largest dimensions that kernels are planned and tested for: beyond every published model.</summary>
internal static class Limits
{
    public const int HiddenSize = 65536;
    public const int Heads = 1024;
    public const int LoraRank = 65536;
    public const int KvLoraRank = 4096;
    public const int HeadDim = 1024;

    /// <summary>Every position below this is exact in float32, in which angles are computed.</summary>
    public const int Positions = 1 << 24;

    /// <summary>Elements of one projection: spans and loop counters are of type int.</summary>
    public const long ProjectionElements = int.MaxValue;
}
