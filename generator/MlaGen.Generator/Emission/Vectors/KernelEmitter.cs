using System.Collections.Immutable;
using System.Text.RegularExpressions;
using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Emission.MachineCode;
using MlaGen.Generator.Model;
using MlaGen.Generator.Planning;

namespace MlaGen.Generator.Emission.Vectors;

/// <summary>Writes the kernels of one set of dimensions: two cores a tier, a file each, and the list of them.</summary>
internal static class KernelEmitter
{
    /// <summary>
    /// The types that kernels name, vectors aside. Each stands under a name of its own, within the kernels' namespace: so no namespace, class or global using
    /// of the user's comes before it, and none beside it.
    /// </summary>
    public static readonly ImmutableArray<string> Types =
    [
        "MlaGen.CoreTarget",
        "MlaGen.MlaPrecision",
        "MlaGen.Runtime.AbsorbedBlock",
        "MlaGen.Runtime.AbsorbedCore",
        "MlaGen.Runtime.AbsorbedLayout",
        "MlaGen.Runtime.DecompressedCore",
        "MlaGen.Runtime.DecompressedLayout",
        "MlaGen.Runtime.DecompressedMatrixCore",
        "MlaGen.Runtime.DecompressedMatrixLayout",
        "MlaGen.Runtime.DecompressedTile",
        "MlaGen.Runtime.DecompressedTileCore",
        "MlaGen.Runtime.DecompressedTileLayout",
        "MlaGen.Runtime.MachineRoutine",
        "MlaGen.Runtime.MatrixCore",
        "MlaGen.Runtime.MatrixLayout",
        "MlaGen.Runtime.MlaKernels",
        "MlaGen.Runtime.Prefetch",
        "MlaGen.Runtime.QueryPairs",
        "MlaGen.Runtime.QueryPanels",
        "MlaGen.Runtime.RowOperand",
        "MlaGen.Runtime.VectorMath",
        "System.IntPtr", // nint, which a class of that name would be as well.
        "System.Math",
        "System.Runtime.CompilerServices.MethodImplAttribute",
        "System.Runtime.CompilerServices.MethodImplOptions",
        "System.Runtime.CompilerServices.Unsafe",
    ];

    private static readonly Regex _vectors = new(@"\bVector\d+\b");

    private static readonly (Regex Name, string Using)[] _usings =
    [
        .. from type in Types
           let name = type.Substring(type.LastIndexOf('.') + 1)
           select (new Regex($@"\b{name}\b"), $"using {name} = global::{type};"),
    ];

    public static IEnumerable<EmittedFile> Emit(KernelPlan plan)
    {
        // A minus sign stands in no identifier: no class can be called so.
        string prefix = $"Kernels-{plan.Shape.Name}";
        yield return new EmittedFile($"{prefix}.g.cs", List(plan));
        foreach (TierPlan tier in plan.Tiers)
        {
            yield return new EmittedFile($"{prefix}.Decode.{tier.Tier.Name}.g.cs", Decode(plan, tier));
            yield return new EmittedFile($"{prefix}.Prefill.{tier.Tier.Name}.g.cs", Prefill(plan, tier));
        }

        foreach (MatrixPlan matrix in plan.Matrix)
        {
            yield return new EmittedFile($"{prefix}.Decode.{matrix.Name}.g.cs", Matrix(plan, matrix));
        }

        foreach (TilePrefillPlan tiles in plan.TilePrefill)
        {
            yield return new EmittedFile($"{prefix}.Prefill.{tiles.Name}.g.cs", TilePrefill(plan, tiles));
        }

        foreach (MatrixPrefillPlan matrix in plan.MatrixPrefill)
        {
            yield return new EmittedFile($"{prefix}.Prefill.{matrix.Name}.g.cs", MatrixPrefill(plan, matrix));
        }
    }

    private static string List(KernelPlan plan)
    {
        KernelShape d = plan.Shape;
        string account =
            $"The kernels of every class with {Counted.Of(d.Heads, "head")}, a latent of {d.KvLoraRank}, a rotary key of {d.QkRopeHeadDim}, head keys of {d.QkNopeHeadDim} and head values of {d.VHeadDim}.\n" +
            "Of each form the first core runs that the process's machine and the cache allow.";
        return File(plan, account, "internal static class Kernels", namesKernels: true, writer =>
        {
            writer.Line("public static readonly MlaKernels Instance = new()");
            writer.Line("{");
            writer.Line($"    Absorbed = new AbsorbedCore[] {{ {string.Join(", ", plan.Matrix.Select(matrix => $"new Decode{matrix.Name}()").Concat(plan.Tiers.Select(tier => $"new Decode{tier.Tier.Name}()")))} }},");
            writer.Line($"    Decompressed = new DecompressedCore[] {{ {string.Join(", ", plan.TilePrefill.Select(tiles => $"new Prefill{tiles.Name}()").Concat(plan.MatrixPrefill.Select(matrix => $"new Prefill{matrix.Name}()")).Concat(plan.Tiers.Select(tier => $"new Prefill{tier.Tier.Name}()")))} }},");
            writer.Line("};");
        });
    }

    private static string Decode(KernelPlan plan, TierPlan tier)
    {
        KernelShape d = plan.Shape;
        CorePlan core = tier.Decode;
        string account =
            $"""
            The absorbed attention core for {TierText(tier.Tier)}.

            What it computes. All {Counted.Of(d.Heads, "head")} of one query token against a block of up to {core.BlockTokens} cached rows of {d.KvLoraRank} + {d.QkRopeHeadDim} floats: scores, online softmax,
            and the weighted sum of latents. It costs {CodeWriter.Count(2L * d.Heads * (core.Depth + d.KvLoraRank))} operations a cached token for {CodeWriter.Count(4L * core.Depth)} bytes read.

            How it is cut. {PlanText.Stripes("Columns (heads)", core.ColumnStripes)} {PlanText.Stripes("Latent dimensions", core.ValueStripes)}
            {PlanText.Registers(core, "token")}
            {PlanText.Caches(core)}
            {PlanText.Threads(plan.KeySplit)}
            {PlanText.Queries(core.MostQueries)}
            {PlanText.Form(plan.BreakEvenQueries)}
            {PlanText.Jit(core)}
            """;
        return File(plan, account, $"internal sealed class Decode{tier.Tier.Name}() : AbsorbedCore(CoreTarget.{tier.Tier.Name}, RowOperand.Float32, s_layout)", namesKernels: false, writer =>
        {
            DecodeLayout(writer, plan, core);
            writer.Line();
            writer.Summary("Attends the heads of one query token to one block of rows.");
            writer.Line($"/// <param name=\"block\">Rows of floats; queries in panels <c>[d][columns]</c>, absorbed and scaled; sums <c>[{d.Heads}, {d.KvLoraRank}]</c>; {core.Columns} maxima, sums and factors.</param>");
            string upcoming = core.PrefetchesRows ? "ref block.Upcoming, block.Distance, block.CachedRowBytes, " : string.Empty;
            using (writer.Braces("public override void Attend(ref AbsorbedBlock block)"))
            {
                writer.Line("ref float rows = ref Unsafe.As<byte, float>(ref block.Rows);");
                writer.Line($"Scores(ref rows, block.Tokens, {upcoming}ref Unsafe.As<byte, float>(ref block.Queries), ref block.Scores);");
                writer.Line("Softmax(block.Tokens, ref block.Scores, ref block.Statistics);");
                writer.Line($"Values(ref rows, block.Tokens, ref block.Scores, ref block.Sums, ref Unsafe.Add(ref block.Statistics, {2 * core.Columns}));");
            }

            var emitter = new CoreEmitter(writer, core);
            writer.Line();
            emitter.Scores();
            writer.Line();
            emitter.Softmax();
            writer.Line();
            emitter.Values();
        });
    }

    private static string Prefill(KernelPlan plan, TierPlan tier)
    {
        KernelShape d = plan.Shape;
        CorePlan core = tier.Prefill;
        string account =
            $"""
            The decompressed attention core for {TierText(tier.Tier)}.

            What it computes. Up to {core.Columns} queries of one head against a tile of up to {core.BlockTokens} decompressed keys of {d.QkNopeHeadDim} + {d.QkRopeHeadDim} floats and values of {d.VHeadDim}.
            It costs {CodeWriter.Count(2L * (core.Depth + core.ValueDim))} operations a query and visible key; the key tile was decompressed once for all queries of the head.

            How it is cut. Queries lie in lanes, {2 * tier.Tier.Lanes} to a panel. {PlanText.Stripes("Value dimensions", core.ValueStripes)}
            {PlanText.Registers(core, "key")}
            {PlanText.Caches(core)}
            {PlanText.Form(plan.BreakEvenQueries)}
            {PlanText.Jit(core)}
            """;
        return File(plan, account, $"internal sealed class Prefill{tier.Tier.Name}() : DecompressedCore(CoreTarget.{tier.Tier.Name}, RowOperand.Float32, s_layout)", namesKernels: false, writer =>
        {
            PrefillLayout(writer, tier.Tier, core);
            writer.Line();
            writer.Summary("Attends queries of one head to one tile of keys and values.");
            writer.Line($"/// <param name=\"tile\">Keys and values of floats; queries in panels <c>[d][{2 * tier.Tier.Lanes}]</c>, scaled; sums <c>[columns, {d.VHeadDim}]</c>; {core.Columns} maxima, sums and factors.</param>");
            using (writer.Braces("public override void Attend(ref DecompressedTile tile)"))
            {
                writer.Line("Scores(ref Unsafe.As<byte, float>(ref tile.Keys), tile.Tokens, ref Unsafe.As<byte, float>(ref tile.Queries), tile.Columns, ref tile.Scores);");
                using (writer.Braces("if (tile.Masked)"))
                {
                    writer.Line("Mask(tile.Tokens, ref tile.Scores, ref tile.Seen);");
                }

                writer.Line();
                writer.Line("Softmax(tile.Tokens, tile.Columns, ref tile.Scores, ref tile.Statistics);");
                writer.Line($"Values(ref Unsafe.As<byte, float>(ref tile.Values), tile.Tokens, ref tile.Scores, tile.Columns, ref tile.Sums, ref Unsafe.Add(ref tile.Statistics, {2 * core.Columns}));");
            }

            var emitter = new CoreEmitter(writer, core);
            writer.Line();
            emitter.Scores();
            writer.Line();
            emitter.Mask();
            writer.Line();
            emitter.Softmax();
            writer.Line();
            emitter.Values();
        });
    }

    private static string Matrix(KernelPlan plan, MatrixPlan matrix)
    {
        KernelShape d = plan.Shape;
        string account =
            $"""
            The absorbed attention core for {matrix.TargetText}, at precision {matrix.Precision}.

            What it computes. All {Counted.Of(d.Heads, "head")} of one query token against a block of up to {matrix.BlockTokens} cached rows of {d.KvLoraRank} + {d.QkRopeHeadDim} bfloat16: scores, online softmax, and the weighted
            sum of latents. Queries, probabilities and rows are bfloat16, all sums float32. It costs {CodeWriter.Count(2L * d.Heads * (matrix.Depth + d.KvLoraRank))} operations a cached token for {CodeWriter.Count(matrix.RowBytes)} bytes read.

            {PlanText.Matrix(matrix)}
            {PlanText.Queries(matrix.MostQueries)}
            Products are machine code, assembled when this file was written; the softmax between them is the runtime's. Where the system refuses executable
            memory, or the machine lacks an instruction, a managed core of these kernels runs.
            """;
        return File(plan, account, $"internal sealed class Decode{matrix.Name}() : MatrixCore(CoreTarget.{matrix.Target}, MlaPrecision.{matrix.Precision}, RowOperand.{matrix.Operand}, s_layout, s_matrix)", namesKernels: false, writer =>
        {
            var emitter = new MatrixCoreEmitter(writer, matrix);
            emitter.Layouts(plan.KeySplit);
            writer.Line();
            emitter.Routines();
        });
    }

    private static string TilePrefill(KernelPlan plan, TilePrefillPlan tiles)
    {
        KernelShape d = plan.Shape;
        string account =
            $"""
            The decompressed attention core for {(tiles.CodeScores is null ? "AMX-BF16" : "AMX-BF16 and AMX-INT8")}, at precision {tiles.Precision}.

            What it computes. Keys of {d.QkNopeHeadDim} + {d.QkRopeHeadDim} and values of {d.VHeadDim} of one head from a tile of up to {tiles.KeyTile} cached latents of {d.KvLoraRank}, and the attention of up to {tiles.Queries} queries to them.
            It costs {CodeWriter.Count(2L * d.KvLoraRank * (d.QkNopeHeadDim + d.VHeadDim))} operations a key, and {CodeWriter.Count(2L * (d.QkHeadDim + d.VHeadDim))} a query and visible key. {(tiles.CodeScores is null ? "Operands are sums of terms of bfloat16, all sums float32." : "Operands are sums of terms of bfloat16, and their sums float32; of scores they are codes, and their sums int32.")}

            {PlanText.TilePrefill(tiles)}
            {PlanText.Form(plan.BreakEvenQueries)}
            Products are machine code, assembled when this file was written; the softmax between them is the runtime's. Where the system refuses executable
            memory, or the machine lacks an instruction, another core of these kernels runs.
            """;
        return File(plan, account, $"internal sealed class Prefill{tiles.Name}() : DecompressedTileCore(CoreTarget.{TilePrefillPlan.Target}, MlaPrecision.{tiles.Precision}, RowOperand.Float32, s_layout, s_tiles)", namesKernels: false, writer =>
        {
            var emitter = new TilePrefillEmitter(writer, tiles);
            emitter.Layouts();
            writer.Line();
            emitter.Routines();
        });
    }

    private static string MatrixPrefill(KernelPlan plan, MatrixPrefillPlan matrix)
    {
        KernelShape d = plan.Shape;
        string account =
            $"""
            The decompressed attention core for AVX512-BF16 and AVX512-VNNI, at precision {matrix.Precision}.

            What it computes. Keys of {d.QkNopeHeadDim} + {d.QkRopeHeadDim} and values of {d.VHeadDim} of one head from a tile of up to {matrix.KeyTile} cached latents of {d.KvLoraRank}, and the attention of up to {matrix.Queries} queries to them.
            It costs {CodeWriter.Count(2L * d.KvLoraRank * (d.QkNopeHeadDim + d.VHeadDim))} operations a key, and {CodeWriter.Count(2L * (d.QkHeadDim + d.VHeadDim))} a query and visible key. Latents, weights, keys and queries
            are int16 with a scale for each vector that is multiplied, summed exactly in int32; values and probabilities are bfloat16, summed in float32.

            {PlanText.MatrixPrefill(matrix)}
            {PlanText.Form(plan.BreakEvenQueries)}
            Products are machine code, assembled when this file was written; the softmax between them is the runtime's. Where the system refuses executable
            memory, or the machine lacks an instruction, a managed core of these kernels runs.
            """;
        return File(plan, account, $"internal sealed class Prefill{matrix.Name}() : DecompressedMatrixCore(CoreTarget.{matrix.Target}, MlaPrecision.{matrix.Precision}, RowOperand.Float32, s_layout, s_matrix)", namesKernels: false, writer =>
        {
            var emitter = new MatrixPrefillEmitter(writer, matrix);
            emitter.Layouts();
            writer.Line();
            emitter.Routines();
        });
    }

    private static void DecodeLayout(CodeWriter writer, KernelPlan plan, CorePlan core)
    {
        IEnumerable<int> panels = core.ColumnStripes.SelectMany(stripe => Enumerable.Range(0, stripe.Tiles).Select(tile => stripe.Start + (tile * stripe.Width))).Append(core.Columns);
        writer.Line("private static readonly AbsorbedLayout s_layout = new()");
        writer.Line("{");
        writer.Line($"    BlockTokens = {core.BlockTokens},");
        writer.Line($"    ScoreStride = {core.ScoreStride},");
        writer.Line($"    Queries = new QueryPanels(firstColumns: new[] {{ {string.Join(", ", panels)} }}, firstRowColumn: {core.ColumnStripes.FirstOrDefault(stripe => stripe.ByDepth)?.Start ?? core.Columns}),");
        writer.Line($"    PrefetchTokens = {core.PrefetchTokens},");
        writer.Line($"    MostParts = {plan.KeySplit.MostParts},");
        writer.Line($"    SingleBlockParts = {plan.KeySplit.SingleBlockParts},");
        writer.Line($"    PartBlocks = {plan.KeySplit.PartBlocks},");
        writer.Line($"    MostQueries = {core.MostQueries},");
        writer.Line("};");
    }

    private static void PrefillLayout(CodeWriter writer, SimdTier tier, CorePlan core)
    {
        writer.Line("private static readonly DecompressedLayout s_layout = new()");
        writer.Line("{");
        writer.Line($"    KeyTile = {core.BlockTokens},");
        writer.Line($"    ScoreStride = {core.ScoreStride},");
        writer.Line($"    KeyStride = {core.KeyStride},");
        writer.Line($"    ValueStride = {core.ValueStride},");
        writer.Line($"    QueryTile = {core.Columns},");
        writer.Line($"    QueryPanel = {2 * tier.Lanes},");
        writer.Line("};");
    }

    /// <summary>Writes a file of kernels: its account, their namespace, what of the names they use stands in the text, and a class.</summary>
    private static string File(KernelPlan plan, string account, string declaration, bool namesKernels, Action<CodeWriter> members)
    {
        var body = new CodeWriter();
        body.Lines(EmittedNames.GeneratedType);
        using (body.Braces(declaration))
        {
            members(body);
        }

        string text = body.ToString();
        CodeWriter writer = EmittedNames.BeginFile(account);
        if (namesKernels)
        {
            EmittedNames.KernelsMayBeSeenTwice(writer);
        }

        writer.Line($"namespace {EmittedNames.KernelNamespace(plan.Shape)};");
        writer.Line();
        if (_vectors.IsMatch(text))
        {
            writer.Line("using global::System.Runtime.Intrinsics;");
        }

        foreach ((Regex name, string line) in _usings)
        {
            if (name.IsMatch(text))
            {
                writer.Line(line);
            }
        }

        writer.Line();
        writer.Lines(text.TrimEnd('\n'));
        return writer.ToString();
    }

    private static string TierText(SimdTier tier) => tier.Lanes == 1 ? "processors without vectors" : $"vectors of {tier.Lanes} floats";
}
