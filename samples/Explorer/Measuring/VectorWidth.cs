using System.Runtime.Intrinsics;

namespace Explorer.Measuring;

/// <summary>The few vector operations that peaks are measured with, so that each loop is written once for all tiers.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
internal interface IVectorWidth<TVector>
{
    static abstract int Lanes { get; }

    static abstract TVector Broadcast(float value);

    static abstract TVector Load(ref readonly float source, nuint offset);

    static abstract TVector Add(TVector left, TVector right);

    /// <summary>Fused where the processor fuses, two operations elsewhere.</summary>
    static abstract TVector MultiplyAdd(TVector left, TVector right, TVector addend);

    static abstract float Sum(TVector value);
}

internal readonly struct Width512 : IVectorWidth<Vector512<float>>
{
    public static int Lanes => Vector512<float>.Count;

    public static Vector512<float> Broadcast(float value) => Vector512.Create(value);

    public static Vector512<float> Load(ref readonly float source, nuint offset) => Vector512.LoadUnsafe(in source, offset);

    public static Vector512<float> Add(Vector512<float> left, Vector512<float> right) => left + right;

    public static Vector512<float> MultiplyAdd(Vector512<float> left, Vector512<float> right, Vector512<float> addend) => Vector512.MultiplyAddEstimate(left, right, addend);

    public static float Sum(Vector512<float> value) => Vector512.Sum(value);
}

internal readonly struct Width256 : IVectorWidth<Vector256<float>>
{
    public static int Lanes => Vector256<float>.Count;

    public static Vector256<float> Broadcast(float value) => Vector256.Create(value);

    public static Vector256<float> Load(ref readonly float source, nuint offset) => Vector256.LoadUnsafe(in source, offset);

    public static Vector256<float> Add(Vector256<float> left, Vector256<float> right) => left + right;

    public static Vector256<float> MultiplyAdd(Vector256<float> left, Vector256<float> right, Vector256<float> addend) => Vector256.MultiplyAddEstimate(left, right, addend);

    public static float Sum(Vector256<float> value) => Vector256.Sum(value);
}

internal readonly struct Width128 : IVectorWidth<Vector128<float>>
{
    public static int Lanes => Vector128<float>.Count;

    public static Vector128<float> Broadcast(float value) => Vector128.Create(value);

    public static Vector128<float> Load(ref readonly float source, nuint offset) => Vector128.LoadUnsafe(in source, offset);

    public static Vector128<float> Add(Vector128<float> left, Vector128<float> right) => left + right;

    public static Vector128<float> MultiplyAdd(Vector128<float> left, Vector128<float> right, Vector128<float> addend) => Vector128.MultiplyAddEstimate(left, right, addend);

    public static float Sum(Vector128<float> value) => Vector128.Sum(value);
}

internal readonly struct Width1 : IVectorWidth<float>
{
    public static int Lanes => 1;

    public static float Broadcast(float value) => value;

    public static float Load(ref readonly float source, nuint offset) => System.Runtime.CompilerServices.Unsafe.Add(ref System.Runtime.CompilerServices.Unsafe.AsRef(in source), offset);

    public static float Add(float left, float right) => left + right;

    public static float MultiplyAdd(float left, float right, float addend) => float.MultiplyAddEstimate(left, right, addend);

    public static float Sum(float value) => value;
}
