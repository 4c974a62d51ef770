using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Planning;

namespace MlaGen.Generator.Emission.Vectors;

/// <summary>
/// Writes the three parts of an attention core as one plan cuts it: scores, softmax, values. The absorbed core of decoding and the
/// decompressed one of prefill differ in their plans alone, and in whether the number of columns is known to the compiler.
/// </summary>
internal sealed class CoreEmitter(CodeWriter writer, CorePlan plan)
{
    private readonly TileEmitter _tiles = new(writer, plan);

    /// <summary>The number of columns, as the emitted code says it.</summary>
    private string Columns => plan.IsAbsorbed ? $"{plan.Columns}" : "columns";

    private string ColumnsParameter => plan.IsAbsorbed ? string.Empty : "int columns, ";

    public void Scores()
    {
        int widest = plan.TokenTiles[0];
        writer.Summary(
            $"Scores of a block: score[token][column] = Σ key[token][d] · query[d][column], {Counted.Of(plan.Depth, "product")} each.\n" +
            $"Columns lie in lanes, a token's elements are broadcast. The last tile of {widest} tokens moves back over the one before it:\n" +
            "what it computes twice has the same bits.");
        using (writer.KernelMethod($"Scores(ref float keys, int tokens, {(plan.PrefetchesRows ? "ref byte upcoming, IntPtr distance, int cachedRowBytes, " : string.Empty)}ref float queries, {ColumnsParameter}ref float scores)"))
        {
            if (plan.PrefetchesQueries)
            {
                writer.Line($"// The {plan.Columns} queries behind these, which are next.");
                writer.Line("ref byte upcoming = ref Unsafe.As<float, byte>(ref queries);");
            }

            for (int i = 0; i < plan.TokenTiles.Count; i++)
            {
                int tile = plan.TokenTiles[i];
                writer.Line(i == 0 ? $"if (tokens >= {tile})" : tile == 1 ? "else" : $"else if (tokens >= {tile})");
                using (writer.Braces())
                {
                    ScoreTileLoop(tile);
                }
            }
        }

        foreach (TilePlan tile in plan.ScoreTiles)
        {
            writer.Line();
            _tiles.Write(tile);
        }
    }

    public void Softmax()
    {
        writer.Summary(
            "Online softmax down a block: probabilities relative to the running maximum replace the scores, and the factor by which the\n" +
            "sums so far shrink is left in rescale. A column without any key keeps a maximum of -infinity and gets zeros.");
        using (writer.KernelMethod($"Softmax(int tokens, {ColumnsParameter}ref float scores, ref float statistics)"))
        {
            foreach (Stripe stripe in plan.ColumnStripes)
            {
                int step = stripe.Lanes;
                int width = stripe.Width * stripe.Tiles;
                string end = plan.IsAbsorbed ? $"{stripe.Start + width}" : "columns";
                if (plan.IsAbsorbed && width == step)
                {
                    writer.Line($"Softmax{TilePlan.Counted(step, "Column")}(tokens, {VectorText.Moved("scores", $"{stripe.Start}")}, {VectorText.Moved("statistics", $"{stripe.Start}")});");
                    continue;
                }

                using (writer.Braces($"for (int column = {stripe.Start}; column < {end}; column += {step})"))
                {
                    writer.Line($"Softmax{TilePlan.Counted(step, "Column")}(tokens, ref Unsafe.Add(ref scores, column), ref Unsafe.Add(ref statistics, column));");
                }
            }
        }

        foreach (int lanes in plan.ColumnStripes.Select(stripe => stripe.Lanes).Distinct())
        {
            writer.Line();
            SoftmaxColumns(new VectorText(lanes));
        }
    }

    public void Values()
    {
        writer.Summary(
            $"Values of a block: output[column][i] = output[column][i] · rescale[column] + Σ probability[token][column] · value[token][i].\n" +
            "Dimensions lie in lanes, a column's probability is broadcast; the sum of a block starts from zero and meets the output at its end.");
        using (writer.KernelMethod($"Values(ref float values, int tokens, ref float probabilities, {ColumnsParameter}ref float output, ref float rescale)"))
        {
            if (plan.PrefetchesQueries)
            {
                int bytes = CorePlan.TokensOfRound * plan.ColumnTiles.Max() * plan.ValueStripes.Max(stripe => stripe.Width) * sizeof(float);
                writer.Line($"// The outputs of the {plan.Columns} queries behind these, which are next.");
                writer.Line("ref byte upcoming = ref Unsafe.As<float, byte>(ref output);");
                writer.Line($"IntPtr step = ({bytes} + tokens - 1) / tokens;");
            }

            foreach (Stripe stripe in plan.ValueStripes)
            {
                if (stripe.Tiles == 1)
                {
                    ValueTileCalls(stripe, $"{stripe.Start}");
                    continue;
                }

                using (writer.Braces($"for (int i = {stripe.Start}; i < {stripe.End}; i += {stripe.Width})"))
                {
                    ValueTileCalls(stripe, "i");
                }
            }
        }

        foreach (TilePlan tile in plan.ValueTiles)
        {
            writer.Line();
            _tiles.Write(tile);
        }
    }

    /// <summary>Hides, from each column of a panel, the tokens it does not attend to.</summary>
    public void Mask()
    {
        var vector = new VectorText(plan.Tier.Lanes);
        writer.Summary("Sets to -infinity what a column of a panel does not attend to: bit i of seen[token] says whether column i does.");
        using (writer.KernelMethod("Mask(int tokens, ref float scores, ref uint seen)"))
        {
            if (vector.Lanes > 1)
            {
                writer.Line($"{vector.Words} places = {vector.Places};");
                writer.Line($"{vector.Type} hidden = {vector.Broadcast("float.NegativeInfinity")};");
            }

            using (writer.Braces("for (int token = 0; token < tokens; token++)"))
            {
                writer.Line("uint columns = Unsafe.Add(ref seen, token);");
                writer.Line($"ref float score = ref Unsafe.Add(ref scores, token * {plan.ScoreStride});");
                for (int column = 0; column < 2 * vector.Lanes; column += vector.Lanes)
                {
                    string columns = column == 0 ? "columns" : $"columns >> {column}";
                    writer.Line(vector.Lanes > 1
                        ? vector.Store(vector.WithoutPlaces(columns, "places", "hidden", vector.Load("score", column)), "score", column)
                        : $"{VectorText.Element("score", column)} = (columns & {1 << column}) == 0 ? float.NegativeInfinity : {VectorText.Element("score", column)};");
                }
            }
        }
    }

    private void ScoreTileLoop(int tile)
    {
        string variable = tile == 1 ? "token" : "next";
        if (plan.ColumnStripes.Select(stripe => plan.ScoreTile(tile, stripe)).FirstOrDefault(kind => kind.Prefetches > 0) is { } asking)
        {
            int steps = plan.Depth / plan.DepthsOfRound * asking.Prefetches;
            writer.Line(plan.IsAbsorbed ? $"IntPtr step = (({tile} * cachedRowBytes) + {steps - 1}) / {steps};" : $"IntPtr step = ({plan.DepthsOfRound * tile * asking.Width * sizeof(float)} + tokens - 1) / tokens;");
        }

        using (writer.Braces($"for (int {variable} = 0; {variable} < tokens; {variable} += {tile})"))
        {
            if (tile > 1)
            {
                writer.Line($"int token = Math.Min(next, tokens - {tile});");
            }

            writer.Line($"ref float key = ref Unsafe.Add(ref keys, token * {plan.KeyStride});");
            writer.Line($"ref float score = ref Unsafe.Add(ref scores, token * {plan.ScoreStride});");
            foreach (Stripe stripe in plan.ColumnStripes)
            {
                TilePlan kind = plan.ScoreTile(tile, stripe);
                if (stripe.ByDepth)
                {
                    DepthTileCalls(tile, kind, stripe);
                    continue;
                }

                string name = kind.Name;
                string upcoming = kind.Prefetches == 0 ? string.Empty
                    : plan.IsAbsorbed ? ", ref upcoming, distance + (token * cachedRowBytes), step"
                    : $", ref upcoming, ((column + {plan.Columns}) * {plan.Depth * sizeof(float)}) + (next / {tile} * {plan.Depth / plan.DepthsOfRound} * step), step";
                if (plan.IsAbsorbed && stripe.Tiles == 1)
                {
                    writer.Line($"{name}(ref key, {VectorText.Moved("queries", $"{stripe.Start * plan.Depth}")}, {VectorText.Moved("score", $"{stripe.Start}")}{upcoming});");
                    continue;
                }

                string end = plan.IsAbsorbed ? $"{stripe.End}" : "columns";
                using (writer.Braces($"for (int column = {stripe.Start}; column < {end}; column += {stripe.Width})"))
                {
                    writer.Line($"{name}(ref key, ref Unsafe.Add(ref queries, column * {plan.Depth}), ref Unsafe.Add(ref score, column){upcoming});");
                }
            }
        }
    }

    private void DepthTileCalls(int tile, TilePlan kind, Stripe stripe)
    {
        int step = kind.Rows;
        string name = kind.Name;
        string queries = VectorText.Moved("queries", $"{stripe.Start * plan.Depth}");
        if (step == tile)
        {
            writer.Line($"{name}(ref key, {queries}, {VectorText.Moved("score", $"{stripe.Start}")});");
            return;
        }

        using (writer.Braces($"for (int row = 0; row < {tile}; row += {step})"))
        {
            string column = stripe.Start == 0 ? string.Empty : $" + {stripe.Start}";
            writer.Line($"{name}(ref Unsafe.Add(ref key, row * {plan.KeyStride}), {queries}, ref Unsafe.Add(ref score, {(column.Length == 0 ? $"row * {plan.ScoreStride}" : $"(row * {plan.ScoreStride}){column}")}));");
        }
    }

    private void SoftmaxColumns(VectorText vector)
    {
        using (writer.KernelMethod($"Softmax{TilePlan.Counted(vector.Lanes, "Column")}(int tokens, ref float scores, ref float statistics)"))
        {
            writer.Line($"{vector.Type} before = {vector.Load("statistics")};");
            writer.Line("// Four maxima, since each of them waits for the token before.");
            writer.Line($"{vector.Type} first = before, second = before, third = before, fourth = before;");
            writer.Line("ref float score = ref scores;");
            writer.Line("int token = 0;");
            using (writer.Braces("for (; token <= tokens - 4; token += 4)"))
            {
                string[] maxima = ["first", "second", "third", "fourth"];
                for (int i = 0; i < maxima.Length; i++)
                {
                    writer.Line($"{maxima[i]} = {vector.Max(maxima[i], vector.Load("score", i * plan.ScoreStride))};");
                }

                writer.Line($"score = ref Unsafe.Add(ref score, {maxima.Length * plan.ScoreStride});");
            }

            using (writer.Braces("for (; token < tokens; token++)"))
            {
                writer.Line($"first = {vector.Max("first", vector.Load("score"))};");
                writer.Line($"score = ref Unsafe.Add(ref score, {plan.ScoreStride});");
            }

            writer.Line($"{vector.Type} maximum = {vector.Max(vector.Max("first", "second"), vector.Max("third", "fourth"))};");
            writer.Line();
            writer.Line("// -infinity minus -infinity is not a number: a column that has seen no key yet is compared with zero instead.");
            writer.Line($"{vector.Type} origin = {vector.WhereEqual("maximum", vector.Broadcast("float.NegativeInfinity"), vector.Zero, "maximum")};");
            writer.Line($"{vector.Type} rescale = VectorMath.Exp(before - origin);");
            writer.Line($"{vector.Type} sum = {vector.Zero};");
            writer.Line("score = ref scores;");
            using (writer.Braces("for (token = 0; token < tokens; token++)"))
            {
                writer.Line($"{vector.Type} probability = VectorMath.Exp({vector.Load("score")} - origin);");
                writer.Line("sum += probability;");
                writer.Line(vector.Store("probability", "score"));
                writer.Line($"score = ref Unsafe.Add(ref score, {plan.ScoreStride});");
            }

            writer.Line();
            writer.Line(vector.Store("maximum", "statistics"));
            string total = vector.MultiplyAdd(vector.Load("statistics", plan.Columns), "rescale", "sum");
            writer.Line(vector.Store(total, "statistics", plan.Columns));
            writer.Line(vector.Store("rescale", "statistics", 2 * plan.Columns));
        }
    }

    private void ValueTileCalls(Stripe stripe, string dimension)
    {
        if (plan.IsAbsorbed)
        {
            int column = 0;
            foreach (IGrouping<int, int> run in Runs(plan.ColumnTiles))
            {
                int tile = run.Key;
                int count = run.Count();
                if (count == 1)
                {
                    Call(tile, $"{column}", $"{column * plan.ValueDim}");
                }
                else
                {
                    using (writer.Braces($"for (int column = {column}; column < {column + (tile * count)}; column += {tile})"))
                    {
                        Call(tile, "column", $"column * {plan.ValueDim}");
                    }
                }

                column += tile * count;
            }

            return;
        }

        int widest = plan.ColumnTiles[0];
        using (writer.Braces())
        {
            writer.Line("int column = 0;");
            using (writer.Braces($"for (; column + {widest} <= columns; column += {widest})"))
            {
                Call(widest, "column", $"column * {plan.ValueDim}");
            }

            foreach (int tile in plan.ColumnTiles.Skip(1))
            {
                writer.Line();
                using (writer.Braces($"if (column + {tile} <= columns)"))
                {
                    Call(tile, "column", $"column * {plan.ValueDim}");
                    writer.Line($"column += {tile};");
                }
            }
        }

        void Call(int tile, string column, string row)
        {
            string output = (row, dimension) switch
            {
                ("0", _) => dimension,
                (_, "0") => row,
                _ => $"{(row.Contains("*") ? $"({row})" : row)} + {dimension}",
            };
            TilePlan kind = plan.ValueTile(tile, stripe);
            string upcoming = kind.Prefetches == 0 ? string.Empty : $", ref upcoming, ({plan.Columns * plan.ValueDim} + ({dimension} * columns) + (column * {stripe.Width})) * {sizeof(float)}, step";
            writer.Line($"{kind.Name}({VectorText.Moved("values", dimension)}, tokens, {VectorText.Moved("probabilities", column)}, {VectorText.Moved("output", output)}, {VectorText.Moved("rescale", column)}{upcoming});");
        }
    }

    /// <summary>Runs of equal neighbours.</summary>
    private static IEnumerable<IGrouping<int, int>> Runs(IEnumerable<int> tiles) => tiles.GroupBy(tile => tile);
}
