using Explorer.Kernels;
using Explorer.Measuring;
using Explorer.Models;
using Explorer.Output;
using MlaGen;
using Samples;

namespace Explorer.Commands;

/// <summary>The generated decode core beside what else a .NET program can compute it with, in turn in one run and on the same data.</summary>
internal static class PeersCommand
{
    /// <summary>Its table.</summary>
    internal static readonly Column[] Columns =
    [
        Column.Kernel, Column.Heads, Column.Context, Column.Threads, Column.Cache, Column.Milliseconds, Column.Gflops, Column.FmaPeak, Column.ShareOfPeak,
        Column.Difference, Column.Spread,
    ];

    public static void Run(Model model, int context, MeasurementOptions options, Report report)
    {
        using MlaExecutor executor = new(options.Threads);
        using Crew crew = new(options.Threads);
        MlaShape shape = model.Layer.Shape;
        FmaPeak peak = new(crew);
        using CoreWorkload ours = model.Layer.Decode(context, executor);
        (IReadOnlyList<CoreWorkload> torch, string? missing) = TorchPeers.Create(shape, model.Layer.SoftmaxScale, context, options.Threads);
        CoreWorkload[] peers = [new TensorPrimitivesAttention(shape, model.Layer.SoftmaxScale, context, crew), .. torch];
        report.WithProgress($"peers, {Counted.Of(model.Heads, "head")}, {Counted.Of(context, "token")}", progress =>
        {
            Rounds rounds = Rounds.Run([peak, ours, .. peers], options.Seconds * (1 + peers.Length), progress);
            foreach (CoreWorkload workload in (CoreWorkload[])[ours, .. peers])
            {
                report.Add(Measurement.Of(rounds, workload, peak, options.Threads) with
                {
                    Kernel = workload == ours ? "MlaGen" : workload.Kernel,
                    Heads = model.Heads,
                    Context = context,
                    Cache = workload.Bytes < ours.Bytes ? "bfloat16" : model.Cache,
                    Difference = workload == ours ? null : Difference(workload.Output, ours.Output),
                });
            }
        });

        foreach (CoreWorkload peer in peers)
        {
            peer.Dispose();
        }

        if (missing is not null)
        {
            report.Note(missing);
        }

        report.Show(
            $"Decode core beside others: {model.Name}, {Counted.Of(model.Heads, "head")}",
            Columns);
    }

    /// <summary>The largest difference, as a part of the largest value.</summary>
    internal static double Difference(ReadOnlySpan<float> found, ReadOnlySpan<float> expected)
    {
        double difference = 0;
        double largest = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            difference = Math.Max(difference, Math.Abs((double)found[i] - expected[i]));
            largest = Math.Max(largest, Math.Abs(expected[i]));
        }

        return difference / largest;
    }
}
