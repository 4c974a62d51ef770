using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>The type of a weight in memory: how long it is and how a vector of it becomes floats.</summary>
internal interface IWeightElement
{
    static abstract int Bytes { get; }

    static abstract V Load<V>(ref readonly byte source)
        where V : struct, ILanes<V>;
}

/// <summary>Weights of 32-bit floats.</summary>
internal readonly struct Float32Weight : IWeightElement
{
    public static int Bytes => sizeof(float);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V>(ref readonly byte source)
        where V : struct, ILanes<V> => V.Load(in Unsafe.As<byte, float>(ref Unsafe.AsRef(in source)));
}

/// <summary>Weights of bf16.</summary>
internal readonly struct BFloat16Weight : IWeightElement
{
    public static int Bytes => sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V>(ref readonly byte source)
        where V : struct, ILanes<V> => V.LoadBFloat16(in Unsafe.As<byte, ushort>(ref Unsafe.AsRef(in source)));
}

/// <summary>Weights of IEEE half precision.</summary>
internal readonly struct Float16Weight : IWeightElement
{
    public static int Bytes => sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V>(ref readonly byte source)
        where V : struct, ILanes<V> => V.LoadFloat16(in Unsafe.As<byte, ushort>(ref Unsafe.AsRef(in source)));
}
