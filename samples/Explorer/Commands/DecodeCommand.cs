using Explorer.Measuring;
using Explorer.Models;
using Explorer.Output;
using MlaGen;
using Samples;

namespace Explorer.Commands;

/// <summary>The attention core of one decoded token, or of a few, beside the FMA peak, and on a smaller cache beside itself on full floats.</summary>
internal static class DecodeCommand
{
    /// <summary>Its table.</summary>
    internal static readonly Column[] Columns =
    [
        Column.Kernel, Column.Tier, Column.Heads, Column.Context, Column.Queries, Column.Threads, Column.Cache, Column.Precision, Column.Core, Column.Milliseconds, Column.Gflops, Column.FmaPeak,
        Column.ShareOfPeak, Column.Gigabytes, Column.ShareOfFloat32, Column.OverOneQuery, Column.Speedup, Column.PeakSpeedup, Column.Spread,
    ];

    public static void Run(Model model, CacheFormat format, MlaPrecision precision, int queries, int context, MeasurementOptions options, Report report)
    {
        if (format == model.Core.Layout.Format && precision == MlaPrecision.Highest)
        {
            Measure(model, queries, context, options, report);
        }
        else
        {
            MeasureSmaller(model, format, precision, queries, context, options, report);
        }

        report.Show(
            $"Decode core: {model.Name}, {Counted.Of(model.Heads, "head")}",
            Columns);
    }

    public static void Measure(Model model, int queries, int context, MeasurementOptions options, Report report)
    {
        using MlaExecutor executor = new(options.Threads);
        using Crew crew = new(options.Threads);
        FmaPeak peak = new(crew);
        using Workload decode = model.Layer.Decode(context, executor, queries: queries);
        using Workload? oneQuery = queries > 1 ? model.Layer.Decode(context, executor) : null;
        using OneThread? one = OneThread.Beside(options.Threads, executor => model.Layer.Decode(context, executor, queries: queries));
        report.WithProgress($"decode, {Counted.Of(model.Heads, "head")}, {Counted.Of(context, "token")}", progress =>
        {
            Rounds rounds = Rounds.Run([peak, decode, .. Few(oneQuery), .. OneThread.Workloads(one)], options.Seconds, progress);
            report.Add(Measurement.Of(rounds, decode, peak, options.Threads).WithOneQuery(rounds, decode, oneQuery).WithSpeedup(rounds, decode, peak, one) with { Heads = model.Heads, Context = context, Queries = Asked(queries), Cache = model.Cache });
        });
    }

    /// <summary>The two formats in the same rounds: what the smaller one costs is their ratio, which holds where their times do not.</summary>
    private static void MeasureSmaller(Model model, CacheFormat format, MlaPrecision precision, int queries, int context, MeasurementOptions options, Report report)
    {
        using MlaExecutor executor = new(options.Threads);
        using Crew crew = new(options.Threads);
        FmaPeak peak = new(crew);
        using Workload float32 = model.Core.Decode(context, executor, queries: queries);
        using CoreWorkload decode = model.Core.Decode(context, executor, format, precision, queries);
        using Workload? oneQuery = queries > 1 ? model.Core.Decode(context, executor, format, precision) : null;
        using OneThread? one = OneThread.Beside(options.Threads, executor => model.Core.Decode(context, executor, format, precision, queries));
        string cache = Model.Called(format);
        string? asked = precision == MlaPrecision.Highest ? null : Model.Called(precision);
        report.WithProgress($"decode, {Counted.Of(model.Heads, "head")}, {Counted.Of(context, "token")}, {cache}", progress =>
        {
            Rounds rounds = Rounds.Run([peak, float32, decode, .. Few(oneQuery), .. OneThread.Workloads(one)], options.Seconds * 2, progress);
            report.Add(Measurement.Of(rounds, decode, peak, options.Threads).WithFloat32(rounds, decode, float32).WithOneQuery(rounds, decode, oneQuery).WithSpeedup(rounds, decode, peak, one) with { Heads = model.Heads, Context = context, Queries = Asked(queries), Cache = cache, Precision = asked, Core = asked is null ? null : decode.Core?.Target.ToString().ToLowerInvariant() });
        });
        if (precision != MlaPrecision.Highest)
        {
            report.Note(decode.Account!);
        }
    }

    private static int? Asked(int queries) => queries > 1 ? queries : null;

    private static Workload[] Few(Workload? workload) => workload is null ? [] : [workload];
}
