using Iced.Intel;
using MlaGen.Generator.Planning;
using static Iced.Intel.AssemblerRegisters;
using static MlaGen.Generator.Emission.MachineCode.RoutineBuilder;

namespace MlaGen.Generator.Emission.MachineCode;

/// <summary>
/// Scores of codes on <c>tdpbssd</c>, which multiplies twice as many bytes as <c>tdpbf16ps</c> does halves: 16 rows by 32 columns, or one panel of them after the other,
/// are four tiles of sums, beside those of rows of every plane and of columns of one. Sums of integers are exact, and so the same in any order.
/// </summary>
internal static class CodeProducts
{
    private const int Left = 4;

    private static AssemblerMemoryOperand LeftRows => TilePrefillArguments.Kept(0);

    private static AssemblerMemoryOperand Scales => TilePrefillArguments.Kept(1);

    private static AssemblerMemoryOperand RowsLeft => TilePrefillArguments.Kept(2);

    /// <summary>Assembles the routine.</summary>
    public static Routine Assemble(CodeProductPlan plan) => RoutineBuilder.Assemble(
        builder =>
        {
            Assembler code = builder.Code;
            Label? highest = plan.Planes == 2 ? null : builder.Constant("highest", [.. Enumerable.Repeat(BitConverter.GetBytes(65536f), MatrixPlan.VectorBytes / sizeof(float)).SelectMany(static bytes => bytes)]);
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
            for (int panel = 0; panel < CodeProductPlan.Columns / MatrixPlan.TileRows; panel += plan.Panels)
            {
                Sums(builder, plan, panel);
                Results(builder, plan, panel, highest);
                code.mov(rax, LeftRows);
            }

            code.add(rax, plan.Planes * plan.PlaneBytes);
            code.add(r8, CodeProductPlan.Rows * plan.ResultBytes);
            code.add(Scales, CodeProductPlan.Rows * sizeof(float));
            code.sub(RowsLeft, CodeProductPlan.Rows);
            code.jne(rows);
        },
        TileRoutines.Release);

    /// <summary>Four tiles of sums: rax at the rows, rdx at the panels.</summary>
    private static void Sums(RoutineBuilder builder, CodeProductPlan plan, int firstPanel)
    {
        Assembler code = builder.Code;
        for (int i = 0; i < Left; i++)
        {
            code.tilezero(TileRoutines.Tile(i));
        }

        code.mov(rdx, TilePrefillArguments.Right);
        code.mov(r9d, plan.KeyDepth / CodeProductPlan.Depth);
        Label depth = builder.Begin(plan.Panels == 2 ? "depth" : $"depthOfPanel{firstPanel}");
        if (plan.Planes == 2)
        {
            TwoPlanes();
        }
        else
        {
            ThreePlanes();
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

        // Each sum waits for the one before: high bytes' lie between those of low ones.
        void TwoPlanes()
        {
            const int High = Left;
            const int Low = Left + 1;
            const int Right = Left + 2;
            LoadRows(High, plane: 0);
            LoadRows(Low, plane: 1);
            LoadPanels(plane: 0);
            for (int panel = 0; panel < 2; panel++)
            {
                Multiply(SumTile(plan, sum: 1, panel), Low, Right + panel);
                Multiply(SumTile(plan, sum: 0, panel), High, Right + panel);
            }

            LoadPanels(plane: 1);
            for (int panel = 0; panel < 2; panel++)
            {
                Multiply(SumTile(plan, sum: 1, panel), High, Right + panel);
            }

            void LoadPanels(int plane)
            {
                for (int panel = 0; panel < 2; panel++)
                {
                    LoadColumns(Right + panel, panel, plane);
                }
            }
        }

        // What is needed for a product or two takes turns at the last tiles, so that none is loaded while it is waited for.
        void ThreePlanes()
        {
            const int High = Left;
            const int Middle = Left + 1;
            const int One = Left + 2;
            const int Other = Left + 3;
            LoadRows(Other, plane: 2);
            LoadColumns(One, firstPanel, plane: 0);
            LoadRows(Middle, plane: 1);
            LoadRows(High, plane: 0);
            Multiply(Tile(3), Other, One);
            Multiply(Tile(1), Middle, One);
            Multiply(Tile(0), High, One);
            LoadColumns(Other, firstPanel, plane: 1);
            Multiply(Tile(2), Middle, Other);
            Multiply(Tile(1), High, Other);
            LoadColumns(One, firstPanel, plane: 2);
            Multiply(Tile(3), High, One);

            AssemblerRegisterTMM Tile(int sum) => SumTile(plan, sum, panel: 0);
        }

        void LoadRows(int tile, int plane) => code.tileloadd(TileRoutines.Tile(tile), __[rax + r10 + (plane * plan.PlaneBytes)]);

        void LoadColumns(int tile, int panel, int plane) => code.tileloadd(TileRoutines.Tile(tile), __[rdx + r10 + (((panel * plan.Planes) + plane) * plan.PlaneBytes)]);

        void Multiply(AssemblerRegisterTMM sum, int rows, int columns) => code.tdpbssd(sum, TileRoutines.Tile(rows), TileRoutines.Tile(columns));
    }

    /// <summary>Stores the scores at r8: sums go through memory to vectors, which bring them together and scale them.</summary>
    private static void Results(RoutineBuilder builder, CodeProductPlan plan, int firstPanel, Label? highest)
    {
        const int Unroll = 7;
        const int FirstVector = 3;
        Assembler code = builder.Code;
        code.mov(rax, TilePrefillArguments.Scratch);
        code.mov(r9d, plan.SumRowBytes);
        for (int panel = 0; panel < plan.Panels; panel++)
        {
            for (int sum = 0; sum < plan.Sums; sum++)
            {
                code.tilestored(__[rax + r9 + ((sum * plan.SumBytes) + (panel * MatrixPlan.VectorBytes))], SumTile(plan, sum, panel));
            }
        }

        code.mov(rdx, TilePrefillArguments.Factors);
        for (int panel = 0; panel < plan.Panels; panel++)
        {
            code.vmovups(Vector(panel), __zmmword_ptr[rdx + ((firstPanel + panel) * MatrixPlan.VectorBytes)]);
        }

        if (highest is { } constant)
        {
            code.vmovups(zmm2, __zmmword_ptr[constant]);
        }

        code.mov(rdx, Scales);
        for (int row = 0; row < CodeProductPlan.Rows; row++)
        {
            int first = FirstVector + (4 * (row % Unroll));
            AssemblerRegisterZMM scale = Vector(first);
            code.vbroadcastss(scale, __dword_ptr[rdx + (row * sizeof(float))]);
            for (int panel = 0; panel < plan.Panels; panel++)
            {
                AssemblerRegisterZMM score = Vector(first + 1 + panel);
                AssemblerRegisterZMM factor = Vector(first + 3);
                int place = (row * plan.SumRowBytes) + (panel * MatrixPlan.VectorBytes);
                Together(score, place, highestSums: factor);
                code.vmulps(factor, scale, Vector(panel));
                code.vmulps(score, score, factor);
                code.vmovups(__zmmword_ptr[r8 + ((row * plan.ResultBytes) + ((firstPanel + panel) * MatrixPlan.VectorBytes))], score);
            }
        }

        // As integers as long as they are no longer than 32 bits: of three planes the highest are too large for that.
        void Together(AssemblerRegisterZMM score, int place, AssemblerRegisterZMM highestSums)
        {
            int first = plan.Planes - 2;
            code.vpslld(score, Sum(first), 8);
            for (int sum = first + 1; sum < plan.Sums; sum++)
            {
                code.vpaddd(score, score, Sum(sum));
            }

            code.vcvtdq2ps(score, score);
            if (first > 0)
            {
                code.vmovups(highestSums, Sum(0));
                code.vcvtdq2ps(highestSums, highestSums);
                code.vfmadd231ps(score, highestSums, zmm2);
            }

            AssemblerMemoryOperand Sum(int index) => __zmmword_ptr[rax + ((index * plan.SumBytes) + place)];
        }
    }

    private static AssemblerRegisterTMM SumTile(CodeProductPlan plan, int sum, int panel) => TileRoutines.Tile((sum * plan.Panels) + panel);
}
