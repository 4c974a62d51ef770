using Explorer.Measuring;
using Explorer.Models;
using Explorer.Output;
using MlaGen;

namespace Explorer.Commands;

/// <summary>One row times a matrix that no cache holds, in every format that weights are kept in, beside the DRAM read bandwidth.</summary>
internal static class WeightsCommand
{
    /// <summary>Its table.</summary>
    internal static readonly Column[] Columns =
    [
        Column.Kernel, Column.Tier, Column.Threads, Column.Milliseconds, Column.Gflops, Column.ShareOfPeak, Column.Gigabytes, Column.Dram, Column.ShareOfDram, Column.Spread,
    ];

    public static void Run(int outputs, int inputs, MeasurementOptions options, Report report)
    {
        List<(string Name, Linear Weights)> formats = [];
        report.WithProgress("weights", progress =>
        {
            foreach (WeightFormat format in Enum.GetValues<WeightFormat>())
            {
                if (format == WeightFormat.Stored)
                {
                    formats.Add(("bf16", Linear.Load(new RandomMatrix(TensorType.BFloat16, outputs, inputs), "matrix", inputs, outputs)));
                    formats.Add(("fp8", Linear.Load(new RandomMatrix(TensorType.Float8E4M3, outputs, inputs), "matrix", inputs, outputs)));
                }
                else
                {
                    formats.Add((format.ToString(), Linear.Load(new RandomMatrix(TensorType.BFloat16, outputs, inputs), "matrix", inputs, outputs, format: format)));
                }

                progress((double)formats.Count / (Enum.GetValues<WeightFormat>().Length + 1));
            }
        });

        // A core alone may not get all that memory gives.
        foreach (int threads in new[] { 1, options.Threads }.Distinct())
        {
            Measure(formats, threads, options, report);
        }

        report.Show(FormattableString.Invariant($"One row times [{outputs}, {inputs}]"), Columns);
    }

    private static void Measure(List<(string Name, Linear Weights)> formats, int threads, MeasurementOptions options, Report report)
    {
        using MlaExecutor executor = new(threads);
        using Crew crew = new(threads);
        FmaPeak peak = new(crew);
        ReadBandwidth dram = ReadBandwidth.OfDram(crew);
        LinearWorkload[] workloads = [.. formats.Select(format => new LinearWorkload(format.Name, format.Weights, executor))];
        report.WithProgress($"one row, {Samples.Counted.Of(threads, "thread")}", progress =>
        {
            Rounds rounds = Rounds.Run([peak, dram, .. workloads], options.Seconds * workloads.Length, progress);
            foreach (LinearWorkload workload in workloads)
            {
                report.Add(Measurement.Of(rounds, workload, peak, threads).WithDram(rounds, workload, dram));
            }
        });
    }
}
