using Iced.Intel;
using MlaGen;
using static Iced.Intel.AssemblerRegisters;

namespace Explorer.Measuring;

/// <summary>
/// The most products of bfloat16 the processor can form by an instruction that .NET does not offer: all operands in registers, and nothing else.
/// The loop is assembled here, and runs where the library's cores of the same target do.
/// </summary>
internal sealed class MatrixPeak : Workload
{
    /// <summary>Products of a turn of the loop: independent sums, enough to hide their latency.</summary>
    private const int VectorProducts = 24;
    private const int TileProducts = 16;

    // Milliseconds, as of the FMA peak: what starting threads costs must not show.
    private const long VectorSteps = 400_000;
    private const long TileSteps = 100_000;

    private readonly Crew _crew;
    private readonly MachineLoop _loop;

    private MatrixPeak(CoreTarget target, Crew crew)
    {
        Target = target;
        _crew = crew;
        _loop = new MachineLoop(target == CoreTarget.Amx ? Tiles() : Vectors());
    }

    /// <summary>Whose instruction it is.</summary>
    public CoreTarget Target { get; }

    public override string Kernel => $"{Target.ToString().ToLowerInvariant()} peak";

    // Two products a lane; a tile's are those of 16 rows, 16 columns and a depth of 32.
    public override long Operations => _crew.Threads * (Target == CoreTarget.Amx ? TileSteps * TileProducts * 2 * 16 * 16 * 32 : VectorSteps * VectorProducts * 2 * 32);

    public override long Bytes => 0;

    /// <summary>Those of the machine, as far as the system lets them run.</summary>
    /// <param name="cores">The cores of a class that brings machine code.</param>
    /// <param name="crew">Threads that do it at once.</param>
    public static MatrixPeak[] Of(MlaCores cores, Crew crew) => MachineLoop.IsSupported
        ? [.. cores.Absorbed.Where(static core => core.Refusal is null).Select(static core => core.Target).Distinct()
            .Where(static target => target is CoreTarget.Amx or CoreTarget.Avx512Bf16).Order().Select(target => new MatrixPeak(target, crew))]
        : [];

    public override void Run()
    {
        if (Target == CoreTarget.Amx)
        {
            TileThreads.Run(_crew.Threads, () => _loop.Run(TileSteps));
        }
        else
        {
            _crew.Run(_ => _loop.Run(VectorSteps));
        }
    }

    public override void Dispose()
    {
        _loop.Dispose();
        base.Dispose();
    }

    private static Assembler Vectors()
    {
        Assembler code = new(64);
        Label ones = code.CreateLabel();
        Label again = code.CreateLabel();
        code.vpbroadcastd(zmm30, __dword_ptr[ones]);
        for (int i = 0; i < VectorProducts; i++)
        {
            code.vpxord(Vector(i), Vector(i), Vector(i));
        }

        code.Label(ref again);
        for (int i = 0; i < VectorProducts; i++)
        {
            code.vdpbf16ps(Vector(i), zmm30, zmm30);
        }

        code.dec(rdi);
        code.jne(again);
        code.vzeroupper();
        code.ret();
        code.Label(ref ones);
        code.db(Ones(1));
        return code;

        static AssemblerRegisterZMM Vector(int index) => new(Register.ZMM0 + index);
    }

    private static Assembler Tiles()
    {
        const int Sums = 4;
        Assembler code = new(64);
        Label configuration = code.CreateLabel();
        Label ones = code.CreateLabel();
        Label again = code.CreateLabel();
        code.ldtilecfg(__[configuration]);
        code.lea(rdx, __[ones]);
        code.xor(eax, eax);
        for (int i = 0; i < Sums; i++)
        {
            code.tilezero(Tile(i));
            code.tileloadd(Tile(Sums + i), __[rdx + rax]);
        }

        code.Label(ref again);
        for (int i = 0; i < TileProducts; i++)
        {
            code.tdpbf16ps(Tile(i % Sums), Tile(Sums + (i % 2)), Tile(Sums + 2 + (i / 2 % 2)));
        }

        code.dec(rdi);
        code.jne(again);
        code.tilerelease();
        code.ret();
        code.Label(ref configuration);
        code.db(Configuration());
        code.Label(ref ones);
        code.db(Ones(16));
        return code;

        static AssemblerRegisterTMM Tile(int index) => new(Register.TMM0 + index);
    }

    /// <summary>Eight tiles of 16 rows of 64 bytes.</summary>
    private static byte[] Configuration()
    {
        byte[] configuration = new byte[64];
        configuration[0] = 1;
        for (int tile = 0; tile < 8; tile++)
        {
            configuration[16 + (2 * tile)] = 64;
            configuration[48 + tile] = 16;
        }

        return configuration;
    }

    /// <summary>So many pairs of ones in bfloat16.</summary>
    private static byte[] Ones(int pairs) => [.. Enumerable.Repeat((byte[])[0x80, 0x3F, 0x80, 0x3F], pairs).SelectMany(static pair => pair)];
}
