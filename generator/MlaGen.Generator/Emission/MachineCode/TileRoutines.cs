using Iced.Intel;
using MlaGen.Generator.Planning;
using static Iced.Intel.AssemblerRegisters;
using static MlaGen.Generator.Emission.MachineCode.RoutineBuilder;

namespace MlaGen.Generator.Emission.MachineCode;

/// <summary>
/// The two routines of an absorbed core on <c>tdpbf16ps</c>: a tile of 16 rows of 32 bfloat16 by one of 16 pairs by 16 columns, added to 16 by 16 floats.
/// Every sum is formed in one order, whichever tile it lies in; the terms of a sum of terms follow each other at each step of the depth. While the scores of
/// the first panels have rows in the nearest cache, their latents are laid beside each other, two tokens at a time, for the values; and the rows that will be
/// needed next are asked for. Neither is done again for the next query token of a sequence.
/// </summary>
internal static class TileRoutines
{
    private const int TileRows = MatrixPlan.TileRows;
    private const int TileBytes = TileRows * MatrixPlan.VectorBytes;

    /// <summary>Tiles of rows and of queries for what whole tiles leave of the depth.</summary>
    private const int RowTail = MatrixPlan.Tiles - 2;
    private const int QueryTail = MatrixPlan.Tiles - 1;

    /// <summary>
    /// <c>score[token][column] = Σ row[token][d] · query[d][column]</c>: cached rows are the left operand as they lie, pairs of queries the right one.
    /// </summary>
    public static Routine Scores(MatrixPlan plan) => Assemble(
        builder =>
        {
            Assembler code = builder.Code;
            Configure(builder, plan.DepthTail);
            AssemblerMemoryOperand left = MatrixArguments.Kept(0);
            AssemblerMemoryOperand pairs = MatrixArguments.Kept(3);
            (Label lower, Label upper) = PairRoutines.Interleavings(builder);
            code.vmovups(zmm30, __zmmword_ptr[lower]);
            code.vmovups(zmm31, __zmmword_ptr[upper]);
            code.mov(rax, MatrixArguments.Scratch);
            code.mov(pairs, rax);
            code.mov(rax, MatrixArguments.Tokens);
            code.mov(left, rax);
            code.mov(rax, MatrixArguments.Rows);
            code.mov(r8, MatrixArguments.Scores);
            code.mov(r10d, plan.RowBytes);
            code.mov(r11d, plan.Terms * MatrixPlan.VectorBytes);
            Label tokens = builder.Begin("tokens");

            // While a tile is worked on, the rows of the next one are asked for; behind the last one of a block, those of the next block.
            code.mov(r9, rax);
            code.add(r9, plan.TokenTile * plan.RowBytes);
            code.cmp(left, plan.TokenTile);
            code.cmove(r9, MatrixArguments.Upcoming);
            code.mov(rdx, MatrixArguments.Queries);
            int panels = Math.Min(2, plan.Panels);
            int groups = plan.Panels / panels;
            Label others = builder.Later("others");
            Label last = builder.Later("last");
            AssemblerMemoryOperand panelsLeft = MatrixArguments.Kept(1);
            code.mov(panelsLeft, groups);
            code.cmp(MatrixArguments.Sharing, MatrixArguments.Again);
            code.je(others);
            ScoreTiles(builder, plan, "first", panels, laysBeside: true, asks: true);
            code.dec(panelsLeft);
            code.je(last);
            builder.Begin(others, "others");
            ScoreTiles(builder, plan, "others", panels, laysBeside: false, asks: groups > 1);
            code.dec(panelsLeft);
            code.jne(others);
            builder.Begin(last, "last");
            if (plan.Panels > panels && plan.Panels % 2 != 0)
            {
                ScoreTiles(builder, plan, "last", panels: 1, laysBeside: false, asks: true);
            }

            code.add(pairs, plan.TokenTile / 2 * MatrixPlan.PairBytes);
            code.add(rax, plan.TokenTile * plan.RowBytes);
            code.add(r8, (plan.TokenTile * plan.ScoreBytes) - (plan.Columns * sizeof(float)));
            code.sub(left, plan.TokenTile);
            code.jne(tokens);
        },
        Release);

    /// <summary>
    /// <c>sum[column][i] = sum[column][i] · rescale[column] + Σ probability[token][column] · latent[token][i]</c>: tiles of turned probabilities are the left operand;
    /// latents that the scores laid beside each other are the right one, a panel of dimensions after the other.
    /// </summary>
    public static Routine Values(MatrixPlan plan) => Assemble(
        builder =>
        {
            Assembler code = builder.Code;
            AssemblerMemoryOperand pairs = MatrixArguments.Kept(0);
            AssemblerMemoryOperand sum = MatrixArguments.Kept(1);
            AssemblerMemoryOperand dimensionsLeft = MatrixArguments.Kept(2);
            Configure(builder);
            code.mov(rax, MatrixArguments.Scratch);
            code.mov(pairs, rax);
            code.mov(rax, MatrixArguments.Sums);
            code.mov(sum, rax);
            code.mov(dimensionsLeft, plan.ValueDim / plan.DimensionPanel);
            Label dimensions = builder.Begin("dimensions");
            ValueTiles(builder, plan);
            code.add(pairs, plan.DimensionPanel / MatrixPlan.PairDimensions * plan.PairedPanelBytes);
            code.add(sum, plan.DimensionPanel * sizeof(float));
            code.dec(dimensionsLeft);
            code.jne(dimensions);
        },
        Release);

    /// <summary>Eight tiles of 16 rows of 64 bytes; where the depth is no whole tiles, the last two are as narrow and as low as what is left of it.</summary>
    public static void Configure(RoutineBuilder builder, int depthTail = 0)
    {
        const int Palette = 0;
        const int RowBytes = 16;
        const int Rows = 48;
        byte[] configuration = new byte[MatrixPlan.VectorBytes];
        configuration[Palette] = 1;
        for (int tile = 0; tile < MatrixPlan.Tiles; tile++)
        {
            configuration[RowBytes + (2 * tile)] = MatrixPlan.VectorBytes;
            configuration[Rows + tile] = TileRows;
        }

        if (depthTail > 0)
        {
            configuration[RowBytes + (2 * RowTail)] = (byte)(sizeof(short) * depthTail);
            configuration[Rows + QueryTail] = (byte)(depthTail / 2);
        }

        builder.Code.ldtilecfg(__[builder.Constant("tiles", configuration)]);
    }

    /// <summary>Gives the tiles back.</summary>
    public static void Release(Assembler code)
    {
        code.tilerelease();
        code.vzeroupper();
    }

    /// <summary>A tile.</summary>
    public static AssemblerRegisterTMM Tile(int index) => new(Register.TMM0 + index);

    /// <summary>
    /// A tile of tokens by one or two panels of queries: rax at the tile's rows, rdx at the queries, r8 at the scores, r9 at the rows to ask for, if it asks.
    /// </summary>
    private static void ScoreTiles(RoutineBuilder builder, MatrixPlan plan, string name, int panels, bool laysBeside, bool asks)
    {
        Assembler code = builder.Code;
        AssemblerMemoryOperand end = MatrixArguments.Kept(2);
        AssemblerMemoryOperand tilePairs = MatrixArguments.Kept(3);
        AssemblerMemoryOperand pairs = MatrixArguments.Kept(4);
        AssemblerMemoryOperand upcoming = MatrixArguments.Kept(5);
        int depthBytes = plan.Depth / MatrixPlan.TileDepth * plan.Terms * TileBytes;
        int tokenTiles = plan.TokenTile / TileRows;
        int sums = tokenTiles * panels;

        // Rows stay in their tiles for all queries of a step where there are tiles enough; else each is loaded before its product.
        int tiles = MatrixPlan.Tiles - plan.TailTiles;
        bool keepsRows = sums + tokenTiles + 1 <= tiles;
        int rowTiles = keepsRows ? tokenTiles : 1;
        int queryTiles = Math.Min(panels * plan.Terms, tiles - sums - rowTiles);
        for (int i = 0; i < sums; i++)
        {
            code.tilezero(Tile(i));
        }

        int steps = plan.Depth / MatrixPlan.TileDepth;
        int latentSteps = plan.ValueDim / MatrixPlan.TileDepth;
        if (laysBeside)
        {
            code.mov(upcoming, r9);
            code.mov(r9, tilePairs);
            code.mov(pairs, r9);
            code.mov(r9, upcoming);
            Steps($"{name}Latents", latentSteps, isLatent: true);
            if (steps > latentSteps)
            {
                Steps($"{name}Depth", steps - latentSteps, isLatent: false);
            }
        }
        else
        {
            Steps($"{name}Depth", steps, isLatent: false);
        }

        for (int i = 0; plan.DepthTail > 0 && i < panels * plan.Terms; i++)
        {
            (int panel, int term) = (i / plan.Terms, i % plan.Terms);
            code.tileloaddt1(Tile(QueryTail), __[rdx + r11 + ((panel * plan.PanelBytes) + (term * MatrixPlan.VectorBytes))]);
            for (int token = 0; token < tokenTiles; token++)
            {
                code.tileloadd(Tile(RowTail), __[rax + r10 + (token * TileRows * plan.RowBytes)]);
                code.tdpbf16ps(Tile((token * panels) + panel), Tile(RowTail), Tile(QueryTail));
            }
        }

        code.mov(r11d, plan.ScoreBytes);
        for (int i = 0; i < sums; i++)
        {
            code.tilestored(__[r8 + r11 + ((i / panels * TileRows * plan.ScoreBytes) + (i % panels * MatrixPlan.VectorBytes))], Tile(i));
        }

        code.mov(r11d, plan.Terms * MatrixPlan.VectorBytes);
        code.sub(rax, plan.RowBytes - (sizeof(short) * plan.DepthTail));
        code.add(rdx, (panels * plan.PanelBytes) - depthBytes);
        code.add(r8, panels * MatrixPlan.VectorBytes);

        void Steps(string label, int count, bool isLatent)
        {
            int bytes = count * plan.Terms * TileBytes;
            code.add(rdx, bytes);
            code.mov(end, rdx);
            code.sub(rdx, bytes);
            Label depth = builder.Begin(label);
            if (isLatent)
            {
                code.mov(upcoming, r9);
                code.mov(r9, pairs);
            }

            if (keepsRows)
            {
                for (int token = 0; token < tokenTiles; token++)
                {
                    code.tileloadd(Tile(sums + token), __[rax + r10 + (token * TileRows * plan.RowBytes)]);
                }
            }

            int loaded = 0;
            int laid = 0;
            int products = panels * plan.Terms * tokenTiles;
            int done = 0;
            for (int panel = 0; panel < panels; panel++)
            {
                for (int term = 0; term < plan.Terms; term++)
                {
                    // Queries stream by, a tile of tokens after the other: rows are what should stay in the first-level cache.
                    AssemblerRegisterTMM query = Tile(sums + rowTiles + (loaded++ % queryTiles));
                    code.tileloaddt1(query, __[rdx + r11 + ((panel * plan.PanelBytes) + (term * MatrixPlan.VectorBytes))]);
                    for (int token = 0; token < tokenTiles; token++)
                    {
                        AssemblerRegisterTMM row = Tile(sums + (keepsRows ? token : 0));
                        if (!keepsRows)
                        {
                            code.tileloadd(row, __[rax + r10 + (token * TileRows * plan.RowBytes)]);
                        }

                        code.tdpbf16ps(Tile((token * panels) + panel), row, query);
                        done++;
                        for (; isLatent && laid < plan.TokenTile / 2 * done / products; laid++)
                        {
                            LayBeside(code, plan, laid);
                        }
                    }
                }
            }

            if (isLatent)
            {
                code.add(r9, plan.PairedPanelBytes);
                code.mov(pairs, r9);
                code.mov(r9, upcoming);
            }

            for (int line = 0; asks && line < plan.PrefetchLines; line++)
            {
                code.prefetcht1(__byte_ptr[r9 + (line * MatrixPlan.VectorBytes)]);
            }

            if (asks)
            {
                code.add(r9, plan.PrefetchLines * MatrixPlan.VectorBytes);
            }

            code.add(rax, MatrixPlan.VectorBytes);
            code.add(rdx, plan.Terms * TileBytes);
            code.cmp(rdx, end);
            code.jne(depth);
        }
    }

    /// <summary>Lays the latents of two tokens of a tile beside each other, element by element: rax at the tile's rows, r9 at its pairs.</summary>
    private static void LayBeside(Assembler code, MatrixPlan plan, int pair)
    {
        // Three vectors a pair, others each time: none waits for the one before.
        const int Vectors = 27;
        int first = pair * 3 % Vectors;
        (AssemblerRegisterZMM one, AssemblerRegisterZMM other, AssemblerRegisterZMM both) = (Vector(first), Vector(first + 1), Vector(first + 2));
        code.vmovups(one, __zmmword_ptr[rax + (2 * pair * plan.RowBytes)]);
        code.vmovups(other, __zmmword_ptr[rax + (((2 * pair) + 1) * plan.RowBytes)]);
        code.vmovaps(both, one);
        code.vpermt2w(both, zmm30, other);
        code.vpermt2w(one, zmm31, other);
        code.vmovups(__zmmword_ptr[r9 + (pair * MatrixPlan.PairBytes)], both);
        code.vmovups(__zmmword_ptr[r9 + ((pair * MatrixPlan.PairBytes) + MatrixPlan.VectorBytes)], one);
    }

    /// <summary>All columns by a panel of dimensions.</summary>
    private static void ValueTiles(RoutineBuilder builder, MatrixPlan plan)
    {
        Assembler code = builder.Code;
        AssemblerMemoryOperand weights = MatrixArguments.Kept(3);
        AssemblerMemoryOperand sum = MatrixArguments.Kept(4);
        AssemblerMemoryOperand rescale = MatrixArguments.Kept(5);
        AssemblerMemoryOperand left = MatrixArguments.Kept(6);
        int dimensionTiles = plan.DimensionPanel / TileRows;
        code.mov(rax, MatrixArguments.Scores);
        code.mov(weights, rax);
        code.mov(rax, MatrixArguments.Kept(1));
        code.mov(sum, rax);
        code.mov(rax, MatrixArguments.Rescale);
        code.mov(rescale, rax);
        code.mov(left, plan.Heads);
        if (plan.Panels >= 2)
        {
            Group(panels: 2, again: plan.Panels / 2 > 1);
        }

        if (plan.Panels % 2 != 0)
        {
            Group(panels: 1, again: false);
        }

        void Group(int panels, bool again)
        {
            string name = panels == 1 ? "columns" : "columnPairs";
            int sums = panels * dimensionTiles;
            Label group = builder.Begin(name);
            for (int i = 0; i < sums; i++)
            {
                code.tilezero(Tile(i));
            }

            code.mov(rax, weights);
            code.mov(rdx, MatrixArguments.Kept(0));
            code.mov(r9, MatrixArguments.Tokens);
            code.mov(r10d, MatrixPlan.VectorBytes);
            code.mov(r11d, MatrixPlan.PairBytes);
            Label tokens = builder.Begin($"{name}Tokens");
            int latentTiles = Math.Min(dimensionTiles, MatrixPlan.Tiles - sums - 1);
            int weightTiles = MatrixPlan.Tiles - sums - latentTiles;

            // Where there are too few tiles, latents from one on take turns at the last.
            int kept = dimensionTiles > latentTiles ? latentTiles - 1 : latentTiles;
            for (int i = 0; i < kept; i++)
            {
                code.tileloadd(Tile(sums + i), __[rdx + r11 + LatentPlace(i)]);
            }

            int loaded = 0;
            for (int panel = 0; panel < panels; panel++)
            {
                for (int term = 0; term < plan.Terms; term++)
                {
                    AssemblerRegisterTMM weight = Tile(sums + latentTiles + (loaded++ % weightTiles));
                    code.tileloadd(weight, __[rax + r10 + ((panel * plan.PanelWeights * sizeof(int)) + (term * TileBytes))]);
                    for (int i = 0; i < dimensionTiles; i++)
                    {
                        AssemblerRegisterTMM latents = Tile(sums + Math.Min(i, kept));
                        if (i >= kept)
                        {
                            code.tileloadd(latents, __[rdx + r11 + LatentPlace(i)]);
                        }

                        code.tdpbf16ps(Tile((panel * dimensionTiles) + i), weight, latents);
                    }
                }
            }

            code.add(rax, plan.Terms * TileBytes);
            code.add(rdx, TileRows * MatrixPlan.PairBytes);
            code.sub(r9, MatrixPlan.TileDepth);
            code.jne(tokens);

            // The sums of a block go through memory to vectors, which add them to those so far.
            code.mov(rax, MatrixArguments.Scratch);
            code.add(rax, plan.PairedBytes);
            int stride = plan.DimensionPanel * sizeof(float);
            code.mov(r9d, stride);
            for (int i = 0; i < sums; i++)
            {
                code.tilestored(__[rax + r9 + ((i / dimensionTiles * TileRows * stride) + (i % dimensionTiles * MatrixPlan.VectorBytes))], Tile(i));
            }

            code.mov(r8, sum);
            code.mov(rdx, rescale);
            code.mov(r9d, panels * TileRows);
            code.cmp(r9, left);
            code.cmovg(r9, left);
            Label column = builder.Begin($"{name}Add");
            code.vbroadcastss(zmm0, __dword_ptr[rdx]);
            for (int i = 0; i < dimensionTiles; i++)
            {
                code.vmovups(Vector(1 + i), __zmmword_ptr[rax + (i * MatrixPlan.VectorBytes)]);
                code.vfmadd231ps(Vector(1 + i), zmm0, __zmmword_ptr[r8 + (i * MatrixPlan.VectorBytes)]);
                code.vmovups(__zmmword_ptr[r8 + (i * MatrixPlan.VectorBytes)], Vector(1 + i));
            }

            code.add(rax, stride);
            code.add(rdx, sizeof(float));
            code.add(r8, plan.ValueDim * sizeof(float));
            code.dec(r9);
            code.jne(column);
            code.mov(sum, r8);
            code.mov(rescale, rdx);
            code.mov(rax, weights);
            code.add(rax, panels * plan.PanelWeights * sizeof(int));
            code.mov(weights, rax);
            code.sub(left, panels * TileRows);
            if (again)
            {
                // Whole groups are left, or a last one that may be a part of one.
                Again(group);
            }
        }

        int LatentPlace(int tile)
        {
            const int PanelTiles = MatrixPlan.PairBytes / MatrixPlan.VectorBytes;
            return (tile / PanelTiles * plan.PairedPanelBytes) + (tile % PanelTiles * MatrixPlan.VectorBytes);
        }

        void Again(Label group)
        {
            code.cmp(left, plan.Panels % 2 == 0 ? 0 : TileRows);
            code.jg(group);
        }
    }
}
