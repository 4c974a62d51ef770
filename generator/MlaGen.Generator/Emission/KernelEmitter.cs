using MlaGen.Generator.Model;
using MlaGen.Generator.Planning;

namespace MlaGen.Generator.Emission;

/// <summary>Writes the kernels of one set of dimensions: two cores a tier, a file each, and the list of them.</summary>
internal static class KernelEmitter
{
    public static IEnumerable<EmittedFile> Emit(KernelPlan plan)
    {
        string prefix = $"MlaGen.Kernels.{plan.Shape.Name}";
        yield return new EmittedFile($"{prefix}.g.cs", List(plan));
        foreach (TierPlan tier in plan.Tiers)
        {
            yield return new EmittedFile($"{prefix}.Decode.{tier.Tier.Name}.g.cs", Decode(plan, tier));
            yield return new EmittedFile($"{prefix}.Prefill.{tier.Tier.Name}.g.cs", Prefill(plan, tier));
        }
    }

    private static string List(KernelPlan plan)
    {
        KernelShape d = plan.Shape;
        CodeWriter writer = EmittedNames.BeginFile(
            $"The kernels of every class with {PlanText.Count(d.Heads, "head")}, a latent of {d.KvLoraRank}, a rotary key of {d.QkRopeHeadDim}, head keys of {d.QkNopeHeadDim} and head values of {d.VHeadDim}.\n" +
            "Of each form the first core runs that the process's machine and the cache allow.");
        EmittedNames.KernelsMayBeSeenTwice(writer);
        BeginKernelNamespace(writer, plan);
        writer.Line(EmittedNames.GeneratedCode);
        using (writer.Braces("internal static class Kernels"))
        {
            writer.Line("public static readonly MlaKernels Instance = new()");
            writer.Line("{");
            writer.Line($"    Absorbed = [{string.Join(", ", plan.Tiers.Select(tier => $"new Decode{tier.Tier.Name}()"))}],");
            writer.Line($"    Decompressed = [{string.Join(", ", plan.Tiers.Select(tier => $"new Prefill{tier.Tier.Name}()"))}],");
            writer.Line("};");
        }

        return writer.ToString();
    }

    private static string Decode(KernelPlan plan, TierPlan tier)
    {
        KernelShape d = plan.Shape;
        CorePlan core = tier.Decode;
        CodeWriter writer = EmittedNames.BeginFile(
            $"""
            The absorbed attention core for {TierText(tier.Tier)}.

            What it computes. All {PlanText.Count(d.Heads, "head")} of one query token against a block of up to {core.BlockTokens} cached rows of {d.KvLoraRank} + {d.QkRopeHeadDim} floats: scores, online softmax,
            and the weighted sum of latents. It costs {CodeWriter.Count(2L * d.Heads * (core.Depth + d.KvLoraRank))} operations a cached token for {CodeWriter.Count(4L * core.Depth)} bytes read.

            How it is cut. {PlanText.Segments("Columns (heads)", core.ColumnSegments)} {PlanText.Segments("Latent dimensions", core.ValueSegments)}
            {PlanText.Registers(core, "token")}
            {PlanText.Caches(core)}
            {PlanText.Threads(plan.KeySplit)}
            {PlanText.Form(plan.BreakEvenQueries)}
            {PlanText.Jit(core)}
            """);
        BeginKernelNamespace(writer, plan);
        writer.Line(EmittedNames.GeneratedCode);
        using (writer.Braces($"internal sealed class Decode{tier.Tier.Name}() : AbsorbedCore(CoreTarget.{tier.Tier.Name}, RowOperand.Float32, s_layout)"))
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
        }

        return writer.ToString();
    }

    private static string Prefill(KernelPlan plan, TierPlan tier)
    {
        KernelShape d = plan.Shape;
        CorePlan core = tier.Prefill;
        CodeWriter writer = EmittedNames.BeginFile(
            $"""
            The decompressed attention core for {TierText(tier.Tier)}.

            What it computes. Up to {core.Columns} queries of one head against a tile of up to {core.BlockTokens} decompressed keys of {d.QkNopeHeadDim} + {d.QkRopeHeadDim} floats and values of {d.VHeadDim}.
            It costs {CodeWriter.Count(2L * (core.Depth + core.ValueDim))} operations a query and visible key; the key tile was decompressed once for all queries of the head.

            How it is cut. Queries lie in lanes, {2 * tier.Tier.Lanes} to a panel. {PlanText.Segments("Value dimensions", core.ValueSegments)}
            {PlanText.Registers(core, "key")}
            {PlanText.Caches(core)}
            {PlanText.Form(plan.BreakEvenQueries)}
            {PlanText.Jit(core)}
            """);
        BeginKernelNamespace(writer, plan);
        writer.Line(EmittedNames.GeneratedCode);
        using (writer.Braces($"internal sealed class Prefill{tier.Tier.Name}() : DecompressedCore(CoreTarget.{tier.Tier.Name}, RowOperand.Float32, s_layout)"))
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
                    writer.Line("Mask(tile.Tokens, tile.Columns, ref tile.Scores, ref tile.Limits);");
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
        }

        return writer.ToString();
    }

    private static void DecodeLayout(CodeWriter writer, KernelPlan plan, CorePlan core)
    {
        IEnumerable<int> panels = core.ColumnSegments.SelectMany(segment => Enumerable.Range(0, segment.Groups).Select(group => segment.Start + (group * segment.Width))).Append(core.Columns);
        writer.Line("private static readonly AbsorbedLayout s_layout = new()");
        writer.Line("{");
        writer.Line($"    BlockTokens = {core.BlockTokens},");
        writer.Line($"    ScoreStride = {core.ScoreStride},");
        writer.Line($"    Queries = new QueryPanels(firstColumns: [{string.Join(", ", panels)}], firstRowColumn: {core.ColumnSegments.FirstOrDefault(segment => segment.ByDepth)?.Start ?? core.Columns}),");
        writer.Line($"    PrefetchTokens = {core.PrefetchTokens},");
        writer.Line($"    MostParts = {plan.KeySplit.MostParts},");
        writer.Line($"    SingleBlockParts = {plan.KeySplit.SingleBlockParts},");
        writer.Line($"    PartBlocks = {plan.KeySplit.PartBlocks},");
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

    private static void BeginKernelNamespace(CodeWriter writer, KernelPlan plan)
    {
        writer.Line($"namespace {EmittedNames.KernelNamespace(plan.Shape)};");
        writer.Line();
        writer.Line("using System;");
        writer.Line("using System.Runtime.CompilerServices;");
        writer.Line("using System.Runtime.Intrinsics;");
        writer.Line("using MlaGen.Runtime;");
        writer.Line();
    }

    private static string TierText(SimdTier tier) => tier.Lanes == 1 ? "processors without vectors" : $"vectors of {tier.Lanes} floats";
}
