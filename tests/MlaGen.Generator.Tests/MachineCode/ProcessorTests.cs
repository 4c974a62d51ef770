using Iced.Intel;
using MlaGen.Tests.MachineCode.Interpreter;
using static Iced.Intel.AssemblerRegisters;

namespace MlaGen.Generator.Tests.MachineCode;

/// <summary>The interpreter of routines: what must not happen is told, and the arithmetic of bfloat16 is the processors'.</summary>
public sealed class ProcessorTests
{
    private const float Smallest = 1.17549435e-38f;

    [Fact]
    public void A_routine_that_does_nothing_wrong_comes_back()
    {
        byte[] memory = new byte[64];
        Run(memory, isReadOnly: false, code =>
        {
            code.vpxord(zmm0, zmm0, zmm0);
            code.vmovups(__zmmword_ptr[rdi], zmm0);
            code.vzeroupper();
            code.ret();
        });
    }

    [Fact]
    public void Memory_of_nobody_is_neither_read_nor_written()
    {
        Assert.Contains(
            "64 bytes are read that belong to nobody: 4 bytes from the start of memory, which has 64",
            Wrong(code => code.vmovups(zmm0, __zmmword_ptr[rdi + 4])),
            StringComparison.Ordinal);
        Assert.Contains("8 bytes are written that belong to nobody: -8 bytes", Wrong(code => code.mov(__qword_ptr[rdi - 8], rax)), StringComparison.Ordinal);
        Assert.Contains("memory is written to", Wrong(code => code.mov(__qword_ptr[rdi], rax), isReadOnly: true), StringComparison.Ordinal);
        Assert.Contains("tileloadd", Wrong(code => Tiles(code, bytes: 64, code => code.tileloadd(tmm0, __[rdi + rdx]))), StringComparison.Ordinal);
    }

    [Fact]
    public void Registers_and_tiles_are_given_back()
    {
        Assert.Contains("RBX is not what it was", Wrong(code => code.inc(rbx)), StringComparison.Ordinal);
        Assert.Contains("RDI is not what it was", Wrong(code => code.inc(rdi), windows: true), StringComparison.Ordinal);
        Assert.Contains("xmm6 is not what it was", Wrong(code => code.vpxord(zmm6, zmm6, zmm6), windows: true), StringComparison.Ordinal);
        Assert.Contains("the tiles were not released", Wrong(code => Tiles(code, bytes: 64, _ => { })), StringComparison.Ordinal);
        Assert.Contains("the upper parts of the vectors were not zeroed", Wrong(_ => { }, zeroesUpper: false), StringComparison.Ordinal);
    }

    [Fact]
    public void Tiles_are_configured_and_fit()
    {
        Assert.Contains("tmm0 is not configured", Wrong(code => code.tilezero(tmm0)), StringComparison.Ordinal);
        Assert.Contains("tmm3 is not configured", Wrong(code => Tiles(code, bytes: 64, code => code.tilezero(tmm3))), StringComparison.Ordinal);
        Assert.Contains("tmm0 of 16 rows of 68 bytes is no tile", Wrong(code => Tiles(code, bytes: 68, _ => { })), StringComparison.Ordinal);
        Assert.Contains("shapes do not fit: 16 x 32 bytes", Wrong(code => Tiles(code, bytes: 32, code => code.tdpbf16ps(tmm0, tmm1, tmm2))), StringComparison.Ordinal);
    }

    [Fact]
    public void A_routine_that_leaves_its_code_or_does_not_end_is_told()
    {
        Assert.Contains("The routine leaves its code", Wrong(code => code.jmp(0x5000)), StringComparison.Ordinal);
        Assert.Contains("its table takes it in a line", Wrong(code => code.cpuid()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, 1, 1, 1, 0, 2)]

    // The upper product comes first: 2^24 + 1 is rounded to 2^24 each time, where the sum of both products would count.
    [InlineData(1, 1, 1, 1, 16777216, 16777216)]
    [InlineData(1, 1, 16777216, 1, 1, 16777216)]

    // Denormal operands are zeros, and so are denormal sums.
    [InlineData(9.18e-41f, 1e30f, 0, 0, 0, 0)]
    [InlineData(0, 0, 0, 0, 9.18e-41f, 0)]
    [InlineData(-Smallest, 0.5f, 0, 0, 0, -0f)]

    // A product is not rounded before it is added.
    [InlineData(Smallest, 0.5f, Smallest, 1.5f, Smallest, 3 * Smallest)]
    public void Pairs_are_multiplied_and_added_upper_first(float low, float otherLow, float high, float otherHigh, float sum, float expected)
    {
        byte[] memory = new byte[3 * 64];
        Write(memory, 0, low, high);
        Write(memory, 64, otherLow, otherHigh);
        BitConverter.TryWriteBytes(memory.AsSpan(128), sum);
        Run(memory, isReadOnly: false, code =>
        {
            code.vmovups(zmm0, __zmmword_ptr[rdi + 128]);
            code.vmovups(zmm1, __zmmword_ptr[rdi]);
            code.vdpbf16ps(zmm0, zmm1, __zmmword_ptr[rdi + 64]);
            code.vmovups(__zmmword_ptr[rdi + 128], zmm0);
            code.vzeroupper();
            code.ret();
        });
        Assert.Equal(BitConverter.SingleToInt32Bits(expected), BitConverter.ToInt32(memory, 128));

        static void Write(byte[] memory, int place, float low, float high)
        {
            BitConverter.TryWriteBytes(memory.AsSpan(place), (ushort)(BitConverter.SingleToUInt32Bits(low) >> 16));
            BitConverter.TryWriteBytes(memory.AsSpan(place + 2), (ushort)(BitConverter.SingleToUInt32Bits(high) >> 16));
        }
    }

    [Theory]
    [InlineData(1f, 0x3F80)]
    [InlineData(1.00390625f, 0x3F80)]
    [InlineData(1.01171875f, 0x3F82)]
    [InlineData(float.MaxValue, 0x7F80)]
    [InlineData(9.18e-41f, 0)]
    [InlineData(float.NaN, 0xFFC0)]
    public void Floats_are_rounded_to_even(float value, int expected) => Assert.Equal(expected, PairArithmetic.Round(value));

    /// <summary>Configures three tiles of sixteen rows, so wide, and leaves them so.</summary>
    private static void Tiles(Assembler code, byte bytes, Action<Assembler> use)
    {
        Label configuration = code.CreateLabel();
        Label behind = code.CreateLabel();
        byte[] shapes = new byte[64];
        shapes[0] = 1;
        for (int tile = 0; tile < 3; tile++)
        {
            shapes[16 + (2 * tile)] = bytes;
            shapes[48 + tile] = 16;
        }

        code.jmp(behind);
        code.Label(ref configuration);
        code.db(shapes);
        code.Label(ref behind);
        code.ldtilecfg(__[configuration]);
        code.mov(edx, 64);
        use(code);
    }

    private static string Wrong(Action<Assembler> write, bool isReadOnly = false, bool windows = false, bool zeroesUpper = true)
        => Assert.Throws<InvalidOperationException>(() => Run(new byte[64], isReadOnly, code =>
        {
            write(code);
            if (zeroesUpper)
            {
                code.vzeroupper();
            }

            code.ret();
        }, windows)).Message;

    private static void Run(byte[] memory, bool isReadOnly, Action<Assembler> write, bool windows = false)
    {
        var code = new Assembler(64);
        write(code);
        using var stream = new MemoryStream();
        code.Assemble(new StreamCodeWriter(stream), rip: 0);
        var processor = new Processor(stream.ToArray());
        processor.Call(0, processor.Add("memory", memory, isReadOnly), windows);
    }
}
