using Explorer.Measuring;
using Explorer.Models;
using Explorer.Output;
using MlaGen;
using Samples;

namespace Explorer.Commands;

/// <summary>Attention of a prompt on decompressed keys and values, beside the FMA peak.</summary>
internal static class PrefillCommand
{
    /// <summary>Its table.</summary>
    internal static readonly Column[] Columns =
    [
        Column.Kernel, Column.Tier, Column.Heads, Column.Context, Column.Threads, Column.Cache, Column.Precision, Column.Core, Column.Milliseconds, Column.Gflops, Column.FmaPeak,
        Column.ShareOfPeak, Column.Speedup, Column.PeakSpeedup, Column.Spread,
    ];

    public static void Run(Model model, CacheFormat format, MlaPrecision precision, int context, MeasurementOptions options, Report report)
    {
        Measure(model, format, precision, context, options, report);
        report.Show(
            $"Prefill core: {model.Name}, {Counted.Of(model.Heads, "head")}",
            Columns);
    }

    public static void Measure(Model model, int context, MeasurementOptions options, Report report) => Measure(model, model.Core.Layout.Format, MlaPrecision.Highest, context, options, report);

    private static void Measure(Model model, CacheFormat format, MlaPrecision precision, int context, MeasurementOptions options, Report report)
    {
        using MlaExecutor executor = new(options.Threads);
        using Crew crew = new(options.Threads);
        FmaPeak peak = new(crew);
        Step step = Prompt(model.Core, context);
        using ForwardWorkload prefill = model.Core.Forward("prefill", step, executor, format, precision);
        using OneThread? one = OneThread.Beside(options.Threads, executor => model.Core.Forward("prefill", step, executor, format, precision));
        string? asked = precision == MlaPrecision.Highest ? null : Model.Called(precision);
        string? core = asked is null ? null : prefill.Cores.Decompressed.First(static core => core.Runs).Target.ToString().ToLowerInvariant();
        report.WithProgress($"prefill, {Counted.Of(model.Heads, "head")}, {Counted.Of(context, "token")}", progress =>
        {
            Rounds rounds = Rounds.Run([peak, prefill, .. OneThread.Workloads(one)], options.Seconds, progress);
            report.Add(Measurement.Of(rounds, prefill, peak, options.Threads).WithSpeedup(rounds, prefill, peak, one) with { Heads = model.Heads, Context = context, Cache = Model.Called(format), Precision = asked, Core = core });
        });
        if (asked is not null)
        {
            report.Note(prefill.Cores.ToString());
        }
    }

    /// <summary>A prompt from its beginning.</summary>
    public static Step Prompt(Attention attention, int tokens)
    {
        MlaShape shape = attention.Shape;
        // At least: each query once, and each cached row.
        long bytes = (long)tokens * ((shape.Heads * shape.QkHeadDim * sizeof(float)) + attention.Layout.RowBytes);
        return new Step(Sequences: 1, Context: 0, NewTokens: tokens, MlaForm.Decompressed, Costs.Prefill(shape, tokens), bytes);
    }
}
