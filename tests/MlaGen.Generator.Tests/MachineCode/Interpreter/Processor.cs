using Iced.Intel;

namespace MlaGen.Tests.MachineCode.Interpreter;

/// <summary>
/// Executes routines instruction by instruction, on machines that could not run them, too, and by the processor's own arithmetic: the same bits. An error is whatever
/// a routine must not do: touch memory that belongs to nobody, or write to what is only read; use a tile that is not configured, or multiply tiles whose
/// shapes do not fit; change a register that the convention preserves; come back with tiles configured or with the upper parts of vectors in use; not come back.
/// </summary>
/// <remarks>
/// Covered are general instructions (moves, arithmetic with flags, conditional moves and jumps, calls), vectors of any length with broadcasts and masks
/// (moves, permutations, arithmetic, conversions of bfloat16 and float16, <c>vdpbf16ps</c>), and tiles (configuration, loads, stores, <c>tdpbf16ps</c>).
/// An instruction more is a line in the table of its kind: <see cref="GeneralInstructions"/>, <see cref="VectorInstructions"/> or <see cref="TileInstructions"/>.
/// Memory has addresses of its own (<see cref="AddressSpace"/>): what a routine is given as an address is what <see cref="Add"/> returned.
/// </remarks>
internal sealed class Processor
{
    private const ulong CodeStart = 0x1_0000;
    private const int StackBytes = 4096;
    private const int CallersBytes = 256;
    private const ulong ReturnAddress = 0x6EAD_0000;
    private const int KeptVectorBytes = 16;

    /// <summary>More than any routine of a test takes: one that runs longer does not end.</summary>
    private const long MostInstructions = 1_000_000_000;

    private readonly byte[] _code;
    private readonly AddressSpace _memory = new();
    private readonly Dictionary<ulong, (Instruction Instruction, Execute Execute)> _decoded = [];
    private readonly ulong _stackEnd;

    /// <summary>Takes a routine.</summary>
    /// <param name="code">Its bytes, those of its constants included.</param>
    public Processor(byte[] code)
    {
        _code = code;
        _memory.Add("code", CodeStart, code, isReadOnly: true);
        _stackEnd = _memory.Add("stack", new byte[StackBytes], isReadOnly: false) + StackBytes;
    }

    /// <summary>Instructions that were executed, by what they are.</summary>
    public Dictionary<Mnemonic, int> Executed { get; } = [];

    /// <summary>Memory of its own, far from any other.</summary>
    /// <param name="name">What messages call it.</param>
    /// <param name="bytes">The bytes, which stay the caller's.</param>
    /// <param name="isReadOnly">Whether the routine may only read them.</param>
    /// <returns>Its address.</returns>
    public ulong Add(string name, byte[] bytes, bool isReadOnly) => _memory.Add(name, bytes, isReadOnly);

    /// <summary>Calls the code by a convention.</summary>
    /// <param name="entry">Where it is entered.</param>
    /// <param name="argument">The address that it is given.</param>
    /// <param name="windows">Whether by Windows' convention; else by System V's.</param>
    /// <exception cref="InvalidOperationException">It did what it must not do.</exception>
    public void Call(int entry, ulong argument, bool windows)
    {
        ProcessorState state = Filled();
        Register[] preserved = windows
            ? [Register.RBX, Register.RBP, Register.RDI, Register.RSI, Register.R12, Register.R13, Register.R14, Register.R15]
            : [Register.RBX, Register.RBP, Register.R12, Register.R13, Register.R14, Register.R15];
        state[windows ? Register.RCX : Register.RDI] = argument;
        state[Register.RSP] = _stackEnd - CallersBytes;
        state.Push(ReturnAddress);
        ProcessorState before = Filled();
        Run(state, CodeStart + (ulong)entry);
        foreach (Register register in preserved)
        {
            Require(state[register] == before[register], $"{register} is not what it was");
        }

        Require(state[Register.RSP] == _stackEnd - CallersBytes, "the stack is not where it was");
        Require(state.Tiles.AreReleased, "the tiles were not released");
        Require(state.Control == before.Control, "the control register of vectors is not what it was");
        for (int i = 0; i < 16; i++)
        {
            Span<byte> vector = state.Vectors[i];
            Require(!vector[KeptVectorBytes..].ContainsAnyExcept((byte)0), "the upper parts of the vectors were not zeroed");
            Require(!windows || i < 6 || vector[..KeptVectorBytes].SequenceEqual(before.Vectors[i].AsSpan(0, KeptVectorBytes)), $"xmm{i} is not what it was");
        }

        static void Require(bool holds, string problem)
        {
            if (!holds)
            {
                throw new InvalidOperationException($"The routine came back, and {problem}.");
            }
        }
    }

    /// <summary>Registers that all hold something, so that none is used before it is written to.</summary>
    private ProcessorState Filled()
    {
        var state = new ProcessorState(_memory);
        for (int i = 0; i < 16; i++)
        {
            state[Register.RAX + i] = 0xABCD_0000_0000_0000 + (ulong)i;
        }

        for (int i = 0; i < state.Vectors.Length; i++)
        {
            Array.Fill(state.Vectors[i], (byte)(0xE0 + i));
        }

        return state;
    }

    private void Run(ProcessorState state, ulong entry)
    {
        state.Next = entry;
        for (long executed = 0; state.Next != ReturnAddress; executed++)
        {
            if (executed == MostInstructions)
            {
                throw new InvalidOperationException($"The routine does not end: after {executed} instructions it is at {state.Next - CodeStart}.");
            }

            (Instruction instruction, Execute execute) = Decode(state.Next);
            Executed[instruction.Mnemonic] = Executed.GetValueOrDefault(instruction.Mnemonic) + 1;
            state.Next = instruction.NextIP;
            try
            {
                execute(state, instruction);
            }
            catch (InvalidOperationException exception)
            {
                throw new InvalidOperationException($"{instruction} at {instruction.IP - CodeStart}: {exception.Message}", exception);
            }
        }
    }

    private (Instruction Instruction, Execute Execute) Decode(ulong address)
    {
        if (!_decoded.TryGetValue(address, out (Instruction, Execute) found))
        {
            int start = (int)Math.Clamp((long)(address - CodeStart), -1, _code.Length);
            if (start < 0 || start == _code.Length)
            {
                throw new InvalidOperationException($"The routine leaves its code: {(long)(address - CodeStart)} of {_code.Length} bytes.");
            }

            Decoder.Create(64, new ByteArrayCodeReader(_code, start, _code.Length - start), address).Decode(out Instruction instruction);
            Execute execute = (GeneralInstructions.All.GetValueOrDefault(instruction.Mnemonic)
                ?? VectorInstructions.All.GetValueOrDefault(instruction.Mnemonic)
                ?? TileInstructions.All.GetValueOrDefault(instruction.Mnemonic))
                ?? throw new InvalidOperationException($"{instruction} at {start}: the interpreter does not know it; its table takes it in a line.");
            _decoded.Add(address, found = (instruction, execute));
        }

        return found;
    }
}

/// <summary>What an instruction does. Where it does not jump, the state's next instruction is already the one behind it.</summary>
internal delegate void Execute(ProcessorState state, in Instruction instruction);
