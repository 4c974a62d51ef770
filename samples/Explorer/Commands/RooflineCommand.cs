using Explorer.Measuring;
using Explorer.Models;
using Explorer.Output;
using MlaGen;

namespace Explorer.Commands;

/// <summary>What the machine can do at most, and how near each kernel comes.</summary>
internal static class RooflineCommand
{
    /// <summary>Its table.</summary>
    internal static readonly Column[] Columns =
    [
        Column.Kernel, Column.Tier, Column.Heads, Column.Context, Column.Batch, Column.Threads, Column.Milliseconds, Column.Gflops, Column.FmaPeak,
        Column.ShareOfPeak, Column.Gigabytes, Column.Dram, Column.ShareOfDram, Column.Speedup, Column.PeakSpeedup, Column.Spread,
    ];

    private const int DecodeContext = 4096;
    private const int PrefillTokens = 1024;
    private const string LayerModel = "V3";
    private const int LayerBatch = 16;

    public static void Run(MeasurementOptions options, Report report)
    {
        MeasurePeaks(options, report);
        foreach (Model model in Model.All)
        {
            DecodeCommand.Measure(model, queries: 1, DecodeContext, options, report);
            PrefillCommand.Measure(model, PrefillTokens, options, report);
        }

        LayerCommand.Measure(Model.Named(LayerModel), DecodeContext, batch: 1, options, report);
        LayerCommand.Measure(Model.Named(LayerModel), DecodeContext, LayerBatch, options, report);

        report.Show(
            "Roofline",
            Columns);
    }

    private static void MeasurePeaks(MeasurementOptions options, Report report)
    {
        using Crew crew = new(options.Threads);
        FmaPeak peak = new(crew);
        ReadBandwidth dram = ReadBandwidth.OfDram(crew);
        MatrixPeak[] matrices = MatrixPeak.Of(Model.Named(LayerModel).Core.CoresAt(MlaPrecision.Medium), crew);
        report.WithProgress("peaks of arithmetic and DRAM read bandwidth", progress =>
        {
            Rounds rounds = Rounds.Run([peak, .. matrices, dram], options.Seconds, progress);
            report.Add(Measurement.Of(rounds, peak, peak, options.Threads));
            foreach (MatrixPeak matrix in matrices)
            {
                report.Add(Measurement.Of(rounds, matrix, peak, options.Threads));
                matrix.Dispose();
            }

            report.Add(Measurement.Of(rounds, dram, peak, options.Threads).WithDram(rounds, dram, dram));
        });
    }
}
