using System.Runtime.InteropServices;
using Iced.Intel;

namespace MlaGen.Tests.MachineCode.Interpreter;

/// <summary>Instructions on vectors of 128, 256 or 512 bits.</summary>
internal static class VectorInstructions
{
    private const int VectorBytes = ProcessorState.VectorBytes;

    /// <summary>All that are known.</summary>
    public static Dictionary<Mnemonic, Execute> All { get; } = new()
    {
        [Mnemonic.Vzeroupper] = static (state, in i) =>
        {
            foreach (byte[] vector in state.Vectors.Take(16))
            {
                vector.AsSpan(16).Clear();
            }
        },

        [Mnemonic.Stmxcsr] = static (state, in i) => state.Write(i, 0, state.Control),
        [Mnemonic.Ldmxcsr] = static (state, in i) => state.Control = (uint)state.Read(i, 0),

        // Moves: the element is what a mask counts.
        [Mnemonic.Vmovups] = Move<uint>,
        [Mnemonic.Vmovdqu] = Move<uint>,
        [Mnemonic.Vmovdqu8] = Move<byte>,
        [Mnemonic.Vmovdqu16] = Move<ushort>,
        [Mnemonic.Vmovdqu32] = Move<uint>,
        [Mnemonic.Vmovdqu64] = Move<ulong>,
        [Mnemonic.Vmovaps] = MoveAligned<uint>,
        [Mnemonic.Vmovdqa32] = MoveAligned<uint>,
        [Mnemonic.Vmovdqa64] = MoveAligned<ulong>,
        [Mnemonic.Vmovntps] = MoveAligned<uint>,
        [Mnemonic.Vmovntdq] = MoveAligned<uint>,
        [Mnemonic.Kmovw] = static (state, in i) => MoveMask(state, i, ushort.MaxValue),
        [Mnemonic.Kmovd] = static (state, in i) => MoveMask(state, i, uint.MaxValue),
        [Mnemonic.Kmovq] = static (state, in i) => MoveMask(state, i, ulong.MaxValue),

        // One element, or some, in all places.
        [Mnemonic.Vpbroadcastb] = Broadcast<byte>,
        [Mnemonic.Vpbroadcastw] = Broadcast<ushort>,
        [Mnemonic.Vpbroadcastd] = Broadcast<uint>,
        [Mnemonic.Vbroadcastss] = Broadcast<uint>,
        [Mnemonic.Vpbroadcastq] = Broadcast<ulong>,
        [Mnemonic.Vbroadcastf32x4] = Repeat<uint>,
        [Mnemonic.Vbroadcasti32x4] = Repeat<uint>,
        [Mnemonic.Vbroadcastf64x4] = Repeat<ulong>,
        [Mnemonic.Vbroadcasti64x4] = Repeat<ulong>,

        // Permutations.
        [Mnemonic.Vpermt2w] = PermuteTwo<ushort>,
        [Mnemonic.Vpermt2d] = PermuteTwo<uint>,
        [Mnemonic.Vpermt2ps] = PermuteTwo<uint>,
        [Mnemonic.Vpermt2q] = PermuteTwo<ulong>,
        [Mnemonic.Vpermw] = Permute<ushort>,
        [Mnemonic.Vpermd] = Permute<uint>,
        [Mnemonic.Vpermps] = Permute<uint>,
        [Mnemonic.Vpermq] = Permute<ulong>,
        [Mnemonic.Vpunpcklwd] = static (state, in i) => Interleave<ushort>(state, i, isUpper: false),
        [Mnemonic.Vpunpckhwd] = static (state, in i) => Interleave<ushort>(state, i, isUpper: true),
        [Mnemonic.Vpunpckldq] = static (state, in i) => Interleave<uint>(state, i, isUpper: false),
        [Mnemonic.Vpunpckhdq] = static (state, in i) => Interleave<uint>(state, i, isUpper: true),
        [Mnemonic.Vunpcklps] = static (state, in i) => Interleave<uint>(state, i, isUpper: false),
        [Mnemonic.Vunpckhps] = static (state, in i) => Interleave<uint>(state, i, isUpper: true),
        [Mnemonic.Vpunpcklqdq] = static (state, in i) => Interleave<ulong>(state, i, isUpper: false),
        [Mnemonic.Vpunpckhqdq] = static (state, in i) => Interleave<ulong>(state, i, isUpper: true),
        [Mnemonic.Vshufi32x4] = Shuffle,
        [Mnemonic.Vshuff32x4] = Shuffle,

        // Arithmetic, lane by lane.
        [Mnemonic.Vpxord] = static (state, in i) => Lanes<uint>(state, i, static (a, b, _) => a ^ b),
        [Mnemonic.Vpxor] = static (state, in i) => Lanes<uint>(state, i, static (a, b, _) => a ^ b),
        [Mnemonic.Vxorps] = static (state, in i) => Lanes<uint>(state, i, static (a, b, _) => a ^ b),
        [Mnemonic.Vpord] = static (state, in i) => Lanes<uint>(state, i, static (a, b, _) => a | b),
        [Mnemonic.Vpandd] = static (state, in i) => Lanes<uint>(state, i, static (a, b, _) => a & b),
        [Mnemonic.Vpaddd] = static (state, in i) => Lanes<uint>(state, i, static (a, b, _) => a + b),
        [Mnemonic.Vaddps] = static (state, in i) => Lanes<float>(state, i, state.FlushesDenormals ? static (a, b, _) => PairArithmetic.Add(a, b) : static (a, b, _) => a + b),
        [Mnemonic.Vsubps] = static (state, in i) => Lanes<float>(state, i, static (a, b, _) => a - b),
        [Mnemonic.Vmulps] = static (state, in i) => Lanes<float>(state, i, static (a, b, _) => a * b),
        [Mnemonic.Vmaxps] = static (state, in i) => Lanes<float>(state, i, static (a, b, _) => a > b ? a : b),
        [Mnemonic.Vfmadd132ps] = static (state, in i) => Lanes<float>(state, i, static (a, b, target) => MathF.FusedMultiplyAdd(target, b, a)),
        [Mnemonic.Vfmadd213ps] = static (state, in i) => Lanes<float>(state, i, static (a, b, target) => MathF.FusedMultiplyAdd(a, target, b)),
        [Mnemonic.Vfmadd231ps] = static (state, in i) => Lanes<float>(state, i, state.FlushesDenormals ? static (a, b, target) => PairArithmetic.MultiplyAdd(target, a, b) : static (a, b, target) => MathF.FusedMultiplyAdd(a, b, target)),
        [Mnemonic.Vpslld] = static (state, in i) => ShiftLanes(state, i, static (value, by) => value << by),
        [Mnemonic.Vpsrld] = static (state, in i) => ShiftLanes(state, i, static (value, by) => value >> by),

        // Conversions, and products of pairs.
        [Mnemonic.Vpmovzxwd] = static (state, in i) => Convert<ushort, uint>(state, i, static value => value),
        [Mnemonic.Vpmovzxbd] = static (state, in i) => Convert<byte, uint>(state, i, static value => value),
        [Mnemonic.Vpmovsxbd] = static (state, in i) => Convert<sbyte, int>(state, i, static value => value),
        [Mnemonic.Vcvtdq2ps] = static (state, in i) => Convert<int, float>(state, i, static value => value),
        [Mnemonic.Vcvtph2ps] = static (state, in i) => Convert<Half, float>(state, i, static value => (float)value),
        [Mnemonic.Vcvtneps2bf16] = static (state, in i) => Convert<float, ushort>(state, i, PairArithmetic.Round),
        [Mnemonic.Vcvtne2ps2bf16] = RoundTwo,
        [Mnemonic.Vdpbf16ps] = static (state, in i) => Lanes<uint>(state, i, MultiplyPairs),
        [Mnemonic.Vpdpwssd] = static (state, in i) => Lanes<int>(state, i, static (one, other, sum) => unchecked(sum + ((short)one * (short)other) + ((one >> 16) * (other >> 16)))),
    };

    /// <summary>Of a pair the upper elements first, then the lower ones, each added in one rounding.</summary>
    private static uint MultiplyPairs(uint one, uint other, uint sum)
    {
        float upper = PairArithmetic.MultiplyAdd(BitConverter.UInt32BitsToSingle(sum), (ushort)(one >> 16), (ushort)(other >> 16));
        return BitConverter.SingleToUInt32Bits(PairArithmetic.MultiplyAdd(upper, (ushort)one, (ushort)other));
    }

    private static void Move<T>(ProcessorState state, in Instruction i)
        where T : unmanaged
    {
        if (i.Op0Kind == OpKind.Memory)
        {
            Span<T> source = Elements<T>(state.Vectors[i.Op1Register.GetNumber()])[..Count<T>(i.Op1Register)];
            ulong address = state.Address(i);
            for (int lane = 0; lane < source.Length; lane++)
            {
                if (IsSelected(state, i, lane))
                {
                    int bytes = Marshal.SizeOf<T>();
                    MemoryMarshal.Write(state.Memory.Write(address + (ulong)(lane * bytes), bytes), source[lane]);
                }
            }

            return;
        }

        Write(state, i, Source<T>(state, i, 1, Count<T>(i.Op0Register)));
    }

    private static void MoveAligned<T>(ProcessorState state, in Instruction i)
        where T : unmanaged
    {
        int bytes = (i.Op0Kind == OpKind.Memory ? i.Op1Register : i.Op0Register).GetSize();
        if ((i.Op0Kind == OpKind.Memory || i.Op1Kind == OpKind.Memory) && state.Address(i) % (ulong)bytes != 0)
        {
            throw new InvalidOperationException($"the address is no multiple of {bytes}.");
        }

        Move<T>(state, i);
    }

    private static void MoveMask(ProcessorState state, in Instruction i, ulong bits)
    {
        ulong value = (IsMask(i.Op1Register) ? state.Masks[i.Op1Register - Register.K0] : state.Read(i, 1)) & bits;
        if (IsMask(i.Op0Register))
        {
            state.Masks[i.Op0Register - Register.K0] = value;
        }
        else
        {
            state.Write(i, 0, value);
        }

        static bool IsMask(Register register) => register is >= Register.K0 and <= Register.K7;
    }

    private static void Broadcast<T>(ProcessorState state, in Instruction i)
        where T : unmanaged
    {
        T[] result = new T[Count<T>(i.Op0Register)];
        if (i.Op1Kind == OpKind.Register && i.Op1Register.IsGPR())
        {
            ulong value = state.Read(i, 1);
            Array.Fill(result, MemoryMarshal.Read<T>(BitConverter.GetBytes(value)));
        }
        else
        {
            Array.Fill(result, Source<T>(state, i, 1, 1)[0]);
        }

        Write<T>(state, i, result);
    }

    private static void Repeat<T>(ProcessorState state, in Instruction i)
        where T : unmanaged
    {
        T[] part = Source<T>(state, i, 1, i.MemorySize.GetSize() / Marshal.SizeOf<T>());
        Write<T>(state, i, [.. Enumerable.Range(0, Count<T>(i.Op0Register)).Select(lane => part[lane % part.Length])]);
    }

    private static void PermuteTwo<T>(ProcessorState state, in Instruction i)
        where T : unmanaged
    {
        int count = Count<T>(i.Op0Register);
        T[] both = [.. Source<T>(state, i, 0, count), .. Source<T>(state, i, 2, count)];
        Write<T>(state, i, [.. Source<T>(state, i, 1, count).Select(place => both[Place(place, both.Length)])]);
    }

    private static void Permute<T>(ProcessorState state, in Instruction i)
        where T : unmanaged
    {
        if (i.Op2Kind == OpKind.Immediate8)
        {
            throw new InvalidOperationException("permutations by a constant are not known to the interpreter.");
        }

        int count = Count<T>(i.Op0Register);
        T[] source = Source<T>(state, i, 2, count);
        Write<T>(state, i, [.. Source<T>(state, i, 1, count).Select(place => source[Place(place, count)])]);
    }

    private static int Place<T>(T place, int places)
        where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(ref place))[0] & (places - 1);

    /// <summary>The lower or the upper halves of each 128 bits of two vectors, element by element.</summary>
    private static void Interleave<T>(ProcessorState state, in Instruction i, bool isUpper)
        where T : unmanaged
    {
        int count = Count<T>(i.Op0Register);
        int part = 16 / Marshal.SizeOf<T>();
        T[] one = Source<T>(state, i, 1, count);
        T[] other = Source<T>(state, i, 2, count);
        T[] result = new T[count];
        for (int lane = 0; lane < count; lane++)
        {
            int place = (lane / part * part) + (isUpper ? part / 2 : 0) + (lane % part / 2);
            result[lane] = (lane % 2 == 0 ? one : other)[place];
        }

        Write<T>(state, i, result);
    }

    /// <summary>Quarters of a vector: the lower two from one, the upper two from the other.</summary>
    private static void Shuffle(ProcessorState state, in Instruction i)
    {
        int count = Count<uint>(i.Op0Register);
        if (count != 16)
        {
            throw new InvalidOperationException("shuffles of short vectors are not known to the interpreter.");
        }

        uint[] one = Source<uint>(state, i, 1, count);
        uint[] other = Source<uint>(state, i, 2, count);
        int places = i.Immediate8;
        Write<uint>(state, i, [.. Enumerable.Range(0, count).Select(lane => (lane < 8 ? one : other)[(4 * ((places >> (lane / 4 * 2)) & 3)) + (lane % 4)])]);
    }

    private static void Lanes<T>(ProcessorState state, in Instruction i, Func<T, T, T, T> compute)
        where T : unmanaged
    {
        int count = Count<T>(i.Op0Register);
        T[] one = Source<T>(state, i, 1, count);
        T[] other = Source<T>(state, i, 2, count);
        T[] target = Source<T>(state, i, 0, count);
        for (int lane = 0; lane < count; lane++)
        {
            target[lane] = compute(one[lane], other[lane], target[lane]);
        }

        Write<T>(state, i, target);
    }

    private static void ShiftLanes(ProcessorState state, in Instruction i, Func<uint, int, uint> shift)
    {
        int by = i.Op2Kind == OpKind.Immediate8 ? i.Immediate8 : throw new InvalidOperationException("shifts by a vector are not known to the interpreter.");
        Write<uint>(state, i, [.. Source<uint>(state, i, 1, Count<uint>(i.Op0Register)).Select(value => by > 31 ? 0 : shift(value, by))]);
    }

    /// <summary>As many elements as the longer of both sides has.</summary>
    private static void Convert<TFrom, TTo>(ProcessorState state, in Instruction i, Func<TFrom, TTo> convert)
        where TFrom : unmanaged
        where TTo : unmanaged
    {
        // Of a source that is longer than its target, its own length counts.
        int bytes = Marshal.SizeOf<TFrom>() > Marshal.SizeOf<TTo>() ? ProcessorState.Bytes(i, 1) : i.Op0Register.GetSize();
        int count = bytes / Math.Max(Marshal.SizeOf<TFrom>(), Marshal.SizeOf<TTo>());
        Write<TTo>(state, i, [.. Source<TFrom>(state, i, 1, count).Select(convert)]);
    }

    private static void RoundTwo(ProcessorState state, in Instruction i)
    {
        int count = Count<float>(i.Op0Register);
        Write<ushort>(state, i, [.. Source<float>(state, i, 2, count).Concat(Source<float>(state, i, 1, count)).Select(PairArithmetic.Round)]);
    }

    /// <summary>Elements of an operand: of a register, of memory, or one of memory in all places. Elements that a mask leaves out are not read from memory.</summary>
    private static T[] Source<T>(ProcessorState state, in Instruction i, int operand, int count)
        where T : unmanaged
    {
        if (i.GetOpKind(operand) != OpKind.Memory)
        {
            return Elements<T>(state.Vectors[i.GetOpRegister(operand).GetNumber()])[..count].ToArray();
        }

        int bytes = Marshal.SizeOf<T>();
        ulong address = state.Address(i);
        T[] result = new T[count];
        if (i.IsBroadcast)
        {
            Array.Fill(result, MemoryMarshal.Read<T>(state.Memory.Read(address, bytes)));
        }
        else if (i.OpMask == Register.None)
        {
            state.Memory.Read(address, count * bytes).CopyTo(MemoryMarshal.AsBytes(result.AsSpan()));
        }
        else
        {
            for (int lane = 0; lane < count; lane++)
            {
                result[lane] = IsSelected(state, i, lane) ? MemoryMarshal.Read<T>(state.Memory.Read(address + (ulong)(lane * bytes), bytes)) : default;
            }
        }

        return result;
    }

    /// <summary>Writes a vector: places that a mask leaves out are kept or cleared, what lies behind the vector is cleared.</summary>
    private static void Write<T>(ProcessorState state, in Instruction i, ReadOnlySpan<T> result)
        where T : unmanaged
    {
        if (i.Op0Kind != OpKind.Register || i.RoundingControl != RoundingControl.None)
        {
            throw new InvalidOperationException("this form of it is not known to the interpreter.");
        }

        Span<T> target = Elements<T>(state.Vectors[i.Op0Register.GetNumber()]);
        for (int lane = 0; lane < target.Length; lane++)
        {
            if (lane >= result.Length)
            {
                target[lane] = default;
            }
            else if (IsSelected(state, i, lane))
            {
                target[lane] = result[lane];
            }
            else if (i.ZeroingMasking)
            {
                target[lane] = default;
            }
        }
    }

    private static bool IsSelected(ProcessorState state, in Instruction i, int lane) => i.OpMask == Register.None || (state.Masks[i.OpMask - Register.K0] >> lane & 1) != 0;

    private static Span<T> Elements<T>(byte[] vector)
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(vector.AsSpan(0, VectorBytes));

    private static int Count<T>(Register register)
        where T : unmanaged => register.GetSize() / Marshal.SizeOf<T>();
}
