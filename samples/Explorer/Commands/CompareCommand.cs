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
        Column.Kernel, Column.Context, Column.Threads, Column.Core, Column.KeyFloats, Column.OperationsPerToken, Column.Milliseconds, Column.TokensPerSecond,
        Column.ShareOfPeak, Column.Gigabytes, Column.BoundBy, Column.ShareOfRoofline, Column.Spread,
    ];

    public const string Absorbed = "mla absorbed";
    public const string Decompressed = "mla decompressed";

    private const int ShortestContext = 64;

    /// <summary>What a multi-head cache may take of the memory there is.</summary>
    private const double MostMemory = 0.6;

    public static void Run(Model model, int longest, MlaPrecision precision, MeasurementOptions options, Report report)
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

            Measure(model, context, precision, options, report);
        }

        AddNotes(model, precision, report);
        report.Show(
            $"One decoded token: MLA and multi-head attention, {model.Name}, {Counted.Of(model.Heads, "head")}",
            Columns);
    }

    private static void Measure(Model model, int context, MlaPrecision precision, MeasurementOptions options, Report report)
    {
        using MlaExecutor executor = new(options.Threads);
        using Crew crew = new(options.Threads);
        MlaShape shape = model.Core.Shape;
        FmaPeak peak = new(crew);
        long absorption = 2 * Costs.KvBWeights(shape);
        long absorbedOperations = absorption + (context * Costs.AbsorbedOperationsPerToken(shape));
        long mlaBytes = ((long)context * model.Core.Layout.RowBytes) + (sizeof(ushort) * Costs.KvBWeights(shape));
        long decompressedPerToken = Costs.DecompressionPerToken(shape) + Costs.DecompressedOperationsPerToken(shape);
        using Workload absorbed = model.Core.Forward(Absorbed, new Step(1, context, 1, MlaForm.Absorbed, absorbedOperations, mlaBytes), executor);
        using Workload decompressed = model.Core.Forward(
            Decompressed, new Step(1, context, 1, MlaForm.Decompressed, context * decompressedPerToken, mlaBytes), executor);
        HeadMajorCache cache = new(model.Heads, context, crew);
        MultiHeadAttention mha = new(cache, crew);

        // Memory of the same size: what fits into a cache is read faster, and is judged by that.
        ReadBandwidth mlaRead = new(crew, "mla read", new float[mlaBytes / sizeof(float)]);
        ReadBandwidth mhaRead = new(crew, "mha read", cache.Keys, cache.Values);

        // The same at a lesser precision on rows of bfloat16, judged by the instruction that its core multiplies with.
        long roundedBytes = ((long)context * shape.CacheRowElements * sizeof(ushort)) + (sizeof(ushort) * Costs.KvBWeights(shape));
        using ForwardWorkload? rounded = precision == MlaPrecision.Highest
            ? null
            : model.Core.Forward(AbsorbedAt(precision), new Step(1, context, 1, MlaForm.Absorbed, absorbedOperations, roundedBytes), executor, CacheFormat.BFloat16, precision);
        CoreTarget? target = rounded?.Cores.Absorbed.Single(static core => core.Runs).Target;
        MatrixPeak[] matrices = rounded is null ? [] : MatrixPeak.Of(rounded.Cores, crew);
        MatrixPeak? matrix = matrices.FirstOrDefault(matrix => matrix.Target == target);
        ReadBandwidth? roundedRead = rounded is null ? null : new(crew, "rounded read", new float[roundedBytes / sizeof(float)]);
        report.WithProgress(Counted.Of(context, "token"), progress =>
        {
            Workload?[] all = [peak, mlaRead, mhaRead, absorbed, decompressed, mha, roundedRead, rounded, matrix];
            Rounds rounds = Rounds.Run([.. all.OfType<Workload>()], options.Seconds * 3, progress);
            Add(absorbed, mlaRead, peak, shape.CacheRowElements, Costs.AbsorbedOperationsPerToken(shape));
            Add(decompressed, mlaRead, peak, shape.CacheRowElements, decompressedPerToken);
            if (rounded is not null && roundedRead is not null)
            {
                Add(rounded, roundedRead, matrix ?? (Workload)peak, shape.CacheRowElements, Costs.AbsorbedOperationsPerToken(shape), target);
            }

            Add(mha, mhaRead, peak, model.Heads * HeadMajorCache.Width, 4L * model.Heads * HeadMajorCache.Width);

            void Add(Workload workload, ReadBandwidth read, Workload arithmetic, long keyFloats, long operationsPerToken, CoreTarget? core = null)
            {
                Measurement measurement = Measurement.Of(rounds, workload, peak, options.Threads) with
                {
                    Heads = model.Heads,
                    Context = context,
                    Cache = core is null ? model.Cache : Model.Called(CacheFormat.BFloat16),
                    Precision = core is null ? null : Model.Called(precision),
                    Core = core?.ToString().ToLowerInvariant(),
                    KeyFloatsPerToken = keyFloats,
                    OperationsPerToken = operationsPerToken,
                };
                report.Add(measurement.WithRoofline(rounds, workload, read, arithmetic));
            }
        });
        foreach (MatrixPeak each in matrices)
        {
            each.Dispose();
        }
    }

    /// <summary>What tables call the absorbed form at a precision.</summary>
    private static string AbsorbedAt(MlaPrecision precision) => precision == MlaPrecision.Highest ? Absorbed : $"{Absorbed} {Model.Called(precision)}";

    private static void AddNotes(Model model, MlaPrecision precision, Report report)
    {
        int row = model.Core.Shape.CacheRowElements;
        int full = 2 * model.Heads * HeadMajorCache.Width;
        report.Note(FormattableString.Invariant($"Keys and values of a token: {full:#,0} floats in multi-head attention, {row} in MLA, where the latent is both: {(double)full / row:0.00} times fewer."));
        foreach (string absorbed in (IEnumerable<string>)(precision == MlaPrecision.Highest ? [Absorbed] : [Absorbed, AbsorbedAt(precision)]))
        {
            report.Note(Crossover(report.Measurements, absorbed, "mha"));
            report.Note(Crossover(report.Measurements, absorbed, Decompressed));
        }

        report.Note(Crossover(report.Measurements, Decompressed, "mha"));
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
