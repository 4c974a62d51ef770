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
        Column.Kernel, Column.Heads, Column.Context, Column.Threads, Column.Cache, Column.Precision, Column.Core, Column.Milliseconds, Column.Gflops, Column.FmaPeak, Column.ShareOfPeak,
        Column.Difference, Column.Spread,
    ];

    public static void Run(Model model, CacheFormat format, MlaPrecision precision, string? oneDnn, int context, MeasurementOptions options, Report report)
    {
        using MlaExecutor executor = new(options.Threads);
        using Crew crew = new(options.Threads);
        MlaShape shape = model.Core.Shape;
        FmaPeak peak = new(crew);
        List<CoreWorkload> workloads = [model.Core.Decode(context, executor)];
        CoreWorkload exact = workloads[0];
        try
        {
            CoreWorkload? other = null;
            if (format != model.Core.Layout.Format || precision != MlaPrecision.Highest)
            {
                workloads.Add(other = model.Core.Decode(context, executor, format, precision));
            }

            workloads.Add(new TensorPrimitivesAttention(shape, model.Core.SoftmaxScale, context, crew));
            (IReadOnlyList<CoreWorkload> torch, string? missing) = TorchPeers.Create(shape, model.Core.SoftmaxScale, context, options.Threads);
            workloads.AddRange(torch);
            if (oneDnn is not null)
            {
                workloads.Add(new OneDnnAttention(oneDnn, shape, model.Core.SoftmaxScale, context, options.Threads));
            }

            report.WithProgress($"peers, {Counted.Of(model.Heads, "head")}, {Counted.Of(context, "token")}", progress =>
            {
                Rounds rounds = Rounds.Run([peak, .. workloads], options.Seconds * workloads.Count, progress);
                foreach (CoreWorkload workload in workloads)
                {
                    bool isOther = workload == other;
                    report.Add(Measurement.Of(rounds, workload, peak, options.Threads) with
                    {
                        Kernel = workload == exact || isOther ? "MlaGen" : workload.Kernel,
                        Heads = model.Heads,
                        Context = context,
                        Cache = isOther ? Model.Called(format) : workload.Bytes < exact.Bytes ? "bfloat16" : model.Cache,
                        Precision = isOther ? Model.Called(precision) : null,
                        Core = isOther ? workload.Core?.Target.ToString().ToLowerInvariant() : null,
                        Difference = workload == exact ? null : Difference(workload.Output, exact.Output),
                    });
                }
            });

            if (missing is not null)
            {
                report.Note(missing);
            }
        }
        finally
        {
            workloads.ForEach(static workload => workload.Dispose());
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
