namespace MlaGen.Tests.MachineCode.Interpreter;

/// <summary>
/// Arithmetic of instructions on bfloat16, as Intel's manual defines it: rounded to the nearest with halves to even, denormal operands and results taken
/// as zeros, whatever the control register says.
/// </summary>
internal static class PairArithmetic
{
    /// <summary>A float of the upper half of its bits.</summary>
    public static float Single(ushort value) => BitConverter.UInt32BitsToSingle((uint)value << 16);

    /// <summary><c>sum + one · other</c>, rounded once.</summary>
    public static float MultiplyAdd(float sum, ushort one, ushort other) => MultiplyAdd(sum, Single(one), Single(other));

    /// <summary>The same of floats.</summary>
    public static float MultiplyAdd(float sum, float one, float other) => Flushed(MathF.FusedMultiplyAdd(Flushed(one), Flushed(other), Flushed(sum)));

    /// <summary><c>one + other</c>.</summary>
    public static float Add(float one, float other) => Flushed(Flushed(one) + Flushed(other));

    /// <summary>The nearest bfloat16.</summary>
    public static ushort Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(Flushed(value));
        return (ushort)((float.IsNaN(value) ? bits | 0x40_0000 : bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    private static float Flushed(float value) => float.IsSubnormal(value) ? MathF.CopySign(0, value) : value;
}
