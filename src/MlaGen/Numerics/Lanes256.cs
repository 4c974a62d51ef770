using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MlaGen.Runtime;

/// <summary>8 floats in one Vector256.</summary>
internal readonly struct Lanes256 : ILanes<Lanes256>
{
    private readonly Vector256<float> _value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Lanes256(Vector256<float> value) => _value = value;

    public static int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 8;
    }

    public static Lanes256 Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(Vector256<float>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Broadcast(float value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Load(ref readonly float source) => new(Vector256.LoadUnsafe(in source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadBFloat16(ref readonly ushort source) => new((Widen(in source) << 16).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadFloat16(ref readonly ushort source)
    {
        Vector256<uint> bits = Widen(in source);
        Vector256<uint> sign = (bits & Vector256.Create(Float16Bits.Sign)) << 16;
        Vector256<uint> magnitude = (bits & Vector256.Create(Float16Bits.Magnitude)) << 13;

        // The multiplication moves the exponent bias and normalises subnormals; infinities and NaN keep a full exponent of their own.
        Vector256<uint> scaled = (magnitude.AsSingle() * Vector256.Create(Float16Bits.BiasShift)).AsUInt32();
        Vector256<uint> special = Vector256.GreaterThanOrEqual(magnitude, Vector256.Create(Float16Bits.InfinityMagnitude)) & Vector256.Create(Float16Bits.FullExponent);
        return new((scaled | special | sign).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadInt8(ref readonly byte source) => new(Vector256.ConvertToSingle(Widen(in source)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadInt4(ref readonly byte source, int lane) => new(Int4(Vector256.Create(Unsafe.ReadUnaligned<ulong>(in source)).AsUInt32(), lane));

    /// <summary>Eight of sixteen integers of 4 bits.</summary>
    /// <param name="words">The two words, over and over.</param>
    /// <param name="lane">The first of the eight: 0 or 8.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<float> Int4(Vector256<uint> words, int lane)
    {
        Vector256<uint> shifts = lane == 0 ? Vector256.Create(0u, 0, 4, 4, 8, 8, 12, 12) : Vector256.Create(16u, 16, 20, 20, 24, 24, 28, 28);
        Vector256<uint> shifted = Avx2.IsSupported
            ? Avx2.ShiftRightLogicalVariable(words, shifts)
            : Vector256.Create(Lanes128.Int4Bits(words.GetLower(), lane), Lanes128.Int4Bits(words.GetLower(), lane + 4));
        return Vector256.ConvertToSingle(((shifted & Vector256.Create(15u)) ^ Vector256.Create(8u)).AsInt32() - Vector256.Create(8));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadFloat8(ref readonly byte source)
    {
        // Widening has spread the sign; only its topmost copy may stay.
        Vector256<uint> bits = Widen(in source).AsUInt32() << Float8E4M3.MantissaShift;
        Vector256<uint> magnitude = bits & Vector256.Create(Float8E4M3.MovedMagnitude);
        Vector256<uint> sign = bits & Vector256.Create(0x8000_0000u);

        // A multiplication could move the exponent bias too, but processors are slow at float denormals, and those of e4m3 would be some.
        Vector256<uint> normal = magnitude + Vector256.Create(Float8E4M3.MovedBiasDifference);
        Vector256<uint> denormal = ((magnitude | Vector256.Create(Float8E4M3.MovedSmallestNormal)).AsSingle() - Vector256.Create(Float8E4M3.SmallestNormal)).AsUInt32();
        Vector256<uint> isDenormal = Vector256.LessThan(magnitude.AsInt32(), Vector256.Create(1 << 23)).AsUInt32();
        return new((Vector256.ConditionalSelect(isDenormal, denormal, normal) | sign).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes256 value, ref float destination) => value._value.StoreUnsafe(ref destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Add(Lanes256 left, Lanes256 right) => new(left._value + right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Multiply(Lanes256 left, Lanes256 right) => new(left._value * right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 MultiplyAdd(Lanes256 left, Lanes256 right, Lanes256 addend) => new(Vector256.MultiplyAddEstimate(left._value, right._value, addend._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Sigmoid(Lanes256 value) => new(VectorMath.Sigmoid(value._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSums(Lanes256 a, Lanes256 b, Lanes256 c, Lanes256 d, ref float destination) =>
        VectorMath.Sums(a._value, b._value, c._value, d._value).StoreUnsafe(ref destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Widen(ref readonly ushort source) =>
        Vector256.WidenLower(Vector128.LoadUnsafe(in source).ToVector256Unsafe());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Widen(ref readonly byte source) =>
        Vector256.WidenLower(Vector128.WidenLower(Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<ulong>(in source)).AsSByte()).ToVector256Unsafe());
}
