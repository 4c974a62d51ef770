using Explorer.Measuring;
using Explorer.Models;
using Explorer.Output;
using MlaGen;

namespace Explorer.Commands;

/// <summary>The attention core of one decoded token, beside the FMA peak.</summary>
internal static class DecodeCommand
{
    public static void Run(Model model, int context, MeasurementOptions options, Report report)
    {
        Measure(model, context, options, report);
        report.Show(
            $"Decode core: {model.Name}, {model.Heads} heads",
            Column.Kernel, Column.Tier, Column.Heads, Column.Context, Column.Threads, Column.Cache, Column.Milliseconds, Column.Gflops, Column.FmaPeak, Column.ShareOfPeak, Column.Gigabytes, Column.Spread);
    }

    public static void Measure(Model model, int context, MeasurementOptions options, Report report)
    {
        using MlaExecutor executor = new(options.Threads);
        using Crew crew = new(options.Threads);
        FmaPeak peak = new(crew);
        using Workload decode = model.Layer.Decode(context, executor);
        report.WithProgress($"decode, {model.Heads} heads, {context} tokens", progress =>
        {
            Rounds rounds = Rounds.Run([peak, decode], options.Seconds, progress);
            report.Add(Measurement.Of(rounds, decode, peak, options.Threads) with { Heads = model.Heads, Context = context, Cache = model.Cache });
        });
    }
}
