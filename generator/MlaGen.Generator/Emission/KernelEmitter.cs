using System.Text.RegularExpressions;
using MlaGen.Generator.Model;
using MlaGen.Generator.Planning;

namespace MlaGen.Generator.Emission;

/// <summary>Writes the two cores of a tier, a file each.</summary>
internal static class KernelEmitter
{
    private const string BlockParameters = "ref float rows, int tokens, ref byte upcoming, IntPtr distance, ref float queries, ref float scores, ref float output, ref float statistics";

    // Each under a name of its own, within the kernels' namespace: so no namespace, class or global using of the user's comes before it, and none beside it.
    // IntPtr is nint, which a class of that name would be as well.
    private static readonly string[] _types =
    [
        "MlaGen.Runtime.KernelLayout",
        "MlaGen.Runtime.MlaKernels",
        "MlaGen.Runtime.Prefetch",
        "MlaGen.Runtime.VectorMath",
        "System.IntPtr",
        "System.Math",
        "System.Runtime.CompilerServices.MethodImplAttribute",
        "System.Runtime.CompilerServices.MethodImplOptions",
        "System.Runtime.CompilerServices.Unsafe",
    ];

    public static string Decode(KernelPlan plan, TierPlan tier)
    {
        Dimensions d = plan.Spec.Dimensions;
        CorePlan core = tier.Decode;
        string account =
            $"""
            {plan.Spec.Target.FullName}: the absorbed attention core for {TierText(tier.Tier)}.

            What it computes. All {PlanText.Count(d.Heads, "head")} of one query token against a block of up to {core.BlockTokens} cached rows of {d.KvLoraRank} + {d.QkRopeHeadDim} floats: scores, online softmax,
            and the weighted sum of latents. It costs {CodeWriter.Count(2L * d.Heads * (core.Depth + d.KvLoraRank))} operations a cached token for {CodeWriter.Count(4L * core.Depth)} bytes read.

            How it is cut. {PlanText.Segments("Columns (heads)", core.ColumnSegments)} {PlanText.Segments("Latent dimensions", core.ValueSegments)}
            {PlanText.Registers(core, "token")}
            {PlanText.Caches(core)}
            {PlanText.Threads(plan.KeySplit)}
            {PlanText.Form(plan.BreakEvenQueries)}
            {PlanText.Jit(core)}
            """;
        return ClassFile(plan, account, $"Decode{tier.Tier.Name}", writer =>
        {
            writer.Summary(
                "Attends the heads of one query token to one block of rows.\n" +
                "upcoming, distance: where the cache keeps the rows that will be needed next, asked for while this block is worked on;\n" +
                $"queries: panels [d][columns] of the absorbed, scaled query; scores: scratch; output: [{d.Heads}, {d.KvLoraRank}], unnormalised;\n" +
                $"statistics: {core.Columns} running maxima, then as many sums, then as many factors of the last rescaling.");
            string upcoming = core.CachedRowBytes > 0 ? "ref upcoming, distance, " : string.Empty;
            using (writer.Braces($"public static void AttendBlock({BlockParameters})"))
            {
                writer.Line($"Scores(ref rows, tokens, {upcoming}ref queries, ref scores);");
                writer.Line("Softmax(tokens, ref scores, ref statistics);");
                writer.Line($"Values(ref rows, tokens, ref scores, ref output, ref Unsafe.Add(ref statistics, {2 * core.Columns}));");
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

    public static string Prefill(KernelPlan plan, TierPlan tier)
    {
        Dimensions d = plan.Spec.Dimensions;
        CorePlan core = tier.Prefill;
        string account =
            $"""
            {plan.Spec.Target.FullName}: the decompressed attention core for {TierText(tier.Tier)}.

            What it computes. Up to {core.Columns} queries of one head against a tile of up to {core.BlockTokens} decompressed keys of {d.QkNopeHeadDim} + {d.QkRopeHeadDim} floats and values of {d.VHeadDim}.
            It costs {CodeWriter.Count(2L * (core.Depth + core.ValueDim))} operations a query and visible key; the key tile was decompressed once for all queries of the head.

            How it is cut. Queries lie in lanes, {2 * tier.Tier.Lanes} to a panel. {PlanText.Segments("Value dimensions", core.ValueSegments)}
            {PlanText.Registers(core, "key")}
            {PlanText.Caches(core)}
            {PlanText.Form(plan.BreakEvenQueries)}
            {PlanText.Jit(core)}
            """;
        return ClassFile(plan, account, $"Prefill{tier.Tier.Name}", writer =>
        {
            writer.Summary(
                "Attends queries of one head to one tile of keys and values.\n" +
                $"queries: panels [d][{2 * tier.Tier.Lanes}] of scaled queries, columns of them; limits: keys of the tile that each query may see, used if masked;\n" +
                $"scores: scratch; output: [columns, {d.VHeadDim}], unnormalised; statistics: {core.Columns} maxima, sums and factors.");
            using (writer.Braces("public static void AttendTile(ref float keys, ref float values, int tokens, ref float queries, int columns, ref float limits, bool masked, ref float scores, ref float output, ref float statistics)"))
            {
                writer.Line("Scores(ref keys, tokens, ref queries, columns, ref scores);");
                using (writer.Braces("if (masked)"))
                {
                    writer.Line("Mask(tokens, columns, ref scores, ref limits);");
                }

                writer.Line();
                writer.Line("Softmax(tokens, columns, ref scores, ref statistics);");
                writer.Line($"Values(ref values, tokens, ref scores, columns, ref output, ref Unsafe.Add(ref statistics, {2 * core.Columns}));");
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

    /// <summary>Writes the class that offers a tier's cores to the runtime, with the sizes that the driver needs to know.</summary>
    public static void Adapter(CodeWriter writer, KernelPlan plan, TierPlan tier)
    {
        string name = tier.Tier.Name;
        CorePlan decode = tier.Decode;
        CorePlan prefill = tier.Prefill;
        IEnumerable<int> panels = decode.ColumnSegments.SelectMany(segment => Enumerable.Range(0, segment.Groups).Select(group => segment.Start + (group * segment.Width))).Append(decode.Columns);
        writer.Line(EmittedNames.GeneratedCode);
        using (writer.Braces($"internal sealed class {name}Kernels() : MlaKernels(s_layout)"))
        {
            writer.Line("private static readonly KernelLayout s_layout = new()");
            writer.Line("{");
            writer.Line($"    BlockTokens = {decode.BlockTokens},");
            writer.Line($"    ScoreStride = {decode.ScoreStride},");
            writer.Line($"    FirstColumns = [{string.Join(", ", panels)}],");
            writer.Line($"    FirstRowColumn = {decode.ColumnSegments.FirstOrDefault(segment => segment.ByDepth)?.Start ?? decode.Columns},");
            writer.Line($"    PrefetchTokens = {decode.PrefetchTokens},");
            writer.Line($"    MostParts = {plan.KeySplit.MostParts},");
            writer.Line($"    SingleBlockParts = {plan.KeySplit.SingleBlockParts},");
            writer.Line($"    PartBlocks = {plan.KeySplit.PartBlocks},");
            writer.Line($"    KeyTile = {prefill.BlockTokens},");
            writer.Line($"    TileScoreStride = {prefill.ScoreStride},");
            writer.Line($"    KeyStride = {prefill.KeyStride},");
            writer.Line($"    ValueStride = {prefill.ValueStride},");
            writer.Line($"    QueryTile = {prefill.Columns},");
            writer.Line($"    QueryPanel = {2 * tier.Tier.Lanes},");
            writer.Line("};");
            writer.Line();
            writer.Line($"public override void AttendBlock({BlockParameters}) =>");
            writer.Line($"    Decode{name}.AttendBlock(ref rows, tokens, ref upcoming, distance, ref queries, ref scores, ref output, ref statistics);");
            writer.Line();
            writer.Line("public override void AttendTile(ref float keys, ref float values, int tokens, ref float queries, int columns, ref float limits, bool masked, ref float scores, ref float output, ref float statistics) =>");
            writer.Line($"    Prefill{name}.AttendTile(ref keys, ref values, tokens, ref queries, columns, ref limits, masked, ref scores, ref output, ref statistics);");
        }
    }

    /// <summary>Writes a file of kernels: its account, their namespace, and what of the names they use stands in the text.</summary>
    public static string File(KernelPlan plan, string account, Action<CodeWriter> content)
    {
        var body = new CodeWriter();
        content(body);
        string text = body.ToString();

        CodeWriter writer = EmittedNames.BeginFile(account);
        writer.Line($"namespace {UniqueNames.KernelNamespace(plan.Spec.Target)};");
        writer.Line();
        if (Regex.IsMatch(text, @"\bVector\d+\b"))
        {
            writer.Line("using global::System.Runtime.Intrinsics;");
        }

        foreach (string type in _types.Where(type => Regex.IsMatch(text, $@"\b{SimpleName(type)}\b")))
        {
            writer.Line($"using {SimpleName(type)} = global::{type};");
        }

        writer.Line();
        writer.Lines(text.TrimEnd('\n'));
        return writer.ToString();
    }

    private static string ClassFile(KernelPlan plan, string account, string name, Action<CodeWriter> content) => File(plan, account, writer =>
    {
        writer.Line(EmittedNames.GeneratedCode);
        using (writer.Braces($"internal static class {name}"))
        {
            content(writer);
        }
    });

    private static string SimpleName(string type) => type.Substring(type.LastIndexOf('.') + 1);

    private static string TierText(SimdTier tier) => tier.Lanes == 1 ? "processors without vectors" : $"vectors of {tier.Lanes} floats";
}
