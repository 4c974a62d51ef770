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

            using (writer.Braces($"for (int d = 0; d < {plan.Depth}; d++)"))
            {
                for (int v = 0; v < tile.Vectors; v++)
                {
                    writer.Line($"{vector.Type} {Query(v)} = {vector.Load("query", v * tile.Lanes)};");
                }

                for (int t = 0; t < tokens; t++)
                {
                    writer.Line($"{vector.Type} k{t} = {vector.Broadcast(VectorText.Element("key", t * plan.KeyStride))};");
                    for (int v = 0; v < tile.Vectors; v++)
                    {
                        writer.Line($"{Sum(t, v)} = {vector.MultiplyAdd($"k{t}", Query(v), Sum(t, v))};");
                    }
                }

                Ask(tile);
                writer.Line("key = ref Unsafe.Add(ref key, 1);");
                writer.Line($"query = ref Unsafe.Add(ref query, {tile.Width});");
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

        string Sum(int t, int v) => $"t{t}c{v * tile.Lanes}";
        string Query(int v) => $"q{v * tile.Lanes}";
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

            using (writer.Braces("for (int token = 0; token < tokens; token++)"))
            {
                for (int v = 0; v < tile.Vectors; v++)
                {
                    writer.Line($"{vector.Type} v{v * tile.Lanes} = {vector.Load("value", v * tile.Lanes)};");
                }

                for (int c = 0; c < columns; c++)
                {
                    writer.Line($"{vector.Type} p{c} = {vector.Broadcast(VectorText.Element("probability", c))};");
                    for (int v = 0; v < tile.Vectors; v++)
                    {
                        writer.Line($"{Sum(c, v)} = {vector.MultiplyAdd($"p{c}", $"v{v * tile.Lanes}", Sum(c, v))};");
                    }
                }

                Ask(tile);
                writer.Line($"value = ref Unsafe.Add(ref value, {plan.ValueStride});");
                writer.Line($"probability = ref Unsafe.Add(ref probability, {plan.ScoreStride});");
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

        string Sum(int c, int v) => $"c{c}d{v * tile.Lanes}";
    }

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
