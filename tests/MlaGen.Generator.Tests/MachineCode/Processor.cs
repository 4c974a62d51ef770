using System.Buffers.Binary;
using Iced.Intel;

namespace MlaGen.Generator.Tests.MachineCode;

/// <summary>
/// Executes the few instructions that routines consist of, on memory of which every byte belongs to a named region: what is read or written elsewhere, any
/// other instruction, and a register that a convention preserves and that has changed are errors. So routines run in tests on machines that cannot run them.
/// </summary>
internal sealed class Processor
{
    private const ulong CodeStart = 0x10000;
    private const ulong StackEnd = 0x7000_0000;
    private const ulong StackBytes = 4096;
    private const ulong ReturnAddress = 0x6EAD_0000;
    private const int VectorBytes = 64;
    private const int TileRows = 16;

    private readonly byte[] _code;
    private readonly List<Region> _regions = [];
    private readonly ulong[] _general = new ulong[16];
    private readonly byte[][] _vectors = [.. Enumerable.Range(0, 32).Select(_ => new byte[VectorBytes])];
    private readonly byte[][] _tiles = [.. Enumerable.Range(0, 8).Select(_ => new byte[TileRows * VectorBytes])];
    private bool _tilesConfigured;
    private bool _upperZeroed;
    private long _comparison;
    private ulong _next = StackEnd + 0x100_0000;

    public Processor(byte[] code)
    {
        _code = code;
        _regions.Add(new Region("code", CodeStart, code, IsReadOnly: true));
        _regions.Add(new Region("stack", StackEnd - StackBytes, new byte[StackBytes], IsReadOnly: false));
    }

    /// <summary>Instructions that were executed, by what they are.</summary>
    public Dictionary<Mnemonic, int> Executed { get; } = [];

    /// <summary>Memory of its own, far from any other.</summary>
    public ulong Add(string name, byte[] bytes, bool isReadOnly)
    {
        ulong start = _next;
        _regions.Add(new Region(name, start, bytes, isReadOnly));
        _next += (ulong)bytes.Length + 0x10_0000;
        return start;
    }

    /// <summary>Calls the code by a convention.</summary>
    /// <param name="entry">Where it is entered.</param>
    /// <param name="argument">The address that it is given.</param>
    /// <param name="windows">Whether by Windows' convention; else by System V's.</param>
    public void Call(int entry, ulong argument, bool windows)
    {
        for (int i = 0; i < _general.Length; i++)
        {
            _general[i] = 0xABCD_0000_0000_0000 + (ulong)i;
        }

        foreach ((byte[] vector, int i) in _vectors.Select((vector, i) => (vector, i)))
        {
            Array.Fill(vector, (byte)(i + 1));
        }

        _general[(windows ? Register.RCX : Register.RDI) - Register.RAX] = argument;
        ref ulong stack = ref _general[Register.RSP - Register.RAX];
        stack = StackEnd - 256 - 8;
        ulong before = stack;
        BinaryPrimitives.WriteUInt64LittleEndian(Memory(stack, 8, write: true), ReturnAddress);
        (ulong[] general, byte[][] vectors) = ([.. _general], [.. _vectors.Select(vector => vector.ToArray())]);
        Run((ulong)entry);
        Register[] preserved = windows
            ? [Register.RBX, Register.RBP, Register.RDI, Register.RSI, Register.R12, Register.R13, Register.R14, Register.R15]
            : [Register.RBX, Register.RBP, Register.R12, Register.R13, Register.R14, Register.R15];
        Assert.All(preserved, register => Assert.Equal(general[register - Register.RAX], _general[register - Register.RAX]));
        Assert.Equal(before + 8, _general[Register.RSP - Register.RAX]);
        if (windows)
        {
            Assert.All(Enumerable.Range(6, 10), i => Assert.Equal(vectors[i][..16], _vectors[i][..16]));
        }

        Assert.True(_upperZeroed, "The upper halves of the vectors were not zeroed.");
        Assert.False(_tilesConfigured, "The tiles were not released.");
    }

    private void Run(ulong entry)
    {
        var decoder = Decoder.Create(64, new ByteArrayCodeReader(_code), CodeStart);
        var decoded = new Dictionary<ulong, Instruction>();
        ulong ip = CodeStart + entry;
        while (ip != ReturnAddress)
        {
            if (!decoded.TryGetValue(ip, out Instruction instruction))
            {
                decoder = Decoder.Create(64, new ByteArrayCodeReader(_code, (int)(ip - CodeStart), _code.Length - (int)(ip - CodeStart)), ip);
                decoder.Decode(out instruction);
                decoded.Add(ip, instruction);
            }

            Executed[instruction.Mnemonic] = Executed.GetValueOrDefault(instruction.Mnemonic) + 1;
            ip = Step(instruction);
        }
    }

    private ulong Step(in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Mov:
                Write(i, 0, Read(i, 1));
                break;
            case Mnemonic.Add:
                Write(i, 0, Compared(Read(i, 0) + Read(i, 1)));
                break;
            case Mnemonic.Sub:
                Write(i, 0, Compared(Read(i, 0) - Read(i, 1)));
                break;
            case Mnemonic.Dec:
                Write(i, 0, Compared(Read(i, 0) - 1));
                break;
            case Mnemonic.Cmp:
                Compared(Read(i, 0) - Read(i, 1));
                break;
            case Mnemonic.Cmovg:
                if (_comparison > 0)
                {
                    Write(i, 0, Read(i, 1));
                }

                break;
            case Mnemonic.Cmove:
                if (_comparison == 0)
                {
                    Write(i, 0, Read(i, 1));
                }

                break;
            case Mnemonic.Jne:
                return _comparison != 0 ? i.NearBranchTarget : i.NextIP;
            case Mnemonic.Jg:
                return _comparison > 0 ? i.NearBranchTarget : i.NextIP;
            case Mnemonic.Call:
                _general[Register.RSP - Register.RAX] -= 8;
                BinaryPrimitives.WriteUInt64LittleEndian(Memory(_general[Register.RSP - Register.RAX], 8, write: true), i.NextIP);
                return i.NearBranchTarget;
            case Mnemonic.Ret:
                ulong back = BinaryPrimitives.ReadUInt64LittleEndian(Memory(_general[Register.RSP - Register.RAX], 8, write: false));
                _general[Register.RSP - Register.RAX] += 8;
                return back;
            case Mnemonic.Prefetcht0 or Mnemonic.Prefetcht1:
                break;
            default:
                StepVector(i);
                break;
        }

        return i.NextIP;
    }

    private void StepVector(in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Vzeroupper:
                _upperZeroed = true;
                break;
            case Mnemonic.Tilerelease:
                _tilesConfigured = false;
                break;
            case Mnemonic.Ldtilecfg:
                CheckConfiguration(Memory(Address(i), VectorBytes, write: false));
                _tilesConfigured = true;
                break;
            case Mnemonic.Tilezero:
                Array.Clear(Tile(i.Op0Register));
                break;
            case Mnemonic.Tileloadd or Mnemonic.Tileloaddt1:
                EachTileRow(i, Tile(i.Op0Register), write: false);
                break;
            case Mnemonic.Tilestored:
                EachTileRow(i, Tile(i.Op1Register), write: true);
                break;
            case Mnemonic.Tdpbf16ps:
                MultiplyTiles(Tile(i.Op0Register), Tile(i.Op1Register), Tile(i.Op2Register));
                break;
            case Mnemonic.Vmovups or Mnemonic.Vmovaps:
                Move(i);
                break;
            case Mnemonic.Vpxord:
                Assert.True(i.Op1Register == i.Op2Register && i.Op0Register == i.Op1Register);
                Array.Clear(Vector(i.Op0Register));
                break;
            case Mnemonic.Vpbroadcastd or Mnemonic.Vbroadcastss:
                Broadcast(Memory(Address(i), 4, write: false)).CopyTo(Vector(i.Op0Register).AsSpan());
                break;
            case Mnemonic.Vdpbf16ps:
                byte[] second = i.Op2Kind == OpKind.Memory ? Broadcast(Memory(Address(i), 4, write: false)) : Vector(i.Op2Register);
                MultiplyPairs(Vector(i.Op0Register), Vector(i.Op1Register), second);
                break;
            case Mnemonic.Vfmadd231ps:
                byte[] factor = Vector(i.Op1Register);
                Span<byte> other = Memory(Address(i), VectorBytes, write: false);
                for (int lane = 0; lane < 16; lane++)
                {
                    Span<byte> sum = Vector(i.Op0Register).AsSpan(4 * lane, 4);
                    WriteFloat(sum, MathF.FusedMultiplyAdd(ReadFloat(factor.AsSpan(4 * lane)), ReadFloat(other[(4 * lane)..]), ReadFloat(sum)));
                }

                break;
            case Mnemonic.Vpermt2w:
                Permute(Vector(i.Op0Register), Vector(i.Op1Register), Vector(i.Op2Register));
                break;
            default:
                throw new InvalidOperationException($"{i} is none of the instructions that routines may consist of.");
        }
    }

    private static void CheckConfiguration(Span<byte> configuration)
    {
        Assert.Equal(1, configuration[0]);
        for (int tile = 0; tile < 8; tile++)
        {
            Assert.Equal((VectorBytes, 0, TileRows), (configuration[16 + (2 * tile)], configuration[17 + (2 * tile)], configuration[48 + tile]));
        }

        Assert.Equal(0, configuration[1..16].ToArray().Concat(configuration[32..48].ToArray()).Concat(configuration[56..].ToArray()).Sum(value => value));
    }

    private void EachTileRow(in Instruction i, byte[] tile, bool write)
    {
        ulong stride = _general[i.MemoryIndex - Register.RAX];
        ulong start = _general[i.MemoryBase - Register.RAX] + i.MemoryDisplacement64;
        Assert.Equal(1, i.MemoryIndexScale);
        for (int row = 0; row < TileRows; row++)
        {
            Span<byte> memory = Memory(start + (stride * (ulong)row), VectorBytes, write);
            Span<byte> own = tile.AsSpan(row * VectorBytes, VectorBytes);
            if (write)
            {
                own.CopyTo(memory);
            }
            else
            {
                memory.CopyTo(own);
            }
        }
    }

    private static void MultiplyTiles(byte[] sums, byte[] left, byte[] right)
    {
        for (int row = 0; row < TileRows; row++)
        {
            for (int pair = 0; pair < TileRows; pair++)
            {
                MultiplyPairs(sums.AsSpan(row * VectorBytes, VectorBytes), Broadcast(left.AsSpan((row * VectorBytes) + (4 * pair), 4)), right.AsSpan(pair * VectorBytes, VectorBytes));
            }
        }
    }

    private static void MultiplyPairs(Span<byte> sums, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        for (int lane = 0; lane < VectorBytes; lane += 4)
        {
            float sum = ReadFloat(sums[lane..]);
            sum += ReadBFloat16(first[(lane + 2)..]) * ReadBFloat16(second[(lane + 2)..]);
            sum += ReadBFloat16(first[lane..]) * ReadBFloat16(second[lane..]);
            WriteFloat(sums.Slice(lane, 4), sum);
        }
    }

    private static void Permute(byte[] first, byte[] places, byte[] second)
    {
        byte[] before = [.. first];
        for (int word = 0; word < 32; word++)
        {
            int place = BinaryPrimitives.ReadUInt16LittleEndian(places.AsSpan(2 * word)) & 63;
            (place < 32 ? before : second).AsSpan(place % 32 * 2, 2).CopyTo(first.AsSpan(2 * word));
        }
    }

    private void Move(in Instruction i)
    {
        Register register = i.Op0Kind == OpKind.Memory ? i.Op1Register : i.Op0Register;
        int bytes = register.GetSize();
        if (i.Op0Kind == OpKind.Memory)
        {
            Vector(register).AsSpan(0, bytes).CopyTo(Memory(Address(i), bytes, write: true));
            return;
        }

        byte[] target = Vector(register);
        Span<byte> source = i.Op1Kind == OpKind.Memory ? Memory(Address(i), bytes, write: false) : Vector(i.Op1Register).AsSpan(0, bytes);
        source.CopyTo(target);
        target.AsSpan(bytes).Clear();
    }

    private ulong Compared(ulong result)
    {
        _comparison = (long)result;
        return result;
    }

    private ulong Read(in Instruction i, int operand) => i.GetOpKind(operand) switch
    {
        OpKind.Register => _general[i.GetOpRegister(operand).GetFullRegister() - Register.RAX] & Mask(i.GetOpRegister(operand).GetSize()),
        OpKind.Memory => BinaryPrimitives.ReadUInt64LittleEndian(Memory(Address(i), 8, write: false)),
        _ => i.GetImmediate(operand),
    };

    private void Write(in Instruction i, int operand, ulong value)
    {
        if (i.GetOpKind(operand) == OpKind.Memory)
        {
            Assert.Equal(8, i.MemorySize.GetSize());
            BinaryPrimitives.WriteUInt64LittleEndian(Memory(Address(i), 8, write: true), value);
            return;
        }

        Register register = i.GetOpRegister(operand);
        _general[register.GetFullRegister() - Register.RAX] = value & Mask(register.GetSize());
    }

    private static ulong Mask(int bytes) => bytes == 8 ? ulong.MaxValue : uint.MaxValue;

    private ulong Address(in Instruction i)
        => i.IsIPRelativeMemoryOperand
            ? i.IPRelativeMemoryAddress
            : _general[i.MemoryBase - Register.RAX] + (i.MemoryIndex == Register.None ? 0 : _general[i.MemoryIndex - Register.RAX] * (ulong)i.MemoryIndexScale) + i.MemoryDisplacement64;

    private byte[] Vector(Register register) => _vectors[register.GetNumber()];

    private byte[] Tile(Register register)
    {
        Assert.True(_tilesConfigured, "A tile is used that was not configured.");
        return _tiles[register - Register.TMM0];
    }

    private Span<byte> Memory(ulong address, int bytes, bool write)
    {
        foreach (Region region in _regions)
        {
            if (address >= region.Start && address + (ulong)bytes <= region.Start + (ulong)region.Bytes.Length)
            {
                return write && region.IsReadOnly
                    ? throw new InvalidOperationException($"{region.Name} is written to.")
                    : region.Bytes.AsSpan((int)(address - region.Start), bytes);
            }
        }

        Region nearest = _regions.MinBy(region => Math.Abs((long)(address - region.Start)))!;
        throw new InvalidOperationException($"{bytes} bytes are {(write ? "written" : "read")} that belong to nobody: {(long)(address - nearest.Start)} bytes from the start of {nearest.Name}, which has {nearest.Bytes.Length}.");
    }

    private static byte[] Broadcast(ReadOnlySpan<byte> word)
    {
        byte[] vector = new byte[VectorBytes];
        for (int lane = 0; lane < VectorBytes; lane += 4)
        {
            word.CopyTo(vector.AsSpan(lane));
        }

        return vector;
    }

    private static float ReadFloat(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadSingleLittleEndian(bytes);

    private static void WriteFloat(Span<byte> bytes, float value) => BinaryPrimitives.WriteSingleLittleEndian(bytes, value);

    private static float ReadBFloat16(ReadOnlySpan<byte> bytes) => BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(bytes) << 16);

    private sealed record Region(string Name, ulong Start, byte[] Bytes, bool IsReadOnly);
}
