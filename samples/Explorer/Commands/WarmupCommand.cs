using System.Diagnostics;
using System.Runtime.CompilerServices;
using Explorer.Measuring;
using Explorer.Models;
using Explorer.Output;
using MlaGen;

namespace Explorer.Commands;

/// <summary>
/// The first call of this process after <c>Warmup</c>, beside the steady time. One call a process: what was measured before would be warm. This
/// program is compiled without tiers; <c>DOTNET_TieredPGO=1 DOTNET_TC_QuickJitForLoops=1</c> in the environment gives it a program's usual ones.
/// </summary>
internal static class WarmupCommand
{
    public static readonly string[] Calls = ["decode", "layer", "prefill"];

    public static void Run(Model model, string call, int context, MeasurementOptions options, Report report)
    {
        using MlaExecutor executor = new(options.Threads);
        using Crew crew = new(options.Threads);
        Attention attention = call == "prefill" ? model.Core : model.Layer;
        using Workload workload = call switch
        {
            "decode" => attention.Decode(context, executor),
            "layer" => attention.Forward(call, LayerCommand.Decode(attention.Shape, context, batch: 1), executor),
            _ => attention.Forward(call, PrefillCommand.Prompt(attention.Shape, context), executor),
        };

        // What stands around the call is this program's, not the library's.
        RuntimeHelpers.PrepareDelegate(workload.Run);
        double warmupMs = Time(attention.Warmup);
        double firstMs = Time(workload.Run);
        FmaPeak peak = new(crew);
        report.WithProgress($"{model.Name} {call}, {context} tokens", progress =>
        {
            Rounds rounds = Rounds.Run([peak, workload], options.Seconds, progress);
            report.Add(Measurement.Of(rounds, workload, peak, options.Threads).WithFirstCall(warmupMs, firstMs) with
            {
                Heads = attention.Shape.Heads,
                Context = context,
                Cache = model.Cache,
                Model = model.Name,
            });
        });
        report.Show(
            $"First call: {model.Name}",
            Column.Kernel, Column.Tier, Column.Heads, Column.Context, Column.Threads, Column.Warmup, Column.First, Column.Milliseconds, Column.FirstOverSteady, Column.Spread);
    }

    private static double Time(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }
}
