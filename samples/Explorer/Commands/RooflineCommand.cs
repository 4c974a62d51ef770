using Explorer.Measuring;
using Explorer.Models;
using Explorer.Output;

namespace Explorer.Commands;

/// <summary>What the machine can do at most, and how near each kernel comes.</summary>
internal static class RooflineCommand
{
    private const int DecodeContext = 4096;

    public static void Run(MeasurementOptions options, Report report)
    {
        MeasurePeaks(options, report);
        foreach (Model model in Model.All)
        {
            DecodeCommand.Measure(model, DecodeContext, Model.Float32Cache, options, report);
        }

        report.Print(
            "Roofline",
            Column.Kernel, Column.Tier, Column.Heads, Column.Context, Column.Threads, Column.Milliseconds, Column.Gflops, Column.FmaPeak, Column.ShareOfPeak, Column.Gigabytes, Column.Spread);
    }

    private static void MeasurePeaks(MeasurementOptions options, Report report)
    {
        using Crew crew = new(options.Threads);
        FmaPeak peak = new(crew);
        ReadBandwidth dram = ReadBandwidth.OfDram(crew);
        report.WithProgress("FMA peak and DRAM read bandwidth", progress =>
        {
            Rounds rounds = Rounds.Run([peak, dram], options.Seconds, progress);
            report.Add(Measurement.Of(rounds, peak, peak, options.Threads));
            report.Add(Measurement.Of(rounds, dram, peak, options.Threads).WithDram(rounds, dram, dram));
        });
    }
}
