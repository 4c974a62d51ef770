using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MlaGen.Runtime;

/// <summary>16 floats in one Vector512.</summary>
internal readonly struct Lanes512 : ILanes<Lanes512>
{
    private readonly Vector512<float> _value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Lanes512(Vector512<float> value) => _value = value;

    public static int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 16;
    }

    public static Lanes512 Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(Vector512<float>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Broadcast(float value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Load(ref readonly float source) => new(Vector512.LoadUnsafe(in source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadBFloat16(ref readonly ushort source) => new((Widen(in source) << 16).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadFloat16(ref readonly ushort source)
    {
        Vector512<uint> bits = Widen(in source);
        Vector512<uint> sign = (bits & Vector512.Create(Float16Bits.Sign)) << 16;
        Vector512<uint> magnitude = (bits & Vector512.Create(Float16Bits.Magnitude)) << 13;

        // The multiplication moves the exponent bias and normalises subnormals; infinities and NaN keep a full exponent of their own.
        Vector512<uint> scaled = (magnitude.AsSingle() * Vector512.Create(Float16Bits.BiasShift)).AsUInt32();
        Vector512<uint> special = Vector512.GreaterThanOrEqual(magnitude, Vector512.Create(Float16Bits.InfinityMagnitude)) & Vector512.Create(Float16Bits.FullExponent);
        return new((scaled | special | sign).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadInt8(ref readonly byte source) => new(Vector512.ConvertToSingle(Widen(in source)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadInt4(ref readonly byte source, int lane)
    {
        Vector512<uint> words = Vector512.Create(Unsafe.ReadUnaligned<ulong>(in source)).AsUInt32();
        if (Avx512F.IsSupported)
        {
            // A permutation looks at the lowest four bits of its index alone: a table of the 16 values needs no mask.
            Vector512<uint> shifted = Avx512F.ShiftRightLogicalVariable(words, Vector512.Create(0u, 0, 4, 4, 8, 8, 12, 12, 16, 16, 20, 20, 24, 24, 28, 28));
            return new(Avx512F.PermuteVar16x32(Vector512.Create(0f, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1), shifted.AsInt32()));
        }

        return new(Vector512.Create(Lanes256.Int4(words.GetLower(), 0), Lanes256.Int4(words.GetLower(), 8)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadFloat8(ref readonly byte source)
    {
        // Widening has spread the sign; only its topmost copy may stay. The multiplication moves the exponent bias, exactly. Those of e4m3's denormals are
        // some of float, too, at which many processors are slow; but of weights that were scaled to 448 few are so small, and one that is costs less than
        // to look for it in all.
        Vector512<uint> bits = (Widen(in source).AsUInt32() << Float8E4M3.MantissaShift) & Vector512.Create(Float8E4M3.MovedCode);
        return new(bits.AsSingle() * Vector512.Create(Float8E4M3.Rebias));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes512 value, ref float destination) => value._value.StoreUnsafe(ref destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Add(Lanes512 left, Lanes512 right) => new(left._value + right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Multiply(Lanes512 left, Lanes512 right) => new(left._value * right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 MultiplyAdd(Lanes512 left, Lanes512 right, Lanes512 addend) => new(Vector512.MultiplyAddEstimate(left._value, right._value, addend._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Rectify(Lanes512 value) => new(Vector512.ConditionalSelect(Vector512.LessThan(value._value, Vector512<float>.Zero), Vector512<float>.Zero, value._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Subtract(Lanes512 left, Lanes512 right) => new(left._value - right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Divide(Lanes512 left, Lanes512 right) => new(left._value / right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Max(Lanes512 left, Lanes512 right) => new(Vector512.Max(left._value, right._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Exp(Lanes512 value) => new(VectorMath.Exp(value._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Sigmoid(Lanes512 value) => new(VectorMath.Sigmoid(value._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSums(Lanes512 a, Lanes512 b, Lanes512 c, Lanes512 d, ref float destination) =>
        VectorMath.Sums(a._value, b._value, c._value, d._value).StoreUnsafe(ref destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Widen(ref readonly ushort source) =>
        Vector512.WidenLower(Vector256.LoadUnsafe(in source).ToVector512Unsafe());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Widen(ref readonly byte source) =>
        Vector512.WidenLower(Vector256.WidenLower(Vector128.LoadUnsafe(in source).AsSByte().ToVector256Unsafe()).ToVector512Unsafe());
}
