using Iced.Intel;
using MlaGen.Generator.Planning;
using static Iced.Intel.AssemblerRegisters;
using static MlaGen.Generator.Emission.MachineCode.RoutineBuilder;

namespace MlaGen.Generator.Emission.MachineCode;

/// <summary>
/// A product of a decompressed core on <c>tdpbf16ps</c>: 32 rows by 32 columns are four tiles of sums, beside two of left elements and two of right ones, so
/// that a product loads one tile. Every sum is formed in one order, whichever tile it lies in. Two panels of right elements stay in the nearest cache for all rows.
/// </summary>
internal static class TileProducts
{
    private const int TileRows = MatrixPlan.TileRows;

    private static AssemblerMemoryOperand Left => TilePrefillArguments.Kept(0);

    private static AssemblerMemoryOperand Right => TilePrefillArguments.Kept(1);

    private static AssemblerMemoryOperand Result => TilePrefillArguments.Kept(2);

    private static AssemblerMemoryOperand Factors => TilePrefillArguments.Kept(3);

    private static AssemblerMemoryOperand RowsLeft => TilePrefillArguments.Kept(4);

    private static AssemblerMemoryOperand ColumnsLeft => TilePrefillArguments.Kept(5);

    /// <summary>Assembles the routine of a product.</summary>
    public static Routine Assemble(TileProductPlan plan) => RoutineBuilder.Assemble(
        builder =>
        {
            Assembler code = builder.Code;
            TileRoutines.Configure(builder);
            code.mov(r9, TilePrefillArguments.Columns);
            code.mov(ColumnsLeft, r9);
            code.mov(r9, TilePrefillArguments.Right);
            code.mov(Right, r9);
            if (plan.Accumulates)
            {
                code.mov(r9, TilePrefillArguments.Factors);
                code.mov(Factors, r9);
            }

            code.mov(r8, TilePrefillArguments.Result);
            code.mov(r10d, plan.Left.Stride);
            code.mov(r11d, plan.Right.Stride);
            Label columns = builder.Begin("columns");
            code.mov(Result, r8);
            code.mov(r9, TilePrefillArguments.Rows);
            code.mov(RowsLeft, r9);
            code.mov(rax, TilePrefillArguments.Left);
            Label rows = builder.Begin("rows");
            code.mov(Left, rax);
            code.mov(rdx, Right);
            Sums(builder, plan);
            Results(builder, plan);
            code.mov(rax, Left);
            code.add(rax, TileProductPlan.Side * plan.Left.Stride);
            code.add(r8, TileProductPlan.Side * plan.ResultBytes);
            code.sub(RowsLeft, TileProductPlan.Side);
            code.jne(rows);
            code.add(Right, 2 * plan.PanelBytes);
            if (plan.Accumulates)
            {
                code.add(Factors, TileProductPlan.SideBytes);
            }

            code.mov(r8, Result);
            code.add(r8, TileProductPlan.SideBytes);
            code.sub(ColumnsLeft, TileProductPlan.Side);
            code.jne(columns);
        },
        TileRoutines.Release);

    /// <summary>Four tiles of sums: rax at the rows, rdx at the panels. At each step of the depth what second terms give comes first, then what first ones do.</summary>
    private static void Sums(RoutineBuilder builder, TileProductPlan plan)
    {
        Assembler code = builder.Code;
        for (int i = 0; i < 4; i++)
        {
            code.tilezero(TileRoutines.Tile(i));
        }

        code.mov(r9, TilePrefillArguments.Depth);
        Label depth = builder.Begin("depth");
        LoadRight(term: 0);
        IfSeveral("left", plan.Left, TilePrefillArguments.LeftTerms, () =>
        {
            for (int term = plan.Left.Terms - 1; term > 0; term--)
            {
                ByRows(term);
                if (plan.LastOf(term) > 0)
                {
                    IfSeveral($"left{term}", plan.Right, TilePrefillArguments.RightTerms, () => ByPanels(plan.LastOf(term)));
                    LoadRight(term: 0);
                }
            }
        });
        ByRows(leftTerm: 0);
        IfSeveral("right", plan.Right, TilePrefillArguments.RightTerms, () => ByPanels(plan.Right.Terms - 1));
        code.add(rax, MatrixPlan.VectorBytes);
        code.add(rdx, TileRows * plan.Right.Stride);
        code.sub(r9, MatrixPlan.TileDepth);
        code.jne(depth);

        void ByRows(int leftTerm)
        {
            for (int row = 0; row < 2; row++)
            {
                code.tileloadd(LeftTile(row), __[rax + r10 + ((row * TileRows * plan.Left.Stride) + (leftTerm * plan.Left.TermBytes))]);
                Multiply(row, panel: 0);
                Multiply(row, panel: 1);
            }
        }

        // Right terms from the second to the last.
        void ByPanels(int last)
        {
            for (int term = 1; term <= last; term++)
            {
                for (int panel = 0; panel < 2; panel++)
                {
                    LoadPanel(panel, term);
                    Multiply(row: 0, panel);
                    Multiply(row: 1, panel);
                }
            }
        }

        void LoadRight(int term)
        {
            LoadPanel(0, term);
            LoadPanel(1, term);
        }

        void LoadPanel(int panel, int term) => code.tileloadd(RightTile(panel), __[rdx + r11 + ((panel * plan.PanelBytes) + (term * plan.Right.TermBytes))]);

        void Multiply(int row, int panel) => code.tdpbf16ps(SumTile(row, panel), LeftTile(row), RightTile(panel));

        // Where the call says how many terms there are, the same branch is taken all along.
        void IfSeveral(string name, TileOperand operand, AssemblerMemoryOperand said, Action products)
        {
            if (operand.Terms == 1)
            {
                return;
            }

            if (!operand.SaysTerms)
            {
                products();
                return;
            }

            string after = $"{name}Done";
            Label done = builder.Later(after);
            code.cmp(said, 1);
            code.je(done);
            products();
            builder.Begin(done, after);
        }
    }

    /// <summary>Stores the sums at r8, or adds them to what is there, times the factors: tiles go through memory to vectors, which do that.</summary>
    private static void Results(RoutineBuilder builder, TileProductPlan plan)
    {
        const int Unroll = 8;
        Assembler code = builder.Code;
        AssemblerRegister64 target = plan.Accumulates ? rax : r8;
        int stride = plan.Accumulates ? TileProductPlan.SideBytes : plan.ResultBytes;
        if (plan.Accumulates)
        {
            code.mov(rax, TilePrefillArguments.Scratch);
        }

        code.mov(r9d, stride);
        for (int row = 0; row < 2; row++)
        {
            for (int panel = 0; panel < 2; panel++)
            {
                code.tilestored(__[target + r9 + ((row * TileRows * stride) + (panel * MatrixPlan.VectorBytes))], SumTile(row, panel));
            }
        }

        if (!plan.Accumulates)
        {
            return;
        }

        code.mov(rdx, Factors);
        code.vmovups(zmm0, __zmmword_ptr[rdx]);
        code.vmovups(zmm1, __zmmword_ptr[rdx + MatrixPlan.VectorBytes]);
        code.mov(rdx, r8);
        code.mov(r9d, TileProductPlan.Side / Unroll);
        Label add = builder.Begin("add");
        for (int row = 0; row < Unroll; row++)
        {
            for (int panel = 0; panel < 2; panel++)
            {
                AssemblerRegisterZMM sum = Vector(2 + (2 * row) + panel);
                AssemblerMemoryOperand place = __zmmword_ptr[rdx + ((row * plan.ResultBytes) + (panel * MatrixPlan.VectorBytes))];
                code.vmovups(sum, __zmmword_ptr[rax + ((row * stride) + (panel * MatrixPlan.VectorBytes))]);
                code.vfmadd231ps(sum, Vector(panel), place);
                code.vmovups(place, sum);
            }
        }

        code.add(rax, Unroll * stride);
        code.add(rdx, Unroll * plan.ResultBytes);
        code.dec(r9d);
        code.jne(add);
    }

    private static AssemblerRegisterTMM SumTile(int row, int panel) => TileRoutines.Tile((2 * row) + panel);

    private static AssemblerRegisterTMM LeftTile(int row) => TileRoutines.Tile(4 + row);

    private static AssemblerRegisterTMM RightTile(int panel) => TileRoutines.Tile(6 + panel);
}
