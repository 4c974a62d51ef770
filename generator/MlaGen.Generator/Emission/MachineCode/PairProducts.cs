using Iced.Intel;
using MlaGen.Generator.Planning;
using static Iced.Intel.AssemblerRegisters;
using static MlaGen.Generator.Emission.MachineCode.RoutineBuilder;

namespace MlaGen.Generator.Emission.MachineCode;

/// <summary>
/// A product of a decompressed core on <c>vdpbf16ps</c>: pairs of left elements are broadcast, columns lie in lanes. Every sum is formed in one order,
/// whichever tile it lies in.
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
            foreach (IGrouping<int, int> run in plan.RowTiles.GroupBy(static tile => tile))
            {
                RowTiles(builder, plan, run.Key, run.Count());
            }
        },
        static code => code.vzeroupper());

    /// <summary>Tiles of as many rows, one after the other: rax at the first one's rows, r8 at its results; both are moved behind the last.</summary>
    private static void RowTiles(RoutineBuilder builder, ProductPlan plan, int rows, int count)
    {
        Assembler code = builder.Code;
        AssemblerMemoryOperand left = PrefillArguments.Kept(0);
        AssemblerMemoryOperand result = PrefillArguments.Kept(1);
        AssemblerMemoryOperand rowsLeft = PrefillArguments.Kept(2);
        AssemblerMemoryOperand right = PrefillArguments.Kept(3);
        string name = $"rows{rows}";
        if (plan.CountsRows)
        {
            code.mov(r9, PrefillArguments.Rows);
            code.mov(rowsLeft, r9);
        }
        else
        {
            code.mov(rowsLeft, rows * count);
        }

        Label again = builder.Begin(name);
        code.mov(left, rax);
        code.mov(result, r8);
        code.mov(rdx, PrefillArguments.Right);
        if (plan.Columns == 0)
        {
            code.mov(r10, PrefillArguments.Columns);
        }
        else
        {
            code.mov(r10d, plan.Columns);
        }

        Label columns = builder.Begin($"{name}Columns");
        code.mov(right, rdx);
        Tile(builder, plan, rows, name);
        code.mov(rax, left);
        code.mov(rdx, right);
        code.add(rdx, 2 * plan.Right.PanelBytes);
        code.add(r8, ProductPlan.TileBytes);
        code.sub(r10, ProductPlan.TileColumns);
        code.jne(columns);
        code.add(rax, rows * plan.Left.RowBytes);
        code.mov(r8, result);
        code.add(r8, rows * plan.ResultBytes);
        code.sub(rowsLeft, rows);
        code.jne(again);
    }

    /// <summary>A tile of rows by two panels: rax at the rows, rdx at the panels, r8 at the results.</summary>
    private static void Tile(RoutineBuilder builder, ProductPlan plan, int rows, string name)
    {
        Assembler code = builder.Code;
        AssemblerRegisterZMM first = Vector(2 * rows);
        AssemblerRegisterZMM second = Vector((2 * rows) + 1);
        AssemblerRegisterZMM broadcast = Vector((2 * rows) + 2);
        if (plan.Accumulates)
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
                code.vpbroadcastd(broadcast, __dword_ptr[rax + ((row * plan.Left.RowBytes) + (turn * sizeof(int)))]);
                code.vdpbf16ps(Vector(2 * row), first, broadcast);
                code.vdpbf16ps(Vector((2 * row) + 1), second, broadcast);
            }
        }

        code.add(rax, plan.DepthUnroll * sizeof(int));
        code.add(rdx, plan.DepthUnroll * plan.Right.PairBytes);
        code.sub(r9, 2 * plan.DepthUnroll);
        code.jne(depth);
        if (plan.Accumulates)
        {
            code.mov(r11, PrefillArguments.Rescale);
            code.vmovups(first, __zmmword_ptr[r11]);
            code.vmovups(second, __zmmword_ptr[r11 + MatrixPlan.VectorBytes]);
        }

        for (int row = 0; row < rows; row++)
        {
            for (int vector = 0; vector < 2; vector++)
            {
                AssemblerRegisterZMM sum = Vector((2 * row) + vector);
                AssemblerMemoryOperand place = __zmmword_ptr[r8 + ((row * plan.ResultBytes) + (vector * MatrixPlan.VectorBytes))];
                if (plan.Accumulates)
                {
                    code.vfmadd231ps(sum, vector == 0 ? first : second, place);
                }

                code.vmovups(place, sum);
            }
        }
    }
}
