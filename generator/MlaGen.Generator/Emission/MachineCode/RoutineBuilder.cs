using System.Globalization;
using Iced.Intel;
using MlaGen.Generator.Model;
using static Iced.Intel.AssemblerRegisters;

namespace MlaGen.Generator.Emission.MachineCode;

/// <summary>
/// Assembles one routine: two entries before one body, which finds the address of its arguments in rcx. The body uses registers alone that neither
/// convention preserves (rax, rcx, rdx, r8 to r11, and all vectors; of these Windows' entry keeps the ten that it must), calls nothing and ends in a return.
/// </summary>
internal sealed class RoutineBuilder
{
    private const int FirstPreserved = 6;
    private const int Preserved = 10;
    private const int PreservedBytes = 16;

    // What keeps the stack aligned to 16 bytes behind the return address.
    private const int FrameBytes = (Preserved * PreservedBytes) + 8;

    private readonly List<(Label Label, string Name)> _labels = [];
    private readonly List<(Label Label, string Name, byte[] Bytes)> _constants = [];

    private RoutineBuilder()
    {
    }

    /// <summary>Takes the body's instructions.</summary>
    public Assembler Code { get; } = new(64);

    /// <summary>Assembles a routine.</summary>
    /// <param name="body">Writes the body but for its end.</param>
    /// <param name="end">Writes what releases the state of the processor.</param>
    public static Routine Assemble(Action<RoutineBuilder> body, Action<Assembler> end)
    {
        var builder = new RoutineBuilder();
        Assembler code = builder.Code;
        code.mov(rcx, rdi);
        Label begin = builder.Begin("body");
        body(builder);
        end(code);
        code.ret();
        Label windows = builder.Begin("windows");
        code.sub(rsp, FrameBytes);
        for (int i = 0; i < Preserved; i++)
        {
            code.vmovups(__xmmword_ptr[rsp + (PreservedBytes * i)], Vector128(FirstPreserved + i));
        }

        code.call(begin);
        for (int i = 0; i < Preserved; i++)
        {
            code.vmovups(Vector128(FirstPreserved + i), __xmmword_ptr[rsp + (PreservedBytes * i)]);
        }

        code.add(rsp, FrameBytes);
        code.ret();
        return builder.Finish(windows);
    }

    /// <summary>A vector of 512 bits.</summary>
    public static AssemblerRegisterZMM Vector(int index) => new(Register.ZMM0 + index);

    /// <summary>Begins a part of the code that is jumped to.</summary>
    public Label Begin(string name)
    {
        Label label = Code.CreateLabel(name);
        Code.Label(ref label);
        _labels.Add((label, name));
        return label;
    }

    /// <summary>A part of the code that is jumped to from before it.</summary>
    public Label Later(string name) => Code.CreateLabel(name);

    /// <summary>Begins a part of the code that was jumped to.</summary>
    public void Begin(Label label, string name)
    {
        Code.Label(ref label);
        _labels.Add((label, name));
    }

    /// <summary>A constant behind the code.</summary>
    public Label Constant(string name, byte[] bytes)
    {
        Label label = Code.CreateLabel(name);
        _constants.Add((label, name, bytes));
        return label;
    }

    private static AssemblerRegisterXMM Vector128(int index) => new(Register.XMM0 + index);

    private Routine Finish(Label windows)
    {
        const int LineBytes = 16;
        int firstConstant = _labels.Count;
        foreach ((Label label, string name, byte[] bytes) in _constants)
        {
            Label begin = label;
            Code.Label(ref begin);
            Code.db(bytes);
            _labels.Add((begin, name));
        }

        using var stream = new MemoryStream();
        AssemblerResult result = Code.Assemble(new StreamCodeWriter(stream), rip: 0, BlockEncoderOptions.ReturnNewInstructionOffsets);
        byte[] assembled = stream.ToArray();
        var names = new Dictionary<ulong, string>();
        foreach ((Label label, string name) in _labels)
        {
            names.Add(result.GetLabelRIP(label), name);
        }

        int end = _constants.Count == 0 ? assembled.Length : (int)result.GetLabelRIP(_labels[firstConstant].Label);
        var lines = new List<RoutineLine>();
        var formatter = new IntelFormatter(new Names(names));
        formatter.Options.SpaceAfterOperandSeparator = true;
        formatter.Options.RipRelativeAddresses = true;
        formatter.Options.HexPrefix = "0x";
        formatter.Options.HexSuffix = string.Empty;
        formatter.Options.UppercaseHex = false;
        formatter.Options.NumberBase = NumberBase.Decimal;
        var text = new StringOutput();
        var decoder = Decoder.Create(64, new ByteArrayCodeReader(assembled, 0, end), ip: 0);
        while (decoder.IP < (ulong)end)
        {
            int start = (int)decoder.IP;
            decoder.Decode(out Instruction instruction);
            formatter.Format(instruction, text);
            lines.Add(Line(start, instruction.Length, text.ToStringAndReset(), isData: false));
        }

        for (int start = end; start < assembled.Length; start += LineBytes)
        {
            int length = Math.Min(LineBytes, assembled.Length - start);
            lines.Add(Line(start, length, "constant", isData: true));
        }

        return new Routine(new EquatableArray<RoutineLine>(lines), (int)result.GetLabelRIP(windows));

        RoutineLine Line(int start, int length, string what, bool isData)
            => new(names.TryGetValue((ulong)start, out string name) ? name : null, new EquatableArray<byte>(assembled.Skip(start).Take(length)), what, isData);
    }

    /// <summary>Names jumps and constants in the listing.</summary>
    private sealed class Names(Dictionary<ulong, string> names) : ISymbolResolver
    {
        public bool TryGetSymbol(in Instruction instruction, int operand, int instructionOperand, ulong address, int addressSize, out SymbolResult symbol)
        {
            bool isAddress = instruction.IsJccShortOrNear || instruction.IsCallNear || instruction.IsIPRelativeMemoryOperand;
            bool found = names.TryGetValue(address, out string name) && isAddress;
            symbol = found ? new SymbolResult(address, name) : default;
            return found;
        }
    }
}
