using Explorer.Measuring;
using Explorer.Models;
using Explorer.Output;
using MlaGen;
using Samples;

namespace Explorer.Commands;

/// <summary>
/// The projections of a layer alone, with bf16 weights, at a precision and at the highest; and absorption alone: the layer's heads on a hidden state of 16,
/// with a token of context, so that next to nothing is left of the rest.
/// </summary>
internal static class ProjectionsCommand
{
    /// <summary>Its table.</summary>
    internal static readonly Column[] Columns =
    [
        Column.Kernel, Column.Tier, Column.Batch, Column.Threads, Column.Precision, Column.Core, Column.Milliseconds, Column.Gflops, Column.FmaPeak,
        Column.ShareOfPeak, Column.Gigabytes, Column.Dram, Column.ShareOfDram, Column.Spread,
    ];

    public static void Run(Model model, int rows, MlaPrecision precision, MeasurementOptions options, Report report)
    {
        using MlaExecutor executor = new(options.Threads);
        using Crew crew = new(options.Threads);
        FmaPeak peak = new(crew);

        // Few rows stream the weights, and memory is the limit; many share them, and arithmetic is.
        ReadBandwidth? dram = rows < 16 ? ReadBandwidth.OfDram(crew) : null;
        MlaPrecision[] precisions = precision == MlaPrecision.Highest ? [precision] : [MlaPrecision.Highest, precision];
        ProjectionWorkload exact = new(model.Layer.Shape, rows, executor);
        (MlaPrecision Precision, Workload Workload)[] workloads =
        [
            .. precisions.Select(each => (each, (Workload)new ProjectionWorkload(exact, each))),
            .. precisions.Select(each => (each, (Workload)model.Core.Forward("absorption", Absorption(model.Core.Shape, rows), executor, precision: each))),
        ];
        report.WithProgress($"projections of {model.Name}, {Counted.Of(rows, "row")}", progress =>
        {
            Rounds rounds = Rounds.Run([peak, .. dram is null ? [] : (Workload[])[dram], .. workloads.Select(static each => each.Workload)], options.Seconds * workloads.Length, progress);
            foreach ((MlaPrecision each, Workload workload) in workloads)
            {
                Measurement measurement = Measurement.Of(rounds, workload, peak, options.Threads) with
                {
                    Model = model.Name,
                    Batch = rows,
                    Precision = Model.Called(each),
                    Core = model.Core.CoresAt(each).Projections.Single(static core => core.Runs).Target.ToString().ToLowerInvariant(),
                };
                report.Add(dram is null ? measurement : measurement.WithDram(rounds, workload, dram));
            }
        });
        foreach ((_, Workload workload) in workloads)
        {
            workload.Dispose();
        }

        report.Note(model.Core.CoresAt(precision).ToString().Split(Environment.NewLine)[^1]);
        report.Show($"Projections: {model.Name}, {Counted.Of(rows, "row")}", Columns);
    }

    /// <summary>One new token of each of so many sequences.</summary>
    private static Step Absorption(MlaShape shape, int rows) =>
        new(rows, Context: 1, NewTokens: 1, MlaForm.Absorbed, 2 * Costs.KvBWeights(shape) * rows, sizeof(ushort) * Costs.KvBWeights(shape));
}
