using MlaGen.Generator.Planning;

namespace MlaGen.Generator.Emission;

/// <summary>
/// Writes the three parts of an attention core as one plan cuts it: scores, softmax, values. The absorbed core of decoding and the
/// decompressed one of prefill differ in their plans alone, and in whether the number of columns is known to the compiler.
/// </summary>
internal sealed class CoreEmitter(CodeWriter writer, CorePlan plan, SimdTier tier, bool constantColumns)
{
    private const int CacheLineBytes = 64;

    /// <summary>The number of columns, as the emitted code says it.</summary>
    private string Columns => constantColumns ? $"{plan.Columns}" : "columns";

    private string ColumnsParameter => constantColumns ? string.Empty : "int columns, ";

    public void Scores()
    {
        int widest = plan.TokenTiles[0];
        writer.Summary(
            $"Scores of a block: score[token][column] = Σ key[token][d] · query[d][column], {plan.Depth} products each.\n" +
            $"Columns lie in lanes, a token's elements are broadcast. The last tile of {widest} tokens moves back over the one before it:\n" +
            "what it computes twice has the same bits.");
        using (Method($"Scores(ref float keys, int tokens, {(plan.CachedRowBytes > 0 ? "ref byte upcoming, nint distance, " : string.Empty)}ref float queries, {ColumnsParameter}ref float scores)"))
        {
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

        foreach (Segment kind in TileKinds(plan.ColumnSegments.Where(segment => !segment.ByDepth)))
        {
            foreach (int tile in plan.TokenTiles)
            {
                writer.Line();
                ScoreTile(tile, kind);
            }
        }

        foreach (Segment segment in plan.ColumnSegments.Where(segment => segment.ByDepth))
        {
            foreach (int tile in plan.TokenTiles.Select(DepthTile).Distinct())
            {
                writer.Line();
                ScoreTileByDepth(tile, segment);
            }
        }
    }

    public void Softmax()
    {
        writer.Summary(
            "Online softmax down a block: probabilities relative to the running maximum replace the scores, and the factor by which the\n" +
            "sums so far shrink is left in rescale. A column without any key keeps a maximum of -infinity and gets zeros.");
        using (Method($"Softmax(int tokens, {ColumnsParameter}ref float scores, ref float statistics)"))
        {
            foreach (Segment segment in plan.ColumnSegments)
            {
                int step = segment.Lanes;
                int width = segment.Width * segment.Groups;
                string end = constantColumns ? $"{segment.Start + width}" : "columns";
                if (constantColumns && width == step)
                {
                    writer.Line($"Softmax{Plural(step, "Column")}(tokens, {VectorText.Moved("scores", $"{segment.Start}")}, {VectorText.Moved("statistics", $"{segment.Start}")});");
                    continue;
                }

                using (writer.Braces($"for (int column = {segment.Start}; column < {end}; column += {step})"))
                {
                    writer.Line($"Softmax{Plural(step, "Column")}(tokens, ref Unsafe.Add(ref scores, column), ref Unsafe.Add(ref statistics, column));");
                }
            }
        }

        foreach (int lanes in plan.ColumnSegments.Select(segment => segment.Lanes).Distinct())
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
        using (Method($"Values(ref float values, int tokens, ref float probabilities, {ColumnsParameter}ref float output, ref float rescale)"))
        {
            foreach (Segment segment in plan.ValueSegments)
            {
                if (segment.Groups == 1)
                {
                    ValueTileCalls(segment, $"{segment.Start}");
                    continue;
                }

                using (writer.Braces($"for (int i = {segment.Start}; i < {segment.End}; i += {segment.Width})"))
                {
                    ValueTileCalls(segment, "i");
                }
            }
        }

        foreach (Segment kind in TileKinds(plan.ValueSegments))
        {
            foreach (int tile in plan.ColumnTiles.Distinct())
            {
                writer.Line();
                ValueTile(tile, kind);
            }
        }
    }

    /// <summary>Hides, from each column, the tokens it may not see.</summary>
    public void Mask()
    {
        var vector = new VectorText(tier.Lanes);
        writer.Summary("Sets to -infinity what a column may not see: limits[column] is the number of the tile's tokens that it may.");
        using (Method($"Mask(int tokens, {ColumnsParameter}ref float scores, ref float limits)"))
        using (writer.Braces($"for (int column = 0; column < {Columns}; column += {vector.Lanes})"))
        {
            writer.Line($"{vector.Type} limit = {vector.Load("Unsafe.Add(ref limits, column)")};");
            writer.Line("ref float score = ref Unsafe.Add(ref scores, column);");
            using (writer.Braces("for (int token = 0; token < tokens; token++)"))
            {
                writer.Line($"{vector.Type} visible = {vector.Where(vector.Broadcast("(float)token"), "LessThan", "limit", vector.Load("score"), vector.Broadcast("float.NegativeInfinity"))};");
                writer.Line(vector.Store("visible", "score"));
                writer.Line($"score = ref Unsafe.Add(ref score, {plan.ScoreStride});");
            }
        }
    }

    /// <summary>Opens a method that the JIT optimises at its first call: it would otherwise run unoptimised, fifty times slower, until it has been called often enough.</summary>
    private CodeWriter.Block Method(string signature)
    {
        writer.Line("[MethodImpl(MethodImplOptions.AggressiveOptimization)]");
        return writer.Braces($"private static void {signature}");
    }

    private static IEnumerable<Segment> TileKinds(IEnumerable<Segment> segments) =>
        segments.GroupBy(segment => (segment.Lanes, segment.Vectors)).Select(group => group.First());

    private static string Plural(int count, string noun) => count == 1 ? $"1{noun}" : $"{count}{noun}s";

    private static string ScoreTileName(int tokens, Segment segment) => $"Scores{Plural(tokens, "Token")}{Plural(segment.Width, "Column")}";

    private static string ValueTileName(int columns, Segment segment) => $"Values{Plural(columns, "Column")}{Plural(segment.Width, "Dimension")}";

    /// <summary>Whether a tile asks for upcoming rows: those of the first columns do, for all, and a short block ends before the rows would come.</summary>
    private bool Prefetches(int tokens, Segment segment)
    {
        Segment first = plan.ColumnSegments[0];
        return plan.CachedRowBytes > 0 && tokens == plan.TokenTiles[0] && (segment.Lanes, segment.Vectors) == (first.Lanes, first.Vectors);
    }

    private static string DepthTileName(int tokens, Segment segment) => $"{ScoreTileName(tokens, segment)}ByDepth";

    /// <summary>Tokens that a tile with the depth in lanes takes of a token tile at once.</summary>
    private int DepthTile(int tokens) => tokens % plan.DepthTile == 0 ? plan.DepthTile : tokens;

    private void ScoreTileLoop(int tile)
    {
        string variable = tile == 1 ? "token" : "next";
        using (writer.Braces($"for (int {variable} = 0; {variable} < tokens; {variable} += {tile})"))
        {
            if (tile > 1)
            {
                writer.Line($"int token = Math.Min(next, tokens - {tile});");
            }

            writer.Line($"ref float key = ref Unsafe.Add(ref keys, token * {plan.KeyStride});");
            writer.Line($"ref float score = ref Unsafe.Add(ref scores, token * {plan.ScoreStride});");
            foreach (Segment segment in plan.ColumnSegments)
            {
                if (segment.ByDepth)
                {
                    DepthTileCalls(tile, segment);
                    continue;
                }

                string name = ScoreTileName(tile, segment);
                string upcoming = Prefetches(tile, segment) ? $", ref upcoming, distance + (token * {plan.CachedRowBytes})" : string.Empty;
                if (constantColumns && segment.Groups == 1)
                {
                    writer.Line($"{name}(ref key, {VectorText.Moved("queries", $"{segment.Start * plan.Depth}")}, {VectorText.Moved("score", $"{segment.Start}")}{upcoming});");
                    continue;
                }

                string end = constantColumns ? $"{segment.End}" : "columns";
                using (writer.Braces($"for (int column = {segment.Start}; column < {end}; column += {segment.Width})"))
                {
                    writer.Line($"{name}(ref key, ref Unsafe.Add(ref queries, column * {plan.Depth}), ref Unsafe.Add(ref score, column){upcoming});");
                }
            }
        }
    }

    private void ScoreTile(int tokens, Segment segment)
    {
        var vector = new VectorText(segment.Lanes);
        int registers = CorePlan.RegistersOf(tokens, segment.Vectors);
        bool prefetches = Prefetches(tokens, segment);
        writer.Line($"// {Plural(tokens, " token")} by {segment.Vectors} × {segment.Lanes} columns: {tokens * segment.Vectors} sums, {segment.Vectors} of queries and a broadcast, {registers} vectors alive.");
        using (Method($"{ScoreTileName(tokens, segment)}(ref float key, ref float query, ref float score{(prefetches ? ", ref byte upcoming, nint distance" : string.Empty)})"))
        {
            for (int t = 0; t < tokens; t++)
            {
                writer.Line($"{vector.Type} {string.Join(", ", Each(segment.Vectors, v => $"{Sum(t, v)} = {vector.Zero}"))};");
            }

            using (writer.Braces($"for (int d = 0; d < {plan.Depth}; d++)"))
            {
                for (int v = 0; v < segment.Vectors; v++)
                {
                    writer.Line($"{vector.Type} {Query(v)} = {vector.Load("query", v * segment.Lanes)};");
                }

                for (int t = 0; t < tokens; t++)
                {
                    writer.Line($"{vector.Type} k{t} = {vector.Broadcast(VectorText.Element("key", t * plan.KeyStride))};");
                    for (int v = 0; v < segment.Vectors; v++)
                    {
                        writer.Line($"{Sum(t, v)} = {vector.MultiplyAdd($"k{t}", Query(v), Sum(t, v))};");
                    }
                }

                int bytes = plan.PrefetchedBytes(tokens);
                for (int line = 0; prefetches && line < bytes; line += CacheLineBytes)
                {
                    writer.Line($"Prefetch.Ahead(ref upcoming, distance + (d * {bytes}){(line == 0 ? string.Empty : $" + {line}")});");
                }

                writer.Line("key = ref Unsafe.Add(ref key, 1);");
                writer.Line($"query = ref Unsafe.Add(ref query, {segment.Width});");
            }

            writer.Line();
            for (int t = 0; t < tokens; t++)
            {
                for (int v = 0; v < segment.Vectors; v++)
                {
                    writer.Line(vector.Store(Sum(t, v), "score", (t * plan.ScoreStride) + (v * segment.Lanes)));
                }
            }
        }

        string Sum(int t, int v) => $"t{t}c{v * segment.Lanes}";
        string Query(int v) => $"q{v * segment.Lanes}";
    }

    private void DepthTileCalls(int tile, Segment segment)
    {
        int step = DepthTile(tile);
        string name = DepthTileName(step, segment);
        string queries = VectorText.Moved("queries", $"{segment.Start * plan.Depth}");
        if (step == tile)
        {
            writer.Line($"{name}(ref key, {queries}, {VectorText.Moved("score", $"{segment.Start}")});");
            return;
        }

        using (writer.Braces($"for (int part = 0; part < {tile}; part += {step})"))
        {
            string column = segment.Start == 0 ? string.Empty : $" + {segment.Start}";
            writer.Line($"{name}(ref Unsafe.Add(ref key, part * {plan.KeyStride}), {queries}, ref Unsafe.Add(ref score, {(column.Length == 0 ? $"part * {plan.ScoreStride}" : $"(part * {plan.ScoreStride}){column}")}));");
        }
    }

    private void ScoreTileByDepth(int tokens, Segment segment)
    {
        var vector = new VectorText(tier.Lanes);
        int columns = segment.Lanes;
        writer.Line(
            $"// {Plural(tokens, " token")} by {columns} columns, {tier.Lanes} elements of depth in lanes: {tokens * columns} sums, {columns} of queries and one of a key, " +
            $"{CorePlan.RegistersOf(tokens, columns)} vectors alive.");
        using (Method($"{DepthTileName(tokens, segment)}(ref float key, ref float query, ref float score)"))
        {
            for (int t = 0; t < tokens; t++)
            {
                writer.Line($"{vector.Type} {string.Join(", ", Each(columns, c => $"{Sum(t, c)} = {vector.Zero}"))};");
            }

            using (writer.Braces($"for (int d = 0; d < {plan.Depth}; d += {tier.Lanes})"))
            {
                for (int c = 0; c < columns; c++)
                {
                    writer.Line($"{vector.Type} q{c} = {vector.Load("query", c * plan.Depth)};");
                }

                for (int t = 0; t < tokens; t++)
                {
                    writer.Line($"{vector.Type} k{t} = {vector.Load("key", t * plan.KeyStride)};");
                    for (int c = 0; c < columns; c++)
                    {
                        writer.Line($"{Sum(t, c)} = {vector.MultiplyAdd($"k{t}", $"q{c}", Sum(t, c))};");
                    }
                }

                writer.Line($"key = ref Unsafe.Add(ref key, {tier.Lanes});");
                writer.Line($"query = ref Unsafe.Add(ref query, {tier.Lanes});");
            }

            writer.Line();
            for (int t = 0; t < tokens; t++)
            {
                writer.Line(new VectorText(columns).Store($"VectorMath.Sums({string.Join(", ", Each(columns, c => Sum(t, c)))})", "score", t * plan.ScoreStride));
            }
        }

        static string Sum(int t, int c) => $"t{t}c{c}";
    }

    private void SoftmaxColumns(VectorText vector)
    {
        using (Method($"Softmax{Plural(vector.Lanes, "Column")}(int tokens, ref float scores, ref float statistics)"))
        {
            writer.Line($"{vector.Type} before = {vector.Load("statistics")};");
            writer.Line($"{vector.Type} maximum = before;");
            writer.Line("ref float score = ref scores;");
            using (writer.Braces("for (int token = 0; token < tokens; token++)"))
            {
                writer.Line($"maximum = {vector.Max("maximum", vector.Load("score"))};");
                writer.Line($"score = ref Unsafe.Add(ref score, {plan.ScoreStride});");
            }

            writer.Line();
            writer.Line("// -infinity minus -infinity is not a number: a column that has seen no key yet is compared with zero instead.");
            writer.Line($"{vector.Type} origin = {vector.Where("maximum", "Equals", vector.Broadcast("float.NegativeInfinity"), vector.Zero, "maximum")};");
            writer.Line($"{vector.Type} rescale = VectorMath.Exp(before - origin);");
            writer.Line($"{vector.Type} sum = {vector.Zero};");
            writer.Line("score = ref scores;");
            using (writer.Braces("for (int token = 0; token < tokens; token++)"))
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

    private void ValueTileCalls(Segment segment, string dimension)
    {
        if (constantColumns)
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
            writer.Line($"{ValueTileName(tile, segment)}({VectorText.Moved("values", dimension)}, tokens, {VectorText.Moved("probabilities", column)}, {VectorText.Moved("output", output)}, {VectorText.Moved("rescale", column)});");
        }
    }

    private void ValueTile(int columns, Segment segment)
    {
        var vector = new VectorText(segment.Lanes);
        int registers = CorePlan.RegistersOf(columns, segment.Vectors);
        writer.Line($"// {Plural(columns, " column")} by {segment.Vectors} × {segment.Lanes} dimensions: {columns * segment.Vectors} sums, {segment.Vectors} of values and a broadcast, {registers} vectors alive.");
        using (Method($"{ValueTileName(columns, segment)}(ref float value, int tokens, ref float probability, ref float output, ref float rescale)"))
        {
            for (int c = 0; c < columns; c++)
            {
                writer.Line($"{vector.Type} {string.Join(", ", Each(segment.Vectors, v => $"{Sum(c, v)} = {vector.Zero}"))};");
            }

            using (writer.Braces("for (int token = 0; token < tokens; token++)"))
            {
                for (int v = 0; v < segment.Vectors; v++)
                {
                    writer.Line($"{vector.Type} v{v * segment.Lanes} = {vector.Load("value", v * segment.Lanes)};");
                }

                for (int c = 0; c < columns; c++)
                {
                    writer.Line($"{vector.Type} p{c} = {vector.Broadcast(VectorText.Element("probability", c))};");
                    for (int v = 0; v < segment.Vectors; v++)
                    {
                        writer.Line($"{Sum(c, v)} = {vector.MultiplyAdd($"p{c}", $"v{v * segment.Lanes}", Sum(c, v))};");
                    }
                }

                writer.Line($"value = ref Unsafe.Add(ref value, {plan.ValueStride});");
                writer.Line($"probability = ref Unsafe.Add(ref probability, {plan.ScoreStride});");
            }

            writer.Line();
            for (int c = 0; c < columns; c++)
            {
                writer.Line($"{vector.Type} r{c} = {vector.Broadcast(VectorText.Element("rescale", c))};");
                for (int v = 0; v < segment.Vectors; v++)
                {
                    int offset = (c * plan.ValueDim) + (v * segment.Lanes);
                    writer.Line(vector.Store(vector.MultiplyAdd(vector.Load("output", offset), $"r{c}", Sum(c, v)), "output", offset));
                }
            }
        }

        string Sum(int c, int v) => $"c{c}d{v * segment.Lanes}";
    }

    private static IEnumerable<T> Each<T>(int count, Func<int, T> of) => Enumerable.Range(0, count).Select(of);

    /// <summary>Runs of equal neighbours.</summary>
    private static IEnumerable<IGrouping<int, int>> Runs(IEnumerable<int> tiles) => tiles.GroupBy(tile => tile);
}
