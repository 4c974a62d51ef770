using System.Diagnostics;
using System.Runtime.CompilerServices;
using Explorer.Measuring;
using Explorer.Models;
using Explorer.Output;
using MlaGen;
using Samples;

namespace Explorer.Commands;

/// <summary>
/// The first call of this process after <c>Warmup</c>, beside the steady time and that of calls after a pause: those have nothing left to compile
/// and no memory to take, but find the threads asleep and the caches cold. One call a process: what was measured before would be warm. This
/// program is compiled without tiers; <c>DOTNET_TieredPGO=1 DOTNET_TC_QuickJitForLoops=1</c> in the environment gives it a program's usual ones.
/// </summary>
internal static class WarmupCommand
{
    /// <summary>Its table.</summary>
    internal static readonly Column[] Columns =
    [
        Column.Kernel, Column.Tier, Column.Heads, Column.Context, Column.Threads, Column.Warmup, Column.First, Column.AfterPause, Column.Milliseconds,
        Column.FirstOverSteady, Column.Spread,
    ];

    private const int Pauses = 5;

    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(0.1);

    public static readonly string[] Calls = ["decode", "layer", "prefill"];

    public static void Run(Model model, string call, int context, MeasurementOptions options, Report report)
    {
        using MlaExecutor executor = new(options.Threads);
        using Crew crew = new(options.Threads);
        Attention attention = call == "prefill" ? model.Core : model.Layer;
        using Workload workload = call switch
        {
            "decode" => attention.Decode(context, executor),
            "layer" => attention.Forward(call, LayerCommand.Decode(attention, context, batch: 1), executor),
            _ => attention.Forward(call, PrefillCommand.Prompt(attention, context), executor),
        };

        // What stands around the call is this program's, not the library's.
        RuntimeHelpers.PrepareDelegate(workload.Run);
        double warmupMs = Time(attention.Warmup);
        double firstMs = Time(workload.Run);
        double afterPauseMs = Median(TimesAfterPauses(workload));
        FmaPeak peak = new(crew);
        report.WithProgress($"{model.Name} {call}, {Counted.Of(context, "token")}", progress =>
        {
            Rounds rounds = Rounds.Run([peak, workload], options.Seconds, progress);
            report.Add(Measurement.Of(rounds, workload, peak, options.Threads).WithFirstCall(warmupMs, firstMs, afterPauseMs) with
            {
                Heads = attention.Shape.Heads,
                Context = context,
                Cache = model.Cache,
                Model = model.Name,
            });
        });
        report.Show(
            $"First call: {model.Name}",
            Columns);
    }

    private static double[] TimesAfterPauses(Workload workload)
    {
        double[] times = new double[Pauses];
        for (int i = 0; i < times.Length; i++)
        {
            Thread.Sleep(_pause);
            times[i] = Time(workload.Run);
        }

        return times;
    }

    private static double Median(double[] values) => values.Order().ElementAt(values.Length / 2);

    private static double Time(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }
}
