using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Planning;

namespace MlaGen.Generator.Emission.Vectors;

/// <summary>Writes the inner loops, a method each: all sums are locals, named by their coordinates, so that the JIT keeps them in registers.</summary>
internal sealed class TileEmitter(CodeWriter writer, CorePlan plan)
{
    public void Write(TilePlan tile)
    {
        switch (tile.Kind)
        {
            case TileKind.Scores:
                Scores(tile);
                break;
            case TileKind.ScoresByDepth:
                ScoresByDepth(tile);
                break;
            default:
                Values(tile);
                break;
        }
    }

    private void Scores(TilePlan tile)
    {
        int tokens = tile.Rows;
        var vector = new VectorText(tile.Lanes);
        int registers = plan.RegistersOf(tile).Total;
        writer.Line($"// {Counted.Of(tokens, "token")} by {tile.Vectors} × {tile.Lanes} columns: {Counted.Of(tokens * tile.Vectors, "sum")}, {tile.Vectors} of queries and a broadcast, {registers} vectors alive.");
        using (writer.KernelMethod($"{tile.Name}(ref float key, ref float query, ref float score{AskingParameters(tile)})"))
        {
            for (int t = 0; t < tokens; t++)
            {
                writer.Line($"{vector.Type} {string.Join(", ", Each(tile.Vectors, v => $"{Sum(t, v)} = {vector.Zero}"))};");
            }

            int round = plan.DepthsOfRound;
            using (writer.Braces($"for (int d = 0; d < {plan.Depth}; {(round == 1 ? "d++" : $"d += {round}")})"))
            {
                for (int step = 0; step < round; step++)
                {
                    Step(step);
                }

                Ask(tile);
                writer.Line($"key = ref Unsafe.Add(ref key, {round});");
                writer.Line($"query = ref Unsafe.Add(ref query, {round * tile.Width});");
            }

            writer.Line();
            for (int t = 0; t < tokens; t++)
            {
                for (int v = 0; v < tile.Vectors; v++)
                {
                    writer.Line(vector.Store(Sum(t, v), "score", (t * plan.ScoreStride) + (v * tile.Lanes)));
                }
            }
        }

        // One element of depth, so many behind the one that the references stand at.
        void Step(int behind)
        {
            string suffix = Suffix(behind);
            for (int v = 0; v < tile.Vectors; v++)
            {
                writer.Line($"{vector.Type} {Query(v)} = {vector.Load("query", (behind * tile.Width) + (v * tile.Lanes))};");
            }

            for (int t = 0; t < tokens; t++)
            {
                writer.Line($"{vector.Type} k{t}{suffix} = {vector.Broadcast(VectorText.Element("key", (t * plan.KeyStride) + behind))};");
                for (int v = 0; v < tile.Vectors; v++)
                {
                    writer.Line($"{Sum(t, v)} = {vector.MultiplyAdd($"k{t}{suffix}", Query(v), Sum(t, v))};");
                }
            }

            string Query(int v) => $"q{v * tile.Lanes}{suffix}";
        }

        string Sum(int t, int v) => $"t{t}c{v * tile.Lanes}";
    }

    private void ScoresByDepth(TilePlan tile)
    {
        int tokens = tile.Rows;
        var vector = new VectorText(tile.Lanes);
        int columns = tile.Vectors;
        writer.Line(
            $"// {Counted.Of(tokens, "token")} by {columns} columns, {tile.Lanes} elements of depth in lanes: {Counted.Of(tokens * columns, "sum")}, {columns} of queries and one of a key, " +
            $"{plan.RegistersOf(tile).Total} vectors alive.");
        using (writer.KernelMethod($"{tile.Name}(ref float key, ref float query, ref float score)"))
        {
            for (int t = 0; t < tokens; t++)
            {
                writer.Line($"{vector.Type} {string.Join(", ", Each(columns, c => $"{Sum(t, c)} = {vector.Zero}"))};");
            }

            using (writer.Braces($"for (int d = 0; d < {plan.Depth}; d += {tile.Lanes})"))
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

                writer.Line($"key = ref Unsafe.Add(ref key, {tile.Lanes});");
                writer.Line($"query = ref Unsafe.Add(ref query, {tile.Lanes});");
            }

            writer.Line();
            for (int t = 0; t < tokens; t++)
            {
                writer.Line(new VectorText(columns).Store($"VectorMath.Sums({string.Join(", ", Each(columns, c => Sum(t, c)))})", "score", t * plan.ScoreStride));
            }
        }

        static string Sum(int t, int c) => $"t{t}c{c}";
    }

    private void Values(TilePlan tile)
    {
        int columns = tile.Rows;
        var vector = new VectorText(tile.Lanes);
        int registers = plan.RegistersOf(tile).Total;
        writer.Line($"// {Counted.Of(columns, "column")} by {tile.Vectors} × {tile.Lanes} dimensions: {Counted.Of(columns * tile.Vectors, "sum")}, {tile.Vectors} of values and a broadcast, {registers} vectors alive.");
        using (writer.KernelMethod($"{tile.Name}(ref float value, int tokens, ref float probability, ref float output, ref float rescale{AskingParameters(tile)})"))
        {
            for (int c = 0; c < columns; c++)
            {
                writer.Line($"{vector.Type} {string.Join(", ", Each(tile.Vectors, v => $"{Sum(c, v)} = {vector.Zero}"))};");
            }

            writer.Line("int token = 0;");
            using (writer.Braces($"for (; token <= tokens - {CorePlan.TokensOfRound}; token += {CorePlan.TokensOfRound})"))
            {
                for (int step = 0; step < CorePlan.TokensOfRound; step++)
                {
                    Step(step);
                }

                Ask(tile);
                writer.Line($"value = ref Unsafe.Add(ref value, {CorePlan.TokensOfRound * plan.ValueStride});");
                writer.Line($"probability = ref Unsafe.Add(ref probability, {CorePlan.TokensOfRound * plan.ScoreStride});");
            }

            writer.Line();
            using (writer.Braces("if (token < tokens)"))
            {
                Step(0);
            }

            writer.Line();
            for (int c = 0; c < columns; c++)
            {
                writer.Line($"{vector.Type} r{c} = {vector.Broadcast(VectorText.Element("rescale", c))};");
                for (int v = 0; v < tile.Vectors; v++)
                {
                    int offset = (c * plan.ValueDim) + (v * tile.Lanes);
                    writer.Line(vector.Store(vector.MultiplyAdd(vector.Load("output", offset), $"r{c}", Sum(c, v)), "output", offset));
                }
            }
        }

        // The values and probabilities of a token, so many behind the one that the references stand at.
        void Step(int behind)
        {
            string suffix = Suffix(behind);
            for (int v = 0; v < tile.Vectors; v++)
            {
                writer.Line($"{vector.Type} {Value(v)} = {vector.Load("value", (behind * plan.ValueStride) + (v * tile.Lanes))};");
            }

            for (int c = 0; c < columns; c++)
            {
                writer.Line($"{vector.Type} p{c}{suffix} = {vector.Broadcast(VectorText.Element("probability", (behind * plan.ScoreStride) + c))};");
                for (int v = 0; v < tile.Vectors; v++)
                {
                    writer.Line($"{Sum(c, v)} = {vector.MultiplyAdd($"p{c}{suffix}", Value(v), Sum(c, v))};");
                }
            }

            string Value(int v) => $"v{v * tile.Lanes}{suffix}";
        }

        string Sum(int c, int v) => $"c{c}d{v * tile.Lanes}";
    }

    private static string Suffix(int behind) => behind == 0 ? string.Empty : "Next";

    private static string AskingParameters(TilePlan tile) => tile.Prefetches > 0 ? ", ref byte upcoming, IntPtr distance, IntPtr step" : string.Empty;

    private void Ask(TilePlan tile)
    {
        for (int i = 0; i < tile.Prefetches; i++)
        {
            writer.Line("Prefetch.Ahead(ref upcoming, distance);");
            writer.Line("distance += step;");
        }
    }

    private static IEnumerable<T> Each<T>(int count, Func<int, T> of) => Enumerable.Range(0, count).Select(of);
}
