using Explorer.Kernels;
using Explorer.Measuring;
using Explorer.Models;
using Explorer.Output;
using MlaGen;
using Samples;

namespace Explorer.Commands;

/// <summary>One decoded token by MLA, absorbed and decompressed, and by standard multi-head attention, over growing contexts.</summary>
internal static class CompareCommand
{
    /// <summary>Its table.</summary>
    internal static readonly Column[] Columns =
    [
        Column.Kernel, Column.Context, Column.Threads, Column.KeyFloats, Column.OperationsPerToken, Column.Milliseconds, Column.TokensPerSecond,
        Column.ShareOfPeak, Column.Gigabytes, Column.BoundBy, Column.ShareOfRoofline, Column.Spread,
    ];

    public const string Absorbed = "mla absorbed";
    public const string Decompressed = "mla decompressed";

    private const int ShortestContext = 64;

    /// <summary>What a multi-head cache may take of the memory there is.</summary>
    private const double MostMemory = 0.6;

    public static void Run(Model model, int longest, MeasurementOptions options, Report report)
    {
        for (int context = Math.Min(ShortestContext, longest); context <= longest; context *= 2)
        {
            if (context >= model.Core.Shape.MaxPositionEmbeddings)
            {
                report.Note(FormattableString.Invariant($"{model.Name} has positions for {Counted.Of(model.Core.Shape.MaxPositionEmbeddings, "token")}: {context} and a new one are too many."));
                break;
            }

            long bytes = HeadMajorCache.BytesFor(model.Heads, context);
            if (bytes > MostMemory * GC.GetGCMemoryInfo().TotalAvailableMemoryBytes || bytes / 2 / sizeof(float) > Array.MaxLength)
            {
                report.Note(FormattableString.Invariant($"From {Counted.Of(context, "token")} on, the keys and values of {Counted.Of(model.Heads, "head")} no longer fit into memory ({bytes / 1e9:0.0} GB)."));
                break;
            }

            Measure(model, context, options, report);
        }

        AddNotes(model, report);
        report.Show(
            $"One decoded token: MLA and multi-head attention, {model.Name}, {Counted.Of(model.Heads, "head")}",
            Columns);
    }

    private static void Measure(Model model, int context, MeasurementOptions options, Report report)
    {
        using MlaExecutor executor = new(options.Threads);
        using Crew crew = new(options.Threads);
        MlaShape shape = model.Core.Shape;
        FmaPeak peak = new(crew);
        long absorption = 2 * Costs.KvBWeights(shape);
        long mlaBytes = ((long)context * model.Core.Layout.RowBytes) + (sizeof(ushort) * Costs.KvBWeights(shape));
        long decompressedPerToken = Costs.DecompressionPerToken(shape) + Costs.DecompressedOperationsPerToken(shape);
        using Workload absorbed = model.Core.Forward(
            Absorbed, new Step(1, context, 1, MlaForm.Absorbed, absorption + (context * Costs.AbsorbedOperationsPerToken(shape)), mlaBytes), executor);
        using Workload decompressed = model.Core.Forward(
            Decompressed, new Step(1, context, 1, MlaForm.Decompressed, context * decompressedPerToken, mlaBytes), executor);
        HeadMajorCache cache = new(model.Heads, context, crew);
        MultiHeadAttention mha = new(cache, crew);

        // Memory of the same size: what fits into a cache is read faster, and is judged by that.
        ReadBandwidth mlaRead = new(crew, "mla read", new float[mlaBytes / sizeof(float)]);
        ReadBandwidth mhaRead = new(crew, "mha read", cache.Keys, cache.Values);
        report.WithProgress(Counted.Of(context, "token"), progress =>
        {
            Rounds rounds = Rounds.Run([peak, mlaRead, mhaRead, absorbed, decompressed, mha], options.Seconds * 3, progress);
            Add(absorbed, mlaRead, shape.CacheRowElements, Costs.AbsorbedOperationsPerToken(shape));
            Add(decompressed, mlaRead, shape.CacheRowElements, decompressedPerToken);
            Add(mha, mhaRead, model.Heads * HeadMajorCache.Width, 4L * model.Heads * HeadMajorCache.Width);

            void Add(Workload workload, ReadBandwidth read, long keyFloats, long operationsPerToken)
            {
                Measurement measurement = Measurement.Of(rounds, workload, peak, options.Threads) with
                {
                    Heads = model.Heads,
                    Context = context,
                    Cache = model.Cache,
                    KeyFloatsPerToken = keyFloats,
                    OperationsPerToken = operationsPerToken,
                };
                report.Add(measurement.WithRoofline(rounds, workload, read));
            }
        });
    }

    private static void AddNotes(Model model, Report report)
    {
        int row = model.Core.Shape.CacheRowElements;
        int full = 2 * model.Heads * HeadMajorCache.Width;
        report.Note(FormattableString.Invariant($"Keys and values of a token: {full:#,0} floats in multi-head attention, {row} in MLA, where the latent is both: {(double)full / row:0.00} times fewer."));
        report.Note(Crossover(report.Measurements, Absorbed, "mha"));
        report.Note(Crossover(report.Measurements, Decompressed, "mha"));
        report.Note(Crossover(report.Measurements, Absorbed, Decompressed));
        int[] slow = [.. report.Measurements.Where(static m => m.Kernel == "mha" && m.ShareOfRoofline < 0.8).Select(static m => m.Context!.Value)];
        report.Note(slow.Length == 0
            ? "The multi-head kernel reaches at least 80 % of its own roofline at every context."
            : $"The multi-head kernel stays below 80 % of its own roofline at these numbers of tokens: {string.Join(", ", slow.Select(static context => Column.Whole(context)))}. There it flatters MLA.");
    }

    /// <summary>From which measured context on a kernel stays ahead of another.</summary>
    internal static string Crossover(IReadOnlyList<Measurement> measurements, string kernel, string other)
    {
        (int Context, bool Ahead)[] points =
        [
            .. measurements.Where(m => m.Kernel == kernel)
                .Join(measurements.Where(m => m.Kernel == other), static m => m.Context, static m => m.Context, static (ours, theirs) => (ours.Context!.Value, ours.Ms < theirs.Ms))
                .OrderBy(static point => point.Item1),
        ];
        int lastBehind = Array.FindLastIndex(points, static point => !point.Ahead);
        return lastBehind == points.Length - 1 ? $"{kernel} is not ahead of {other} at the longest context."
            : lastBehind < 0 ? $"{kernel} is ahead of {other} at every context."
            : $"{kernel} is ahead of {other} from {Column.Whole(points[lastBehind + 1].Context)} tokens on.";
    }
}
