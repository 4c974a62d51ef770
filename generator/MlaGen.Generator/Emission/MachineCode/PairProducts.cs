using Iced.Intel;
using MlaGen.Generator.Planning;
using static Iced.Intel.AssemblerRegisters;
using static MlaGen.Generator.Emission.MachineCode.RoutineBuilder;

namespace MlaGen.Generator.Emission.MachineCode;

/// <summary>
/// A product of a decompressed core on <c>vdpbf16ps</c> or <c>vpdpwssd</c>: pairs of left elements are broadcast, columns lie in lanes. Every sum is formed in
/// one order, whichever tile it lies in.
/// </summary>
internal static class PairProducts
{
    /// <summary>Assembles the routine of a product.</summary>
    public static Routine Assemble(ProductPlan plan) => RoutineBuilder.Assemble(
        builder =>
        {
            Assembler code = builder.Code;
            code.mov(rax, PrefillArguments.Left);
            code.mov(r8, PrefillArguments.Result);
            if (plan.Numbers == ProductNumbers.Int16)
            {
                code.mov(r11, PrefillArguments.RowScales);
                code.mov(RowScales, r11);
            }

            foreach (IGrouping<int, int> run in plan.RowTiles.GroupBy(static tile => tile))
            {
                RowTiles(builder, plan, run.Key, run.Count());
            }
        },
        static code => code.vzeroupper());

    private static AssemblerMemoryOperand Left => PrefillArguments.Kept(0);

    private static AssemblerMemoryOperand Result => PrefillArguments.Kept(1);

    private static AssemblerMemoryOperand RowsLeft => PrefillArguments.Kept(2);

    private static AssemblerMemoryOperand Right => PrefillArguments.Kept(3);

    private static AssemblerMemoryOperand ColumnFactors => PrefillArguments.Kept(4);

    private static AssemblerMemoryOperand RowScales => PrefillArguments.Kept(5);

    /// <summary>Tiles of as many rows, one after the other: rax at the first one's rows, r8 at its results; both are moved behind the last.</summary>
    private static void RowTiles(RoutineBuilder builder, ProductPlan plan, int rows, int count)
    {
        Assembler code = builder.Code;
        string name = $"rows{rows}";
        if (plan.CountsRows)
        {
            code.mov(r9, PrefillArguments.Rows);
            code.mov(RowsLeft, r9);
        }
        else
        {
            code.mov(RowsLeft, rows * count);
        }

        Label again = builder.Begin(name);
        code.mov(Left, rax);
        code.mov(Result, r8);
        code.mov(rdx, PrefillArguments.Right);
        code.mov(r11, PrefillArguments.ColumnFactors);
        code.mov(ColumnFactors, r11);
        if (plan.Columns == 0)
        {
            code.mov(r10, PrefillArguments.Columns);
        }
        else
        {
            code.mov(r10d, plan.Columns);
        }

        Label columns = builder.Begin($"{name}Columns");
        code.mov(Right, rdx);
        Sums(builder, plan, rows, name);
        Results(builder, plan, rows);
        code.mov(rax, Left);
        code.mov(rdx, Right);
        code.add(rdx, 2 * plan.Right.PanelBytes);
        code.add(r8, plan.ResultTileBytes);
        code.sub(r10, ProductPlan.TileColumns);
        code.jne(columns);
        code.add(rax, rows * plan.LeftBytes);
        code.mov(r8, Result);
        code.add(r8, rows * plan.ResultBytes);
        if (plan.Numbers == ProductNumbers.Int16)
        {
            code.mov(r11, RowScales);
            code.add(r11, rows * sizeof(float));
            code.mov(RowScales, r11);
        }

        code.sub(RowsLeft, rows);
        code.jne(again);
    }

    /// <summary>The sums of a tile of rows by two panels: rax at the rows, rdx at the panels, r8 at the results.</summary>
    private static void Sums(RoutineBuilder builder, ProductPlan plan, int rows, string name)
    {
        Assembler code = builder.Code;
        AssemblerRegisterZMM first = Vector(2 * rows);
        AssemblerRegisterZMM second = Vector((2 * rows) + 1);
        AssemblerRegisterZMM broadcast = Vector((2 * rows) + 2);
        if (plan.Numbers == ProductNumbers.BFloat16)
        {
            // What the sums will meet was last touched a key tile ago.
            for (int row = 0; row < rows; row++)
            {
                code.prefetcht0(__byte_ptr[r8 + (row * plan.ResultBytes)]);
                code.prefetcht0(__byte_ptr[r8 + ((row * plan.ResultBytes) + MatrixPlan.VectorBytes)]);
            }
        }

        for (int sum = 0; sum < 2 * rows; sum++)
        {
            code.vpxord(Vector(sum), Vector(sum), Vector(sum));
        }

        if (plan.Depth == 0)
        {
            code.mov(r9, PrefillArguments.Depth);
        }
        else
        {
            code.mov(r9d, plan.Depth);
        }

        Label depth = builder.Begin($"{name}Depth");
        for (int turn = 0; turn < plan.DepthUnroll; turn++)
        {
            code.vmovups(first, __zmmword_ptr[rdx + (turn * plan.Right.PairBytes)]);
            code.vmovups(second, __zmmword_ptr[rdx + (plan.Right.PanelBytes + (turn * plan.Right.PairBytes))]);
            for (int row = 0; row < rows; row++)
            {
                code.vpbroadcastd(broadcast, __dword_ptr[rax + ((row * plan.LeftBytes) + (turn * sizeof(int)))]);
                MultiplyAdd(Vector(2 * row), first);
                MultiplyAdd(Vector((2 * row) + 1), second);
            }
        }

        code.add(rax, plan.DepthUnroll * sizeof(int));
        code.add(rdx, plan.DepthUnroll * plan.Right.PairBytes);
        code.sub(r9, 2 * plan.DepthUnroll);
        code.jne(depth);

        void MultiplyAdd(AssemblerRegisterZMM sum, AssemblerRegisterZMM panel)
        {
            if (plan.Numbers == ProductNumbers.BFloat16)
            {
                code.vdpbf16ps(sum, panel, broadcast);
            }
            else
            {
                code.vpdpwssd(sum, panel, broadcast);
            }
        }
    }

    /// <summary>What becomes of the sums: at r8, by the factors of the columns, which are moved behind the tile's.</summary>
    private static void Results(RoutineBuilder builder, ProductPlan plan, int rows)
    {
        Assembler code = builder.Code;
        AssemblerRegisterZMM first = Vector(2 * rows);
        AssemblerRegisterZMM second = Vector((2 * rows) + 1);
        code.mov(r11, ColumnFactors);
        code.vmovups(first, __zmmword_ptr[r11]);
        code.vmovups(second, __zmmword_ptr[r11 + MatrixPlan.VectorBytes]);
        code.add(r11, ProductPlan.TileBytes);
        code.mov(ColumnFactors, r11);
        if (plan.Numbers == ProductNumbers.Int16)
        {
            code.mov(r11, RowScales);
        }

        for (int row = 0; row < rows; row++)
        {
            for (int vector = 0; vector < 2; vector++)
            {
                AssemblerRegisterZMM sum = Vector((2 * row) + vector);
                AssemblerRegisterZMM factor = vector == 0 ? first : second;
                AssemblerMemoryOperand place = __zmmword_ptr[r8 + ((row * plan.ResultBytes) + (vector * MatrixPlan.VectorBytes))];
                if (plan.Numbers == ProductNumbers.BFloat16)
                {
                    code.vfmadd231ps(sum, factor, place);
                }
                else
                {
                    code.vcvtdq2ps(sum, sum);
                    code.vmulps(sum, sum, __dword_bcst[r11 + (row * sizeof(float))]);
                    code.vmulps(sum, sum, factor);
                }

                if (!plan.RoundsResults)
                {
                    code.vmovups(place, sum);
                }
            }

            if (plan.RoundsResults)
            {
                code.vcvtne2ps2bf16(Vector(2 * row), Vector((2 * row) + 1), Vector(2 * row));
                code.vmovups(__zmmword_ptr[r8 + (row * plan.ResultBytes)], Vector(2 * row));
            }
        }
    }
}
