using System.Buffers.Binary;
using Iced.Intel;

namespace MlaGen.Tests.MachineCode.Interpreter;

/// <summary>Registers, flags and memory, and how an instruction's operands are read and written.</summary>
internal sealed class ProcessorState(AddressSpace memory)
{
    /// <summary>Bytes of a whole vector.</summary>
    public const int VectorBytes = 64;

    /// <summary>Nothing is trapped, nothing flushed.</summary>
    private const uint InitialControl = 0x1F80;

    private const uint FlushingControl = 0x8040;

    private readonly ulong[] _general = new ulong[16];

    /// <summary>Memory.</summary>
    public AddressSpace Memory { get; } = memory;

    /// <summary>Vectors, of which shorter ones are the lower parts.</summary>
    public byte[][] Vectors { get; } = [.. Enumerable.Range(0, 32).Select(_ => new byte[VectorBytes])];

    /// <summary>Masks k0 to k7.</summary>
    public ulong[] Masks { get; } = new ulong[8];

    /// <summary>Tiles.</summary>
    public TileState Tiles { get; } = new();

    /// <summary>What the last instruction that compares left.</summary>
    public Flags Flags { get; set; }

    /// <summary>The control register of vectors; of its bits those count that flush denormals.</summary>
    public uint Control { get; set; } = InitialControl;

    /// <summary>Whether denormal operands and results are taken as zeros.</summary>
    public bool FlushesDenormals => (Control & FlushingControl) switch
    {
        0 => false,
        FlushingControl => true,
        _ => throw new InvalidOperationException("denormals are flushed of operands or of results alone, which is not known to the interpreter."),
    };

    /// <summary>Address of the next instruction.</summary>
    public ulong Next { get; set; }

    /// <summary>A general register, whole.</summary>
    public ulong this[Register register]
    {
        get => _general[register - Register.RAX];
        set => _general[register - Register.RAX] = value;
    }

    /// <summary>Address of the memory operand.</summary>
    public ulong Address(in Instruction i)
        => i.IsIPRelativeMemoryOperand
            ? i.IPRelativeMemoryAddress
            : (i.MemoryBase == Register.None ? 0 : this[i.MemoryBase]) + Index(i) + i.MemoryDisplacement64;

    /// <summary>What the index of the memory operand comes to: of tiles, bytes from a row to the next.</summary>
    public ulong Index(in Instruction i) => i.MemoryIndex == Register.None ? 0 : this[i.MemoryIndex] * (ulong)i.MemoryIndexScale;

    /// <summary>A general operand.</summary>
    public ulong Read(in Instruction i, int operand) => i.GetOpKind(operand) switch
    {
        OpKind.Register => this[i.GetOpRegister(operand).GetFullRegister()] & Mask(i.GetOpRegister(operand).GetSize()),
        OpKind.Memory => Extended(Memory.Read(Address(i), i.MemorySize.GetSize())),
        _ => i.GetImmediate(operand),
    };

    /// <summary>Writes a general operand. Four bytes clear the upper four of their register.</summary>
    public void Write(in Instruction i, int operand, ulong value)
    {
        if (i.GetOpKind(operand) == OpKind.Memory)
        {
            Span<byte> word = stackalloc byte[sizeof(ulong)];
            BinaryPrimitives.WriteUInt64LittleEndian(word, value);
            int bytes = i.MemorySize.GetSize();
            word[..bytes].CopyTo(Memory.Write(Address(i), bytes));
            return;
        }

        Register register = i.GetOpRegister(operand);
        if (register.GetSize() < sizeof(uint))
        {
            throw new InvalidOperationException("parts of a register are not written to.");
        }

        this[register.GetFullRegister()] = value & Mask(register.GetSize());
    }

    /// <summary>Bytes of the operand that an instruction compares or computes by.</summary>
    public static int Bytes(in Instruction i, int operand) => i.GetOpKind(operand) == OpKind.Memory ? i.MemorySize.GetSize() : i.GetOpRegister(operand).GetSize();

    /// <summary>Puts a word on the stack.</summary>
    public void Push(ulong value)
    {
        this[Register.RSP] -= sizeof(ulong);
        BinaryPrimitives.WriteUInt64LittleEndian(Memory.Write(this[Register.RSP], sizeof(ulong)), value);
    }

    /// <summary>Takes a word from the stack.</summary>
    public ulong Pop()
    {
        ulong value = BinaryPrimitives.ReadUInt64LittleEndian(Memory.Read(this[Register.RSP], sizeof(ulong)));
        this[Register.RSP] += sizeof(ulong);
        return value;
    }

    private static ulong Mask(int bytes) => bytes == sizeof(ulong) ? ulong.MaxValue : (1ul << (8 * bytes)) - 1;

    private static ulong Extended(ReadOnlySpan<byte> bytes)
    {
        Span<byte> word = stackalloc byte[sizeof(ulong)];
        word.Clear();
        bytes.CopyTo(word);
        return BinaryPrimitives.ReadUInt64LittleEndian(word);
    }
}

/// <summary>What comparisons leave.</summary>
internal readonly record struct Flags(bool Zero, bool Sign, bool Carry, bool Overflow)
{
    /// <summary>Whether a condition holds.</summary>
    public bool Hold(ConditionCode condition) => condition switch
    {
        ConditionCode.e => Zero,
        ConditionCode.ne => !Zero,
        ConditionCode.b => Carry,
        ConditionCode.ae => !Carry,
        ConditionCode.be => Carry || Zero,
        ConditionCode.a => !Carry && !Zero,
        ConditionCode.s => Sign,
        ConditionCode.ns => !Sign,
        ConditionCode.l => Sign != Overflow,
        ConditionCode.ge => Sign == Overflow,
        ConditionCode.le => Zero || Sign != Overflow,
        ConditionCode.g => !Zero && Sign == Overflow,
        _ => throw new InvalidOperationException($"the condition {condition} is not known to the interpreter."),
    };
}
