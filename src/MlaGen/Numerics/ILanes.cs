namespace MlaGen.Runtime;

/// <summary>A vector of floats of one tier, so that a kernel is written once for all of them. Every operation acts on each lane alone.</summary>
/// <typeparam name="TSelf">The vector itself.</typeparam>
internal interface ILanes<TSelf>
    where TSelf : struct, ILanes<TSelf>
{
    static abstract int Count { get; }

    static abstract TSelf Zero { get; }

    static abstract TSelf Broadcast(float value);

    static abstract TSelf Load(ref readonly float source);

    /// <summary>Loads bf16 values, which are the upper halves of floats.</summary>
    static abstract TSelf LoadBFloat16(ref readonly ushort source);

    /// <summary>Loads IEEE half-precision values, exactly, subnormals included.</summary>
    static abstract TSelf LoadFloat16(ref readonly ushort source);

    /// <summary>Loads signed 8-bit integers.</summary>
    static abstract TSelf LoadInt8(ref readonly byte source);

    /// <summary>Loads signed 4-bit integers of the 16 that lie in two words, even ones in the first.</summary>
    /// <param name="source">The words.</param>
    /// <param name="lane">Which of the 16 is the vector's first.</param>
    static abstract TSelf LoadInt4(ref readonly byte source, int lane);

    /// <summary>Loads e4m3 values, exactly, denormals included; no NaN among them.</summary>
    static abstract TSelf LoadFloat8(ref readonly byte source);

    static abstract void Store(TSelf value, ref float destination);

    static abstract TSelf Add(TSelf left, TSelf right);

    static abstract TSelf Multiply(TSelf left, TSelf right);

    /// <summary><c>left · right + addend</c>: fused where the processor fuses, two roundings elsewhere.</summary>
    static abstract TSelf MultiplyAdd(TSelf left, TSelf right, TSelf addend);

    /// <summary><c>1 / (1 + e^-value)</c>.</summary>
    static abstract TSelf Sigmoid(TSelf value);

    /// <summary>Writes the sum of the lanes of each of four vectors, halves added to halves: the same order of additions on every machine.</summary>
    static abstract void StoreSums(TSelf a, TSelf b, TSelf c, TSelf d, ref float destination);
}
