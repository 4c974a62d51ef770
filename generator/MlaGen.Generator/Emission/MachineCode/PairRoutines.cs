using Iced.Intel;
using MlaGen.Generator.Planning;
using static Iced.Intel.AssemblerRegisters;
using static MlaGen.Generator.Emission.MachineCode.RoutineBuilder;

namespace MlaGen.Generator.Emission.MachineCode;

/// <summary>
/// The two routines of an absorbed core on <c>vdpbf16ps</c>: each lane multiplies two elements of bfloat16 by two others and adds both products to a float.
/// Every sum is formed in one order, whichever tile it lies in.
/// </summary>
internal static class PairRoutines
{
    /// <summary><c>score[token][column] = Σ row[token][d] · query[d][column]</c>: pairs of elements broadcast, columns in lanes.</summary>
    public static Routine Scores(MatrixPlan plan) => Assemble(
        builder =>
        {
            Assembler code = builder.Code;
            code.mov(rax, MatrixArguments.Rows);
            code.mov(r8, MatrixArguments.Scores);
            code.mov(r11, MatrixArguments.Tokens);
            Label tokens = builder.Begin("tokens");
            code.mov(rdx, MatrixArguments.Queries);
            if (plan.Panels >= 2)
            {
                ScoreTiles(builder, plan, panels: 2, count: plan.Panels / 2);
            }

            if (plan.Panels % 2 != 0)
            {
                ScoreTiles(builder, plan, panels: 1, count: 1);
            }

            code.add(rax, plan.TokenTile * plan.RowBytes);
            code.add(r8, (plan.TokenTile * plan.ScoreBytes) - (plan.Columns * sizeof(float)));
            code.sub(r11, plan.TokenTile);
            code.jne(tokens);
        },
        static code => code.vzeroupper());

    /// <summary>
    /// <c>sum[column][i] = sum[column][i] · rescale[column] + Σ probability[token][column] · latent[token][i]</c>. For a panel of dimensions the latents of
    /// two tokens are laid beside each other, once for all columns, unless they lie there already; then pairs of probabilities are broadcast, dimensions lie in lanes.
    /// </summary>
    public static Routine Values(MatrixPlan plan) => Assemble(
        builder =>
        {
            Assembler code = builder.Code;
            AssemblerMemoryOperand row = MatrixArguments.Kept(0);
            AssemblerMemoryOperand sum = MatrixArguments.Kept(1);
            AssemblerMemoryOperand dimensionsLeft = MatrixArguments.Kept(2);
            AssemblerMemoryOperand pairs = MatrixArguments.Kept(4);
            (Label lower, Label upper) = Interleavings(builder);
            code.mov(rax, MatrixArguments.Rows);
            code.mov(row, rax);
            code.mov(rax, MatrixArguments.Sums);
            code.mov(sum, rax);
            code.mov(rax, MatrixArguments.Scratch);
            code.mov(pairs, rax);
            code.mov(dimensionsLeft, plan.ValueDim / plan.DimensionPanel);
            Label dimensions = builder.Begin("dimensions");
            Label known = builder.Later("known");
            code.cmp(MatrixArguments.Sharing, MatrixArguments.Again);
            code.je(known);
            LayBeside(builder, plan, lower, upper);
            builder.Begin(known, "known");
            code.add(row, MatrixPlan.VectorBytes);
            code.mov(r8, sum);
            code.mov(r10, MatrixArguments.Scores);
            code.mov(r11, MatrixArguments.Rescale);
            foreach (IGrouping<int, int> run in plan.ColumnTiles.GroupBy(static tile => tile))
            {
                ValueTiles(builder, plan, run.Key, run.Count());
            }


            // Pairs that nobody needs any more give their place to the next ones: it stays in the first-level cache.
            Label alone = builder.Later("alone");
            code.cmp(MatrixArguments.Sharing, 0);
            code.je(alone);
            code.add(pairs, plan.PairedPanelBytes);
            builder.Begin(alone, "alone");
            code.add(sum, 2 * MatrixPlan.VectorBytes);
            code.dec(dimensionsLeft);
            code.jne(dimensions);
        },
        static code => code.vzeroupper());

    /// <summary>A tile of tokens by one or two panels of queries, several times: rax at the tile's rows, rdx at the queries, r8 at the scores.</summary>
    private static void ScoreTiles(RoutineBuilder builder, MatrixPlan plan, int panels, int count)
    {
        Assembler code = builder.Code;
        int sums = plan.TokenTile * panels;
        AssemblerRegisterZMM broadcast = Vector(sums + panels);
        string name = panels == 1 ? "panel" : "panels";
        if (count > 1)
        {
            code.mov(r10d, count);
        }

        Label again = builder.Begin(name);
        for (int i = 0; i < sums; i++)
        {
            code.vpxord(Vector(i), Vector(i), Vector(i));
        }

        code.mov(r9d, plan.Depth / 2 / plan.DepthUnroll);
        Label depth = builder.Begin($"{name}Depth");
        for (int turn = 0; turn < plan.DepthUnroll; turn++)
        {
            for (int panel = 0; panel < panels; panel++)
            {
                code.vmovups(Vector(sums + panel), __zmmword_ptr[rdx + ((panel * plan.PanelBytes) + (turn * MatrixPlan.VectorBytes))]);
            }

            for (int token = 0; token < plan.TokenTile; token++)
            {
                AssemblerMemoryOperand pair = __dword_ptr[rax + ((token * plan.RowBytes) + (turn * sizeof(int)))];
                if (panels == 1)
                {
                    code.vdpbf16ps(Vector(token), Vector(sums), __dword_bcst[rax + ((token * plan.RowBytes) + (turn * sizeof(int)))]);
                    continue;
                }

                code.vpbroadcastd(broadcast, pair);
                for (int panel = 0; panel < panels; panel++)
                {
                    code.vdpbf16ps(Vector((token * panels) + panel), Vector(sums + panel), broadcast);
                }
            }
        }

        code.add(rax, plan.DepthUnroll * sizeof(int));
        code.add(rdx, plan.DepthUnroll * MatrixPlan.VectorBytes);
        code.dec(r9d);
        code.jne(depth);
        for (int i = 0; i < sums; i++)
        {
            code.vmovups(__zmmword_ptr[r8 + ((i / panels * plan.ScoreBytes) + (i % panels * MatrixPlan.VectorBytes))], Vector(i));
        }

        code.sub(rax, plan.RowBytes);
        code.add(rdx, (panels * plan.PanelBytes) - (plan.Depth / 2 * MatrixPlan.VectorBytes));
        code.add(r8, panels * MatrixPlan.VectorBytes);
        if (count > 1)
        {
            code.dec(r10d);
            code.jne(again);
        }
    }

    /// <summary>Lays the latents of two tokens beside each other, element by element, for a panel of dimensions of all tokens.</summary>
    private static void LayBeside(RoutineBuilder builder, MatrixPlan plan, Label lower, Label upper)
    {
        Assembler code = builder.Code;
        code.vmovups(zmm30, __zmmword_ptr[lower]);
        code.vmovups(zmm31, __zmmword_ptr[upper]);
        code.mov(rax, MatrixArguments.Kept(0));
        code.mov(rdx, MatrixArguments.Kept(4));
        code.mov(r9, MatrixArguments.Tokens);
        Label pairs = builder.Begin("pairs");
        code.vmovups(zmm0, __zmmword_ptr[rax]);
        code.vmovups(zmm1, __zmmword_ptr[rax + plan.RowBytes]);
        code.vmovaps(zmm2, zmm0);
        code.vpermt2w(zmm2, zmm30, zmm1);
        code.vpermt2w(zmm0, zmm31, zmm1);
        code.vmovups(__zmmword_ptr[rdx], zmm2);
        code.vmovups(__zmmword_ptr[rdx + MatrixPlan.VectorBytes], zmm0);
        code.add(rax, 2 * plan.RowBytes);
        code.add(rdx, MatrixPlan.PairBytes);
        code.sub(r9, 2);
        code.jne(pairs);
    }

    /// <summary>Tiles of columns by a panel of dimensions: r8 at the sums, r10 at the pairs of probabilities, r11 at the factors.</summary>
    private static void ValueTiles(RoutineBuilder builder, MatrixPlan plan, int columns, int count)
    {
        Assembler code = builder.Code;
        AssemblerMemoryOperand left = MatrixArguments.Kept(3);
        AssemblerRegisterZMM first = Vector(2 * columns);
        AssemblerRegisterZMM second = Vector((2 * columns) + 1);
        AssemblerRegisterZMM broadcast = Vector((2 * columns) + 2);
        string name = $"columns{columns}";
        if (count > 1)
        {
            code.mov(left, count);
        }

        Label again = builder.Begin(name);
        for (int i = 0; i < 2 * columns; i++)
        {
            code.vpxord(Vector(i), Vector(i), Vector(i));
        }

        code.mov(rax, MatrixArguments.Kept(4));
        code.mov(rdx, r10);
        code.mov(r9, MatrixArguments.Tokens);
        Label tokens = builder.Begin($"{name}Tokens");
        code.vmovups(first, __zmmword_ptr[rax]);
        code.vmovups(second, __zmmword_ptr[rax + MatrixPlan.VectorBytes]);
        for (int column = 0; column < columns; column++)
        {
            code.vpbroadcastd(broadcast, __dword_ptr[rdx + (column * sizeof(float))]);
            code.vdpbf16ps(Vector(2 * column), first, broadcast);
            code.vdpbf16ps(Vector((2 * column) + 1), second, broadcast);
        }

        code.add(rax, MatrixPlan.PairBytes);
        code.add(rdx, 2 * plan.ScoreBytes);
        code.sub(r9, 2);
        code.jne(tokens);
        for (int column = 0; column < columns; column++)
        {
            code.vbroadcastss(broadcast, __dword_ptr[r11 + (column * sizeof(float))]);
            for (int vector = 0; vector < 2; vector++)
            {
                int place = (column * plan.ValueDim * sizeof(float)) + (vector * MatrixPlan.VectorBytes);
                code.vfmadd231ps(Vector((2 * column) + vector), broadcast, __zmmword_ptr[r8 + place]);
                code.vmovups(__zmmword_ptr[r8 + place], Vector((2 * column) + vector));
            }
        }

        code.add(r8, columns * plan.ValueDim * sizeof(float));
        code.add(r10, columns * sizeof(float));
        code.add(r11, columns * sizeof(float));
        if (count > 1)
        {
            code.dec(left);
            code.jne(again);
        }
    }

    /// <summary>For each word of a vector, which of two vectors' words it takes: one of each in turn, of their lower halves and of their upper ones.</summary>
    public static (Label Lower, Label Upper) Interleavings(RoutineBuilder builder)
    {
        const int Words = MatrixPlan.VectorBytes / sizeof(short);
        return (builder.Constant("lower", Interleaving(0)), builder.Constant("upper", Interleaving(Words / 2)));

        static byte[] Interleaving(int first)
        {
            byte[] words = new byte[MatrixPlan.VectorBytes];
            for (int i = 0; i < Words; i++)
            {
                words[2 * i] = (byte)(first + (i / 2) + (i % 2 * Words));
            }

            return words;
        }
    }
}
