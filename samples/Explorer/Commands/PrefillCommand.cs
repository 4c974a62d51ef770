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
        Column.Kernel, Column.Tier, Column.Heads, Column.Context, Column.Threads, Column.Cache, Column.Milliseconds, Column.Gflops, Column.FmaPeak,
        Column.ShareOfPeak, Column.Speedup, Column.PeakSpeedup, Column.Spread,
    ];

    public static void Run(Model model, int context, MeasurementOptions options, Report report)
    {
        Measure(model, context, options, report);
        report.Show(
            $"Prefill core: {model.Name}, {Counted.Of(model.Heads, "head")}",
            Columns);
    }

    public static void Measure(Model model, int context, MeasurementOptions options, Report report)
    {
        using MlaExecutor executor = new(options.Threads);
        using Crew crew = new(options.Threads);
        FmaPeak peak = new(crew);
        Step step = Prompt(model.Core, context);
        using Workload prefill = model.Core.Forward("prefill", step, executor);
        using OneThread? one = OneThread.Beside(options.Threads, executor => model.Core.Forward("prefill", step, executor));
        report.WithProgress($"prefill, {Counted.Of(model.Heads, "head")}, {Counted.Of(context, "token")}", progress =>
        {
            Rounds rounds = Rounds.Run([peak, prefill, .. OneThread.Workloads(one)], options.Seconds, progress);
            report.Add(Measurement.Of(rounds, prefill, peak, options.Threads).WithSpeedup(rounds, prefill, peak, one) with { Heads = model.Heads, Context = context, Cache = model.Cache });
        });
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
