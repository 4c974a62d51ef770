using Iced.Intel;
using MlaGen.Generator.Planning;
using static Iced.Intel.AssemblerRegisters;
using static MlaGen.Generator.Emission.MachineCode.RoutineBuilder;

namespace MlaGen.Generator.Emission.MachineCode;

/// <summary>
/// Scores of codes on <c>tdpbssd</c>, which multiplies twice as many bytes as <c>tdpbf16ps</c> does halves: 16 rows by 32 columns are two tiles of sums of
/// high bytes and two of high by low ones, beside two of left elements and two of right ones. Sums of integers are exact, and so the same in any order.
/// </summary>
internal static class CodeProducts
{
    private const int HighSums = 0;
    private const int MixedSums = 2;
    private const int Left = 4;
    private const int Right = 6;

    private static AssemblerMemoryOperand LeftRows => TilePrefillArguments.Kept(0);

    private static AssemblerMemoryOperand Scales => TilePrefillArguments.Kept(1);

    private static AssemblerMemoryOperand RowsLeft => TilePrefillArguments.Kept(2);

    /// <summary>Assembles the routine.</summary>
    public static Routine Assemble(CodeProductPlan plan) => RoutineBuilder.Assemble(
        builder =>
        {
            Assembler code = builder.Code;
            TileRoutines.Configure(builder);
            code.mov(rax, TilePrefillArguments.Left);
            code.mov(r8, TilePrefillArguments.Result);
            code.mov(r9, TilePrefillArguments.RowScales);
            code.mov(Scales, r9);
            code.mov(r9, TilePrefillArguments.Rows);
            code.mov(RowsLeft, r9);
            code.mov(r10d, MatrixPlan.VectorBytes);
            code.mov(r11, TilePrefillArguments.Upcoming);
            Label rows = builder.Begin("rows");
            code.mov(LeftRows, rax);
            Sums(builder, plan);
            Results(builder, plan);
            code.mov(rax, LeftRows);
            code.add(rax, 2 * plan.PlaneBytes);
            code.add(r8, CodeProductPlan.Rows * plan.ResultBytes);
            code.add(Scales, CodeProductPlan.Rows * sizeof(float));
            code.sub(RowsLeft, CodeProductPlan.Rows);
            code.jne(rows);
        },
        TileRoutines.Release);

    /// <summary>Four tiles of sums: rax at the rows, rdx at the panels.</summary>
    private static void Sums(RoutineBuilder builder, CodeProductPlan plan)
    {
        Assembler code = builder.Code;
        for (int i = 0; i < 4; i++)
        {
            code.tilezero(TileRoutines.Tile(i));
        }

        code.mov(rdx, TilePrefillArguments.Right);
        code.mov(r9d, plan.KeyDepth / CodeProductPlan.Depth);
        Label depth = builder.Begin("depth");
        for (int plane = 0; plane < 2; plane++)
        {
            code.tileloadd(TileRoutines.Tile(Left + plane), __[rax + r10 + (plane * plan.PlaneBytes)]);
        }

        // Each sum waits for the one before: high bytes' lie between those of low ones.
        LoadPanels(plane: 0);
        for (int panel = 0; panel < 2; panel++)
        {
            Multiply(MixedSums, leftPlane: 1, panel);
            Multiply(HighSums, leftPlane: 0, panel);
        }

        LoadPanels(plane: 1);
        for (int panel = 0; panel < 2; panel++)
        {
            Multiply(MixedSums, leftPlane: 0, panel);
        }

        for (int line = 0; line < plan.AskedLines; line++)
        {
            code.prefetcht1(__byte_ptr[r11 + (line * MatrixPlan.VectorBytes)]);
        }

        code.add(r11, plan.AskedLines * MatrixPlan.VectorBytes);
        code.add(rax, CodeProductPlan.Rows * MatrixPlan.VectorBytes);
        code.add(rdx, CodeProductPlan.Rows * MatrixPlan.VectorBytes);
        code.dec(r9d);
        code.jne(depth);

        void LoadPanels(int plane)
        {
            for (int panel = 0; panel < 2; panel++)
            {
                code.tileloadd(TileRoutines.Tile(Right + panel), __[rdx + r10 + (((2 * panel) + plane) * plan.PlaneBytes)]);
            }
        }

        void Multiply(int sums, int leftPlane, int panel) => code.tdpbssd(TileRoutines.Tile(sums + panel), TileRoutines.Tile(Left + leftPlane), TileRoutines.Tile(Right + panel));
    }

    /// <summary>Stores the scores at r8: sums go through memory to vectors, which bring them together and scale them.</summary>
    private static void Results(RoutineBuilder builder, CodeProductPlan plan)
    {
        const int Unroll = 7;
        const int RowBytes = CodeProductPlan.Columns * sizeof(int);
        Assembler code = builder.Code;
        code.mov(rax, TilePrefillArguments.Scratch);
        code.mov(r9d, RowBytes);
        for (int panel = 0; panel < 2; panel++)
        {
            code.tilestored(__[rax + r9 + (panel * MatrixPlan.VectorBytes)], TileRoutines.Tile(HighSums + panel));
            code.tilestored(__[rax + r9 + (CodeProductPlan.SumBytes + (panel * MatrixPlan.VectorBytes))], TileRoutines.Tile(MixedSums + panel));
        }

        code.mov(rdx, TilePrefillArguments.Factors);
        code.vmovups(zmm0, __zmmword_ptr[rdx]);
        code.vmovups(zmm1, __zmmword_ptr[rdx + MatrixPlan.VectorBytes]);
        code.mov(rdx, Scales);
        for (int row = 0; row < CodeProductPlan.Rows; row++)
        {
            AssemblerRegisterZMM scale = Vector(2 + (4 * (row % Unroll)));
            code.vbroadcastss(scale, __dword_ptr[rdx + (row * sizeof(float))]);
            for (int panel = 0; panel < 2; panel++)
            {
                AssemblerRegisterZMM score = Vector(3 + (4 * (row % Unroll)) + panel);
                AssemblerRegisterZMM factor = Vector(5 + (4 * (row % Unroll)));
                AssemblerMemoryOperand sum = __zmmword_ptr[rax + ((row * RowBytes) + (panel * MatrixPlan.VectorBytes))];
                code.vpslld(score, sum, 8);
                code.vpaddd(score, score, sum + CodeProductPlan.SumBytes);
                code.vcvtdq2ps(score, score);
                code.vmulps(factor, scale, Vector(panel));
                code.vmulps(score, score, factor);
                code.vmovups(__zmmword_ptr[r8 + ((row * plan.ResultBytes) + (panel * MatrixPlan.VectorBytes))], score);
            }
        }
    }
}
