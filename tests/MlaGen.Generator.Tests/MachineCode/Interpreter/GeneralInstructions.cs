using Iced.Intel;

namespace MlaGen.Tests.MachineCode.Interpreter;

/// <summary>Instructions on general registers, jumps and calls.</summary>
internal static class GeneralInstructions
{
    /// <summary>All that are known.</summary>
    public static Dictionary<Mnemonic, Execute> All { get; } = new()
    {
        [Mnemonic.Mov] = static (state, in i) => state.Write(i, 0, state.Read(i, 1)),
        [Mnemonic.Movzx] = static (state, in i) => state.Write(i, 0, state.Read(i, 1)),
        [Mnemonic.Lea] = static (state, in i) => state.Write(i, 0, state.Address(i)),
        [Mnemonic.Add] = static (state, in i) => Sum(state, i, state.Read(i, 1), keepsCarry: false),
        [Mnemonic.Inc] = static (state, in i) => Sum(state, i, 1, keepsCarry: true),
        [Mnemonic.Sub] = static (state, in i) => state.Write(i, 0, Difference(state, i, state.Read(i, 1), keepsCarry: false)),
        [Mnemonic.Dec] = static (state, in i) => state.Write(i, 0, Difference(state, i, 1, keepsCarry: true)),
        [Mnemonic.Cmp] = static (state, in i) => Difference(state, i, state.Read(i, 1), keepsCarry: false),
        [Mnemonic.Test] = static (state, in i) => Bits(state, i, state.Read(i, 0) & state.Read(i, 1)),
        [Mnemonic.And] = static (state, in i) => state.Write(i, 0, Bits(state, i, state.Read(i, 0) & state.Read(i, 1))),
        [Mnemonic.Or] = static (state, in i) => state.Write(i, 0, Bits(state, i, state.Read(i, 0) | state.Read(i, 1))),
        [Mnemonic.Xor] = static (state, in i) => state.Write(i, 0, Bits(state, i, state.Read(i, 0) ^ state.Read(i, 1))),
        [Mnemonic.Shl] = static (state, in i) => state.Write(i, 0, Bits(state, i, state.Read(i, 0) << (int)(state.Read(i, 1) & 63))),
        [Mnemonic.Shr] = static (state, in i) => state.Write(i, 0, Bits(state, i, state.Read(i, 0) >> (int)(state.Read(i, 1) & 63))),
        [Mnemonic.Imul] = static (state, in i) => state.Write(i, 0, i.OpCount == 3 ? state.Read(i, 1) * state.Read(i, 2) : state.Read(i, 0) * state.Read(i, 1)),
        [Mnemonic.Cmove] = Choose,
        [Mnemonic.Cmovne] = Choose,
        [Mnemonic.Cmovg] = Choose,
        [Mnemonic.Cmovge] = Choose,
        [Mnemonic.Cmovl] = Choose,
        [Mnemonic.Cmovle] = Choose,
        [Mnemonic.Cmova] = Choose,
        [Mnemonic.Cmovae] = Choose,
        [Mnemonic.Cmovb] = Choose,
        [Mnemonic.Cmovbe] = Choose,
        [Mnemonic.Je] = Jump,
        [Mnemonic.Jne] = Jump,
        [Mnemonic.Jg] = Jump,
        [Mnemonic.Jge] = Jump,
        [Mnemonic.Jl] = Jump,
        [Mnemonic.Jle] = Jump,
        [Mnemonic.Ja] = Jump,
        [Mnemonic.Jae] = Jump,
        [Mnemonic.Jb] = Jump,
        [Mnemonic.Jbe] = Jump,
        [Mnemonic.Js] = Jump,
        [Mnemonic.Jns] = Jump,
        [Mnemonic.Jmp] = static (state, in i) => state.Next = i.NearBranchTarget,
        [Mnemonic.Call] = static (state, in i) =>
        {
            state.Push(i.NextIP);
            state.Next = i.NearBranchTarget;
        },
        [Mnemonic.Ret] = static (state, in i) => state.Next = state.Pop(),

        // What is only asked for may lie anywhere.
        [Mnemonic.Prefetcht0] = Nothing,
        [Mnemonic.Prefetcht1] = Nothing,
        [Mnemonic.Prefetcht2] = Nothing,
        [Mnemonic.Prefetchnta] = Nothing,
        [Mnemonic.Prefetchw] = Nothing,
        [Mnemonic.Nop] = Nothing,
    };

    private static void Nothing(ProcessorState state, in Instruction i)
    {
    }

    private static void Jump(ProcessorState state, in Instruction i)
    {
        if (state.Flags.Hold(i.ConditionCode))
        {
            state.Next = i.NearBranchTarget;
        }
    }

    // Its source is read whether it is taken or not, and its target is written: of four bytes the upper four are cleared.
    private static void Choose(ProcessorState state, in Instruction i)
    {
        ulong source = state.Read(i, 1);
        state.Write(i, 0, state.Flags.Hold(i.ConditionCode) ? source : state.Read(i, 0));
    }

    private static void Sum(ProcessorState state, in Instruction i, ulong addend, bool keepsCarry)
    {
        ulong before = state.Read(i, 0);
        int shift = Shift(i);
        ulong sum = (before << shift) + (addend << shift);
        bool carry = keepsCarry ? state.Flags.Carry : sum < before << shift;
        state.Flags = new Flags(sum == 0, (long)sum < 0, carry, (long)(((before << shift) ^ sum) & ((addend << shift) ^ sum)) < 0);
        state.Write(i, 0, before + addend);
    }

    private static ulong Difference(ProcessorState state, in Instruction i, ulong subtrahend, bool keepsCarry)
    {
        ulong before = state.Read(i, 0);
        int shift = Shift(i);
        (ulong one, ulong other) = (before << shift, subtrahend << shift);
        state.Flags = new Flags(one == other, (long)(one - other) < 0, keepsCarry ? state.Flags.Carry : one < other, (long)((one ^ other) & (one ^ (one - other))) < 0);
        return before - subtrahend;
    }

    private static ulong Bits(ProcessorState state, in Instruction i, ulong value)
    {
        ulong compared = value << Shift(i);
        state.Flags = new Flags(compared == 0, (long)compared < 0, Carry: false, Overflow: false);
        return value;
    }

    /// <summary>What brings the operand's upper bit to the word's.</summary>
    private static int Shift(in Instruction i) => 64 - (8 * ProcessorState.Bytes(i, 0));
}
