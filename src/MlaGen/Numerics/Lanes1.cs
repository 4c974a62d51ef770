using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>One float: the tier of processors without vectors.</summary>
internal readonly struct Lanes1(float value) : ILanes<Lanes1>
{
    private readonly float _value = value;

    public static int Count => 1;

    public static Lanes1 Zero => new(0);

    public static Lanes1 Broadcast(float value) => new(value);

    public static Lanes1 Load(ref readonly float source) => new(source);

    public static Lanes1 LoadBFloat16(ref readonly ushort source) => new(BitConverter.UInt32BitsToSingle((uint)source << 16));

    public static Lanes1 LoadFloat16(ref readonly ushort source) => new((float)Unsafe.BitCast<ushort, Half>(source));

    public static Lanes1 LoadInt8(ref readonly byte source) => new((sbyte)source);

    public static Lanes1 LoadInt4(ref readonly byte source, int lane)
    {
        int bits = Unsafe.Add(ref Unsafe.AsRef(in source), (lane % 2 * sizeof(uint)) + (lane / 4)) >> (lane / 2 % 2 * 4);
        return new(((bits & 15) ^ 8) - 8);
    }

    public static Lanes1 LoadFloat8(ref readonly byte source) => new(Float8E4M3.ToSingle(source));

    public static void Store(Lanes1 value, ref float destination) => destination = value._value;

    public static Lanes1 Add(Lanes1 left, Lanes1 right) => new(left._value + right._value);

    public static Lanes1 Multiply(Lanes1 left, Lanes1 right) => new(left._value * right._value);

    public static Lanes1 MultiplyAdd(Lanes1 left, Lanes1 right, Lanes1 addend) => new(float.MultiplyAddEstimate(left._value, right._value, addend._value));

    public static Lanes1 Sigmoid(Lanes1 value) => new(VectorMath.Sigmoid(value._value));

    public static void StoreSums(Lanes1 a, Lanes1 b, Lanes1 c, Lanes1 d, ref float destination)
    {
        destination = a._value;
        Unsafe.Add(ref destination, 1) = b._value;
        Unsafe.Add(ref destination, 2) = c._value;
        Unsafe.Add(ref destination, 3) = d._value;
    }
}
