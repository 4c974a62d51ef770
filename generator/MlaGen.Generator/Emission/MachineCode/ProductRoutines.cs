using Iced.Intel;
using MlaGen.Generator.Planning;
using static Iced.Intel.AssemblerRegisters;
using static MlaGen.Generator.Emission.MachineCode.RoutineBuilder;

namespace MlaGen.Generator.Emission.MachineCode;

/// <summary>
/// The routines of products of rows with weights, which belong to no class: the runtime has them, assembled beforehand, in files that a test writes. Sizes are
/// those of the runtime's BFloat16Packing. An output's products are added in order of the depth, whichever routine forms them: alone or among others, a row has the same bits.
/// </summary>
internal static class ProductRoutines
{
    /// <summary>Elements of a row's block: the depth that is worked on at a time.</summary>
    public const int BlockDepth = 512;

    /// <summary>Bytes from a row's block to the next row's: an odd number of cache lines, so that rows beside each other crowd no set of a cache.</summary>
    public const int RowBytes = (2 * BlockDepth) + MatrixPlan.VectorBytes;

    /// <summary>Bytes from the sums of a row to those of the next.</summary>
    public const int SumBytes = 8 * MatrixPlan.VectorBytes;

    /// <summary>Panels that a single row meets at once: enough sums to hide the latency of an addition.</summary>
    public const int StripPanels = 8;

    /// <summary>Bytes of a panel that are asked for ahead of their use, beyond the page at whose end the processor's own prefetching stops.</summary>
    private const int StripPrefetch = 2048;

    /// <summary>Lines of each of two upcoming panels that a step of tiles asks for: 256 rows ask for a whole block of both.</summary>
    private const int UpcomingLines = 2;

    /// <summary>Panels that a tile of rows meets at a time.</summary>
    private const int TilePanels = 2;

    private const int TileBytes = MatrixPlan.TileRows * MatrixPlan.VectorBytes;

    /// <summary>Every routine, by its name.</summary>
    public static IReadOnlyList<(string Name, string Summary, Routine Routine)> All =>
    [
        ("PairRows12", "AVX512-BF16: tiles of 12 rows by two panels of weights in pairs.", PairRows(12)),
        ("PairRows4", "AVX512-BF16: tiles of 4 rows by two panels of weights in pairs, for what remains of many rows.", PairRows(4)),
        ("PairRow8", "AVX512-BF16: one row by eight panels of weights as they lie.", PairRow(StripPanels)),
        ("PairRow1", "AVX512-BF16: one row by a panel of weights as it lies.", PairRow(1)),
        .. Tiled("Medium", "inputs of one term", terms: 1),
        .. Tiled("High", "inputs of two terms", terms: 2),
    ];

    private static IEnumerable<(string Name, string Summary, Routine Routine)> Tiled(string precision, string inputs, int terms)
    {
        yield return ($"TileRows32{precision}", $"AMX, {inputs}: two tiles of rows by two panels of weights in pairs.", TileRows(2, terms));
        yield return ($"TileRows16{precision}", $"AMX, {inputs}: one tile of rows by two panels of weights in pairs.", TileRows(1, terms));
        yield return ($"TileRow8{precision}", $"What AMX would add, {inputs}: one row by eight panels of weights as they lie.", TileRow(StripPanels, terms));
        yield return ($"TileRow1{precision}", $"What AMX would add, {inputs}: one row by a panel of weights as it lies.", TileRow(1, terms));
    }

    /// <summary><c>sum[row][output] += Σ input[row][k] · weight[k][output]</c>: pairs of inputs broadcast, outputs of two panels in lanes.</summary>
    private static Routine PairRows(int rows) => Assemble(
        builder =>
        {
            const int Panels = 2;
            Assembler code = builder.Code;
            int sums = rows * Panels;
            AssemblerRegisterZMM broadcast = Vector(sums + Panels);
            code.mov(r10, ProductArguments.Rows);
            code.mov(r8, ProductArguments.Sums);
            code.mov(r11, ProductArguments.Tiles);
            Label tiles = builder.Begin("tiles");
            for (int i = 0; i < sums; i++)
            {
                code.vmovups(Vector(i), __zmmword_ptr[r8 + Sum(i)]);
            }

            code.mov(rax, r10);
            code.mov(rdx, ProductArguments.Weights);
            code.mov(r9, ProductArguments.Depth);
            Label depth = builder.Begin("depth");
            for (int panel = 0; panel < Panels; panel++)
            {
                code.vmovups(Vector(sums + panel), __zmmword_ptr[rdx + (panel * MatrixPlan.VectorBytes)]);
            }

            for (int row = 0; row < rows; row++)
            {
                code.vpbroadcastd(broadcast, __dword_ptr[rax + (row * RowBytes)]);
                for (int panel = 0; panel < Panels; panel++)
                {
                    code.vdpbf16ps(Vector((row * Panels) + panel), Vector(sums + panel), broadcast);
                }
            }

            code.add(rax, sizeof(int));
            code.add(rdx, Panels * MatrixPlan.VectorBytes);
            code.dec(r9);
            code.jne(depth);
            for (int i = 0; i < sums; i++)
            {
                code.vmovups(__zmmword_ptr[r8 + Sum(i)], Vector(i));
            }

            code.add(r10, rows * RowBytes);
            code.add(r8, rows * SumBytes);
            code.dec(r11);
            code.jne(tiles);

            static int Sum(int i) => (i / Panels * SumBytes) + (i % Panels * MatrixPlan.VectorBytes);
        },
        static code => code.vzeroupper());

    /// <summary>The same for one row and panels that are streamed from memory: two depths become pairs in a register.</summary>
    private static Routine PairRow(int panels) => Assemble(
        builder =>
        {
            Assembler code = builder.Code;
            AssemblerRegisterZMM broadcast = Vector(panels);
            AssemblerRegisterZMM pairs = Vector(panels + 1);
            AssemblerRegisterZMM places = Vector(31);
            code.vmovups(places, __zmmword_ptr[PairPlaces(builder)]);
            Panels(code, panels);
            code.mov(r11, ProductArguments.Sums);
            for (int i = 0; i < panels; i++)
            {
                code.vmovups(Vector(i), __zmmword_ptr[r11 + (i * MatrixPlan.VectorBytes)]);
            }

            code.mov(r10, ProductArguments.Rows);
            code.mov(r11, ProductArguments.Depth);
            Label depth = builder.Begin("depth");
            code.vpbroadcastd(broadcast, __dword_ptr[r10]);
            for (int i = 0; i < panels; i++)
            {
                code.vpermw(pairs, places, __zmmword_ptr[Panel(i)]);
                code.vdpbf16ps(Vector(i), pairs, broadcast);
                code.prefetcht0(__byte_ptr[Panel(i) + StripPrefetch]);
            }

            code.add(r10, sizeof(int));
            MovePanels(code, panels, MatrixPlan.VectorBytes);
            code.dec(r11);
            code.jne(depth);
            code.mov(r11, ProductArguments.Sums);
            for (int i = 0; i < panels; i++)
            {
                code.vmovups(__zmmword_ptr[r11 + (i * MatrixPlan.VectorBytes)], Vector(i));
            }
        },
        static code => code.vzeroupper());

    /// <summary>
    /// <c>sum[row][output] += Σ input[row][k] · weight[k][output]</c>: tiles of rows by two panels of outputs; the terms of a row follow each other at each step of the depth.
    /// While the first rows are multiplied, the weights of two depths are laid beside each other for the step after; in each step the rows of the next one are asked for.
    /// </summary>
    private static Routine TileRows(int rowTiles, int terms) => Assemble(
        builder =>
        {
            Assembler code = builder.Code;
            int sums = rowTiles * TilePanels;
            int stepBytes = rowTiles * terms * TileBytes;
            AssemblerMemoryOperand left = ProductArguments.Kept(0);
            AssemblerMemoryOperand rows = ProductArguments.Kept(1);
            AssemblerMemoryOperand sumsOfRows = ProductArguments.Kept(2);
            AssemblerMemoryOperand resultOfRows = ProductArguments.Kept(3);
            AssemblerMemoryOperand depthLeft = ProductArguments.Kept(4);
            TileRoutines.Configure(builder);
            code.mov(rax, ProductArguments.Tiles);
            code.mov(left, rax);
            code.mov(rax, ProductArguments.Result);
            code.mov(resultOfRows, rax);
            code.mov(rax, ProductArguments.Sums);
            code.mov(sumsOfRows, rax);
            code.mov(rax, ProductArguments.Rows);
            code.mov(rows, rax);
            code.mov(r8, ProductArguments.PanelBytes);
            code.mov(r9, ProductArguments.Upcoming);
            code.mov(r10d, MatrixPlan.VectorBytes);
            Label others = builder.Later("others");
            code.mov(r11, ProductArguments.Weights);
            code.test(r11, r11);
            code.je(others);

            // The first rows.
            code.vmovups(zmm31, __zmmword_ptr[PairPlaces(builder)]);
            Sums("first");
            code.mov(r11, ProductArguments.Weights);
            for (int pair = 0; pair < MatrixPlan.TileRows; pair++)
            {
                LayBeside(pair, step: 0);
            }

            Label last = builder.Later("last");
            code.dec(depthLeft);
            code.je(last);
            Label laying = builder.Begin("laying");
            code.add(r11, MatrixPlan.TileRows * MatrixPlan.VectorBytes);
            int laid = 0;
            int products = 0;
            Step(() =>
            {
                products++;
                for (; laid < MatrixPlan.TileRows * products / (sums * terms); laid++)
                {
                    LayBeside(laid, step: 1);
                }
            });
            code.dec(depthLeft);
            code.jne(laying);
            builder.Begin(last, "last");
            Step(static () => { });
            Finish();
            Label done = builder.Later("done");
            code.dec(left);
            code.je(done);

            builder.Begin(others, "others");
            Sums("other");
            Label depth = builder.Begin("depth");
            Step(static () => { });
            code.dec(depthLeft);
            code.jne(depth);
            Finish();
            code.dec(left);
            code.jne(others);
            builder.Begin(done, "done");

            void Sums(string name)
            {
                Label earlier = builder.Later($"{name}Earlier");
                Label begun = builder.Later($"{name}Begun");
                code.cmp(ProductArguments.IsFirst, 0);
                code.je(earlier);
                for (int i = 0; i < sums; i++)
                {
                    code.tilezero(TileRoutines.Tile(i));
                }

                // Tiles that are cleared leave the flags: the jump is always taken.
                code.jne(begun);
                builder.Begin(earlier, $"{name}Earlier");
                code.mov(rax, sumsOfRows);
                code.mov(r11d, TilePanels * MatrixPlan.VectorBytes);
                for (int i = 0; i < sums; i++)
                {
                    code.tileloadd(TileRoutines.Tile(i), __[rax + r11 + ((i / TilePanels * TilePanels * TileBytes) + (i % TilePanels * MatrixPlan.VectorBytes))]);
                }

                builder.Begin(begun, $"{name}Begun");
                code.mov(rax, ProductArguments.Depth);
                code.mov(depthLeft, rax);
                code.mov(rax, rows);
                code.mov(rdx, ProductArguments.Pairs);
            }

            void Step(Action afterProduct)
            {
                for (int panel = 0; panel < TilePanels; panel++)
                {
                    code.tileloadd(TileRoutines.Tile(sums + panel), __[rdx + r10 + (panel * TileBytes)]);
                }

                for (int term = 0; term < terms; term++)
                {
                    for (int row = 0; row < rowTiles; row++)
                    {
                        AssemblerRegisterTMM inputs = TileRoutines.Tile(sums + TilePanels + row);
                        code.tileloadd(inputs, __[rax + r10 + (((row * terms) + term) * TileBytes)]);
                        for (int panel = 0; panel < TilePanels; panel++)
                        {
                            code.tdpbf16ps(TileRoutines.Tile((row * TilePanels) + panel), inputs, TileRoutines.Tile(sums + panel));
                            afterProduct();
                        }
                    }
                }

                // The rows of the next step, which are in the second-level cache.
                for (int line = 0; line < stepBytes; line += MatrixPlan.VectorBytes)
                {
                    code.prefetcht0(__byte_ptr[rax + (stepBytes + line)]);
                }

                for (int line = 0; line < UpcomingLines; line++)
                {
                    code.prefetcht1(__byte_ptr[r9 + (line * MatrixPlan.VectorBytes)]);
                    code.prefetcht1(__byte_ptr[r9 + r8 + (line * MatrixPlan.VectorBytes)]);
                }

                code.add(r9, UpcomingLines * MatrixPlan.VectorBytes);
                code.add(rax, stepBytes);
                code.add(rdx, TilePanels * TileBytes);
            }

            void LayBeside(int pair, int step)
            {
                for (int panel = 0; panel < TilePanels; panel++)
                {
                    AssemblerRegisterZMM weights = Vector(((TilePanels * pair) + panel) % 16);
                    AssemblerMemoryOperand source = panel == 0 ? __[r11 + (pair * MatrixPlan.VectorBytes)] : __[r11 + r8 + (pair * MatrixPlan.VectorBytes)];
                    code.vpermw(weights, zmm31, source);
                    code.vmovups(__zmmword_ptr[rdx + ((((step * TilePanels) + panel) * TileBytes) + (pair * MatrixPlan.VectorBytes))], weights);
                }
            }

            // Behind the last step of rows lie the next ones.
            void Finish()
            {
                code.mov(rows, rax);
                code.mov(r11, ProductArguments.ResultBytes);
                code.mov(rax, resultOfRows);
                code.imul(rdx, r11, MatrixPlan.TileRows);
                for (int row = 0; row < rowTiles; row++)
                {
                    for (int panel = 0; panel < TilePanels; panel++)
                    {
                        code.tilestored(__[rax + r11 + (panel * MatrixPlan.VectorBytes)], TileRoutines.Tile((row * TilePanels) + panel));
                    }

                    code.add(rax, rdx);
                }

                code.mov(resultOfRows, rax);
                code.add(sumsOfRows, rowTiles * TilePanels * TileBytes);
            }
        },
        TileRoutines.Release);

    /// <summary>
    /// One row as tiles would multiply it, bit for bit, on any thread: at each step of the depth the products of even elements are added from zero on, those of odd ones
    /// beside them, then both sums and what was there before, with denormals flushed as tiles flush them. Weights become floats once for all terms of the row.
    /// </summary>
    private static Routine TileRow(int panels, int terms) => Assemble(
        builder =>
        {
            const uint FlushedDenormals = 0x9FC0;
            Assembler code = builder.Code;
            AssemblerMemoryOperand control = __dword_ptr[rcx + ProductArguments.KeptOffset];
            AssemblerMemoryOperand left = ProductArguments.Kept(1);
            AssemblerRegisterZMM evenWeights = Vector(20);
            AssemblerRegisterZMM oddWeights = Vector(21);
            AssemblerRegisterZMM upper = Vector(30);
            AssemblerRegisterZMM places = Vector(31);

            // As many panels at a time as have sums of all terms in registers.
            int group = Math.Min(panels, StripPanels / terms);
            code.stmxcsr(control);
            code.ldmxcsr(__dword_ptr[builder.Constant("flushed", BitConverter.GetBytes(FlushedDenormals))]);
            code.vmovups(places, __zmmword_ptr[PairPlaces(builder)]);
            code.vpbroadcastd(upper, __dword_ptr[builder.Constant("upper", BitConverter.GetBytes(0xFFFF0000))]);
            Panels(code, panels);
            code.mov(r10, ProductArguments.Rows);
            code.mov(r11, ProductArguments.Depth);
            code.mov(left, r11);
            Label depth = builder.Begin("depth");
            for (int first = 0; first < panels; first += group)
            {
                for (int i = 0; i < terms * group; i++)
                {
                    code.vpxord(Even(i), Even(i), Even(i));
                    code.vpxord(Odd(i), Odd(i), Odd(i));
                }

                code.mov(r11d, MatrixPlan.TileRows);
                Label pairs = builder.Begin(panels > group ? $"pairs{first / group}" : "pairs");
                for (int term = 0; term < terms; term++)
                {
                    code.vpbroadcastd(OddInput(term), __dword_ptr[r10 + (term * RowBytes)]);
                    code.vpslld(EvenInput(term), OddInput(term), 16);
                    code.vpandd(OddInput(term), OddInput(term), upper);
                }

                for (int i = 0; i < group; i++)
                {
                    code.vpermw(oddWeights, places, __zmmword_ptr[Panel(first + i)]);
                    code.vpslld(evenWeights, oddWeights, 16);
                    code.vpandd(oddWeights, oddWeights, upper);
                    for (int term = 0; term < terms; term++)
                    {
                        code.vfmadd231ps(Even((term * group) + i), EvenInput(term), evenWeights);
                        code.vfmadd231ps(Odd((term * group) + i), OddInput(term), oddWeights);
                    }

                    code.prefetcht0(__byte_ptr[Panel(first + i) + StripPrefetch]);
                }

                code.add(r10, sizeof(int));
                MovePanels(code, panels, MatrixPlan.VectorBytes);
                code.dec(r11);
                code.jne(pairs);
                code.mov(r11, ProductArguments.Sums);
                for (int i = 0; i < terms * group; i++)
                {
                    AssemblerMemoryOperand sum = __zmmword_ptr[r11 + ((first + (i % group)) * MatrixPlan.VectorBytes)];
                    code.vaddps(Even(i), Even(i), Odd(i));
                    code.vaddps(Even(i), Even(i), sum);
                    code.vmovups(sum, Even(i));
                }

                if (first + group < panels)
                {
                    MovePanels(code, panels, -MatrixPlan.TileRows * MatrixPlan.VectorBytes);
                    code.sub(r10, MatrixPlan.VectorBytes);
                }
            }

            code.dec(left);
            code.jne(depth);
            code.ldmxcsr(control);

            static AssemblerRegisterZMM Even(int sum) => Vector(sum);

            static AssemblerRegisterZMM Odd(int sum) => Vector(StripPanels + sum);

            static AssemblerRegisterZMM EvenInput(int term) => Vector((2 * StripPanels) + (2 * term));

            static AssemblerRegisterZMM OddInput(int term) => Vector((2 * StripPanels) + (2 * term) + 1);
        },
        static code => code.vzeroupper());

    /// <summary>Up to eight panels as far from each other as the arguments say: rax at the first, r8 at the fourth, r9 at the seventh.</summary>
    private static void Panels(Assembler code, int panels)
    {
        code.mov(rax, ProductArguments.Weights);
        if (panels > 1)
        {
            code.mov(rdx, ProductArguments.PanelBytes);
            code.mov(r8, rax);
            code.mov(r9, rax);
            for (int i = 0; i < 3; i++)
            {
                code.add(r8, rdx);
            }

            for (int i = 0; i < 6; i++)
            {
                code.add(r9, rdx);
            }
        }
    }

    private static AssemblerMemoryOperand Panel(int panel)
    {
        AssemblerRegister64 first = (panel / 3) switch { 0 => rax, 1 => r8, _ => r9 };
        return panel % 3 == 0 ? __[first] : __[first + (rdx * (panel % 3))];
    }

    private static void MovePanels(Assembler code, int panels, int bytes)
    {
        code.add(rax, bytes);
        if (panels > 1)
        {
            code.add(r8, bytes);
            code.add(r9, bytes);
        }
    }

    /// <summary>For each word of a vector, which word it takes of two depths that follow each other: those of one output side by side.</summary>
    private static Label PairPlaces(RoutineBuilder builder)
    {
        const int Words = MatrixPlan.VectorBytes / sizeof(short);
        byte[] places = new byte[MatrixPlan.VectorBytes];
        for (int i = 0; i < Words; i++)
        {
            places[2 * i] = (byte)((i / 2) + (i % 2 * (Words / 2)));
        }

        return builder.Constant("places", places);
    }
}
