using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MlaGen.Runtime;

/// <summary>4 floats in one Vector128.</summary>
internal readonly struct Lanes128 : ILanes<Lanes128>
{
    private readonly Vector128<float> _value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Lanes128(Vector128<float> value) => _value = value;

    public static int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 4;
    }

    public static Lanes128 Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(Vector128<float>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Broadcast(float value) => new(Vector128.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Load(ref readonly float source) => new(Vector128.LoadUnsafe(in source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 LoadBFloat16(ref readonly ushort source) => new((Widen(in source) << 16).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 LoadFloat16(ref readonly ushort source)
    {
        Vector128<uint> bits = Widen(in source);
        Vector128<uint> sign = (bits & Vector128.Create(Float16Bits.Sign)) << 16;
        Vector128<uint> magnitude = (bits & Vector128.Create(Float16Bits.Magnitude)) << 13;

        // The multiplication moves the exponent bias and normalises subnormals; infinities and NaN keep a full exponent of their own.
        Vector128<uint> scaled = (magnitude.AsSingle() * Vector128.Create(Float16Bits.BiasShift)).AsUInt32();
        Vector128<uint> special = Vector128.GreaterThanOrEqual(magnitude, Vector128.Create(Float16Bits.InfinityMagnitude)) & Vector128.Create(Float16Bits.FullExponent);
        return new((scaled | special | sign).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 LoadInt8(ref readonly byte source) => new(Vector128.ConvertToSingle(Widen(in source)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 LoadInt4(ref readonly byte source, int lane)
    {
        Vector128<uint> bits = Int4Bits(Vector128.Create(Unsafe.ReadUnaligned<ulong>(in source)).AsUInt32(), lane);
        return new(Vector128.ConvertToSingle(((bits & Vector128.Create(15u)) ^ Vector128.Create(8u)).AsInt32() - Vector128.Create(8)));
    }

    /// <summary>Brings four of sixteen integers of 4 bits to the bottom of their lanes, with others above them.</summary>
    /// <param name="words">The two words, twice.</param>
    /// <param name="lane">The first of the four: 0, 4, 8 or 12.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<uint> Int4Bits(Vector128<uint> words, int lane)
    {
        Vector128<uint> first = words >> (2 * lane);
        return Vector128.ConditionalSelect(Vector128.Create(uint.MaxValue, uint.MaxValue, 0, 0), first, first >> 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 LoadFloat8(ref readonly byte source)
    {
        // Widening has spread the sign; only its topmost copy may stay.
        Vector128<uint> bits = Widen(in source).AsUInt32() << Float8E4M3.MantissaShift;
        Vector128<uint> magnitude = bits & Vector128.Create(Float8E4M3.MovedMagnitude);
        Vector128<uint> sign = bits & Vector128.Create(0x8000_0000u);

        // A multiplication could move the exponent bias too, but processors are slow at float denormals, and those of e4m3 would be some.
        Vector128<uint> normal = magnitude + Vector128.Create(Float8E4M3.MovedBiasDifference);
        Vector128<uint> denormal = ((magnitude | Vector128.Create(Float8E4M3.MovedSmallestNormal)).AsSingle() - Vector128.Create(Float8E4M3.SmallestNormal)).AsUInt32();
        Vector128<uint> isDenormal = Vector128.LessThan(magnitude.AsInt32(), Vector128.Create(1 << 23)).AsUInt32();
        return new((Vector128.ConditionalSelect(isDenormal, denormal, normal) | sign).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes128 value, ref float destination) => value._value.StoreUnsafe(ref destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Add(Lanes128 left, Lanes128 right) => new(left._value + right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Multiply(Lanes128 left, Lanes128 right) => new(left._value * right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 MultiplyAdd(Lanes128 left, Lanes128 right, Lanes128 addend) => new(Vector128.MultiplyAddEstimate(left._value, right._value, addend._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Sigmoid(Lanes128 value) => new(VectorMath.Sigmoid(value._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSums(Lanes128 a, Lanes128 b, Lanes128 c, Lanes128 d, ref float destination) =>
        VectorMath.Sums(a._value, b._value, c._value, d._value).StoreUnsafe(ref destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> Widen(ref readonly ushort source) =>
        Vector128.WidenLower(Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<ulong>(ref Unsafe.As<ushort, byte>(ref Unsafe.AsRef(in source)))).AsUInt16());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Widen(ref readonly byte source) =>
        Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<uint>(in source)).AsSByte()));
}
