using System.Diagnostics;
using Explorer.Measuring;
using Explorer.Models;
using Explorer.Output;
using MlaGen;
using Samples;

namespace Explorer.Commands;

/// <summary>
/// A whole prompt through a layer with a sparse indexer and through the same layer without one, step by step in turn. It takes too long to be timed
/// in rounds: each step is timed once, and what is told is their sum.
/// </summary>
internal static class PromptCommand
{
    /// <summary>Its table.</summary>
    internal static readonly Column[] Columns =
    [
        Column.Kernel, Column.Context, Column.Threads, Column.Milliseconds, Column.OverDense, Column.TokensPerSecond, Column.Gflops, Column.FmaPeak,
    ];

    public const string DenseName = "dense";
    public const string SparseName = "sparse";
    public const string AlikeName = "sparse, neighbours alike";

    private const int Fresh = 0;
    private const int Alike = 1;

    /// <summary>Neighbours whose selections are compared.</summary>
    private const int Neighbours = 32;

    /// <summary>Tokens of a step that compiles what there is to compile: as many as select, and some that do.</summary>
    private const int WarmUpTokens = 64;

    public static void Run(SparseModel model, int tokens, int step, MeasurementOptions options, Report report)
    {
        using MlaExecutor executor = new(options.Threads);
        using Crew crew = new(options.Threads);
        FmaPeak peak = new(crew);
        int most = Math.Max(tokens, model.TopK + WarmUpTokens);
        using PromptWorkload dense = model.OpenDensePrompt(model, executor, most);
        using PromptWorkload sparse = model.OpenPrompt(model, executor, most);
        (string Name, PromptWorkload Workload, int Prompt)[] runs = [(DenseName, dense, Fresh), (SparseName, sparse, Fresh), (AlikeName, sparse, Alike)];
        double[] seconds = new double[runs.Length];
        int[] together = new int[runs.Length];
        double peakSeconds = 0;
        int steps = 0;
        foreach (PromptWorkload workload in (PromptWorkload[])[dense, sparse])
        {
            workload.Begin();
            workload.Step(Fresh, model.TopK);
            workload.Commit();
            workload.Step(Fresh, WarmUpTokens);
            workload.Commit();
            workload.Begin();
        }

        peak.Run();
        report.WithProgress(FormattableString.Invariant($"{model.Name}, a prompt of {Counted.Of(tokens, "token")}"), progress =>
        {
            for (int first = 0; first < tokens; first += step)
            {
                int count = Math.Min(step, tokens - first);
                for (int i = 0; i < runs.Length; i++)
                {
                    (_, PromptWorkload workload, int prompt) = runs[i];
                    seconds[i] += Time(() => workload.Step(prompt, count));
                    together[i] = workload == sparse ? workload.AttendedTogether(Neighbours) : 0;
                    workload.Commit();
                }

                peakSeconds += Time(peak.Run);
                steps++;
                progress((double)(first + count) / tokens);
            }
        });

        double peakGflops = peak.Operations * steps / peakSeconds / 1e9;
        for (int i = 0; i < runs.Length; i++)
        {
            // The operations of dense attention, whoever does fewer: how fast what was asked for comes.
            report.Add(Measurement.Of(runs[i].Name, seconds[i], Costs.Prefill(model.Shape, tokens), peakGflops, options.Threads) with
            {
                Model = model.Name,
                Context = tokens,
                TokensPerSecond = Math.Round(tokens / seconds[i], 2),
                OverDense = Math.Round(seconds[0] / seconds[i], 3),
            });
        }

        for (int i = 1; i < runs.Length; i++)
        {
            report.Note(FormattableString.Invariant($"{runs[i].Name}: the last {Counted.Of(Neighbours, "token")} attend to {Counted.Of(together[i], "token")} together, each of them to {Math.Min(model.TopK, tokens)} at most."));
        }

        report.Note("GFLOP/s are operations of dense attention a second: a sparse layer that is faster does not do all of them.");
        report.Show(FormattableString.Invariant($"A prompt of {Counted.Of(tokens, "token")}, {Counted.Of(step, "token")} a step: sparse and dense attention, {model.Name}"), Columns);
    }

    private static double Time(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
